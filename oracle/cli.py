"""The command line: thin views over records. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from rich.console import Console

    from .checking import Report

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Judge implementations of torch's losses, optimizers and initializers by proven bounds.\n\n"
                       "Example: oracle audit mse_loss Adam --dtype float32")


class UsageError(TyperException):
    """Bad use: one line, exit status 2."""

    exit_code = 2


@app.command("list", help="List the ops: their torch names, parameters and number of cases.\n\n"
                          "Example: oracle list losses")
def list_(ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")] = None,
          ) -> None:
    """Table of ops."""
    from rich.table import Table

    from .cases import BadCaseError, select

    try:
        chosen = select(ops or ())
    except BadCaseError as error:
        raise UsageError(str(error)) from None
    table = Table()
    for column in ("op", "torch", "parameters", "cases"):
        table.add_column(column, overflow="fold", justify="right" if column == "cases" else "left")
    for spec in dict.fromkeys(case.spec for case in chosen):
        table.add_row(spec.name, "\n".join(spec.torch_names), ", ".join(spec.parameters),
                      str(sum(case.spec is spec for case in chosen)))
    _console().print(table)
    typer.echo(f"{len(chosen)} cases")


@app.command(help="Audit implementations on every case of the ops: a table, disagreements, counts.\n\n"
                  "Exit status 0 only without an unwaived disagreement, 1 with one, 2 for bad use.\n\n"
                  "Example: oracle audit losses Adam --dtype float32 --target torch:fused -j 2 --out runs/today")
def audit(
    ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")] = None,
    target: Annotated[list[str] | None, typer.Option(help="target such as torch, torch:fused, torch:compile, "
                                                          "reference; may be given again")] = None,
    dtype: Annotated[list[str] | None, typer.Option(help="float64, float32, float16, bfloat16; may be given "
                                                         "again")] = None,
    device: Annotated[str, typer.Option(help="device of the torch targets, e.g. cuda")] = "cpu",
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="processes; one for each core by "
                                                                         "default")] = None,
    out: Annotated[Path, typer.Option(help="folder for records.jsonl")] = Path("oracle-results"),
) -> None:
    """Run cases on targets."""
    import json

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from . import run
    from .cases import BadCaseError, select
    from .report.table import show
    from .targets import TargetError, load

    try:
        cases = select(ops or (), dtype or ())
        names = [t.name for t in load(target or ["reference", "torch"], device)]
        out.mkdir(parents=True, exist_ok=True)
        file = (out / "records.jsonl").open("w", encoding="utf-8")
    except (BadCaseError, TargetError) as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    records = []
    console = _console()
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TextColumn("cases"), TimeRemainingColumn())
    command = ["oracle", *sys.argv[1:]]
    with file, Progress(*columns, console=_console(stderr=True), transient=True) as progress:
        file.write(json.dumps(run.header(command, device)) + "\n")
        task = progress.add_task("", total=len(cases))
        for record in run.audit(cases, names, device=device, jobs=jobs or _processes(len(cases)),
                                on_case=lambda: progress.advance(task)):
            file.write(record.to_json() + "\n")
            file.flush()
            records.append(record)
    show(records, console)
    stale = run.stale_waivers(records, cases, names)
    for name in stale:
        typer.echo(f"STALE waiver {name!r}: no case needs it any more; delete it from oracle/waivers.toml")
    typer.echo(f"records: {out / 'records.jsonl'}")
    raise typer.Exit(1 if stale or any(record.fails for record in records) else 0)


@app.command(help="Explain a case: inputs, truth, answers, the bound and where it comes from, and a script.\n\n"
                  "Example: oracle explain mse_loss/float32/reduction=sum")
def explain(
    case_id: Annotated[str, typer.Argument(metavar="CASE-ID", help="as records and tests show it")],
    target: Annotated[list[str] | None, typer.Option(help="target to show beside the reference; "
                                                          "may be given again")] = None,
    device: Annotated[str, typer.Option(help="device of the torch targets")] = "cpu",
) -> None:
    """Everything about one case."""
    from .cases import BadCaseError, parse
    from .report.explain import explanation
    from .targets import TargetError, load

    try:
        case = parse(case_id)
        targets = [t for t in load(["reference", *(target or ["torch:eager"])], device) if t.covers(case.spec)]
    except (BadCaseError, TargetError) as error:
        raise UsageError(str(error)) from None
    typer.echo(explanation(case, targets))


@app.command(help="Check somebody's implementation of one op: is it right, and if not, what does it do instead?\n\n"
                  "TARGET is pkg.module:attribute or path/file.py:attribute. Exit status 0 where it passes, 1 where "
                  "it does not, 2 for bad use.\n\n"
                  "Example: oracle check mypkg/losses.py:my_ce --as cross_entropy --framework numpy --mode "
                  "reduction=mean,sum")
def check(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="where the implementation is")],
    op: Annotated[str, typer.Option("--as", metavar="OP", help="torch's name of the op, e.g. cross_entropy, Adam, "
                                                               "kaiming_uniform_")],
    framework: Annotated[str, typer.Option(help="whose arrays it takes: numpy, torch, jax")] = "torch",
    dtype: Annotated[list[str] | None, typer.Option(help="storage type; may be given again; float32 and float64 by "
                                                         "default")] = None,
    device: Annotated[str, typer.Option(help="where the framework puts its arrays, e.g. cuda")] = "cpu",
    mode: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE,...", help="what an argument or an axis of the "
                                                   "cases may be; the rest is unsupported; may be given again")] = None,
    state: Annotated[list[str] | None, typer.Option(metavar="TORCHS=OWN", help="what a state of the optimizer is "
                                                    "called; may be given again")] = None,
    accuracy: Annotated[str | None, typer.Option(help="opmath: half types are computed in float32 and rounded once "
                                                      "(default); storage: each operation may be rounded")] = None,
    target_backward: Annotated[str | None, typer.Option(metavar="PLACE", help="its gradient: a function of the "
                               "gradient from above and the arguments; none for no gradients")] = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="are an initializer's numbers to be "
                      "torch's, or only distributed like them? By default the first for torch alone")] = None,
    all_: Annotated[bool, typer.Option("--all", help="every shipped case, not those that tell most")] = False,
    timeout: Annotated[float, typer.Option(min=0.0, help="seconds for a case")] = 30.0,
    memory: Annotated[float, typer.Option(min=0.0, help="GiB that the implementation may take")] = 4.0,
    out: Annotated[Path | None, typer.Option(help="folder for records.jsonl and report.json")] = None,
    json_: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Judge an implementation."""
    from .checking import check as judge
    from .targets import TargetError

    try:
        if ":" not in target:
            raise ValueError(f"{target!r} names no object; needed is pkg.module:attribute or path/file.py:attribute")
        sys.path.insert(0, os.getcwd())
        with _counting("checking") as progress:
            report = judge(op, target, framework=framework, dtypes=dtype, device=device, modes=_modes(mode),
                           accuracy=accuracy, state=dict(_pairs("--state", state)),
                           backward=False if target_backward == "none" else target_backward, stream=stream,
                           all_cases=all_, timeout=timeout, memory=int(memory * 2**30), on_case=lambda _: progress())
        if out is not None:
            _write_report(report, out)
    except (ValueError, TargetError) as error:  # a BadCaseError is a ValueError
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    typer.echo(report.to_json() if json_ else str(report))
    raise typer.Exit(0 if report.passed else 1)


def _pairs(option: str, given: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option} needs NAME=VALUE, got {text!r}")
        yield name, value


def _modes(given: Sequence[str] | None) -> dict[str, list[str]]:
    return {name: value.split(",") for name, value in _pairs("--mode", given)}


@contextmanager
def _counting(what: str) -> Iterator[Callable[[], None]]:
    """A count on the terminal, from the third second on."""
    import time

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    progress = Progress(SpinnerColumn(), TextColumn(what + " {task.completed:.0f} cases"), TimeElapsedColumn(),
                        console=_console(stderr=True), transient=True)
    task = progress.add_task("", total=None)

    def count() -> None:
        progress.advance(task)
        if progress.console.is_terminal and time.monotonic() - began > 2 and not progress.live.is_started:
            progress.start()

    try:
        yield count
    finally:
        if progress.live.is_started:
            progress.stop()


def _write_report(report: Report, out: Path) -> None:
    import json

    from . import run

    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(run.header(["oracle", *sys.argv[1:]], "")), *(record.to_json() for record in report.records)]
    (out / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")


def _processes(cases: int) -> int:
    """One for each core, but none for fewer cases than are done before it has started."""
    return max(1, min(os.cpu_count() or 1, cases // 100))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(stderr=stderr, width=width)


def main() -> None:
    """Entry point of ``oracle`` and of ``python -m oracle``; bad use ends in one line and status 2."""
    try:
        status = app(prog_name="oracle", standalone_mode=False)
    except TyperException as error:
        typer.echo(f"oracle: {error.format_message()}", err=True)
        status = 2
    except typer.Abort:
        status = 130
    if status == 130:
        typer.echo("oracle: interrupted; records written so far are kept", err=True)
    sys.exit(status)

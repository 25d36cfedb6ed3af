"""The command line: thin views over records. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from rich.console import Console

    from .report.digest import Digest

__all__ = ["app", "main"]

Form = Literal["html", "markdown", "junit"]
ListForm = Literal["html", "markdown"]
_ENDINGS = {"html": "html", "markdown": "md", "junit": "xml"}

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


@app.command(help="Report on a run: one HTML file that needs nothing else, or Markdown, or JUnit XML.\n\n"
                  "Example: oracle report runs/today --out today.html")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of oracle audit, or its records.jsonl")],
    out: Annotated[Path | None, typer.Option(help="file to write, - for standard output; by default report.html, "
                                                  "report.md or report.xml beside the records")] = None,
    form: Annotated[Form, typer.Option("--format", help="html, markdown or junit")] = "html",
    benchmarks: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the benchmarks' results, to be "
                                                                        "shown in the HTML")] = None,
) -> None:
    """Show a run."""
    from .report import digest as digests

    try:
        digest = digests.read(run)
        if form == "html":
            page = _html(digest, benchmarks)
        elif form == "markdown":
            from .report import markdown

            page = markdown.render(digest)
        else:
            from .report import junit

            page = junit.render(digest)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    _write(page, out or (run if run.is_dir() else run.parent) / f"report.{_ENDINGS[form]}")


@app.command(help="List the defects of torch that are known, with what runs show of each.\n\n"
                  "Example: oracle defects runs/today --format markdown --out -")
def defects(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="folders of oracle audit: sizes, "
                                                      "versions and scripts are theirs")] = None,
    out: Annotated[Path, typer.Option(help="file to write, - for standard output")] = Path("-"),
    form: Annotated[ListForm, typer.Option("--format", help="html or markdown")] = "markdown",
) -> None:
    """The list of defects."""
    from .report import defects as known
    from .report import digest as digests

    try:
        found = known.defects([digests.read(run) for run in runs or ()])
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if form == "html":
        from .report.html import defects_page
    else:
        from .report.markdown import defects_page
    _write(defects_page(found, "torch"), out)


def _html(digest: Digest, benchmarks: Path | None) -> str:
    from rich.progress import Progress

    from .report import html, timings

    ratios = None if benchmarks is None else timings.read(benchmarks)
    console = _console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reporting", total=len(digest.specs))
        return html.render(digest, ratios, lambda: progress.advance(task))


def _write(page: str, out: Path) -> None:
    """To a file, whose name is then said, or to standard output."""
    if out == Path("-"):
        typer.echo(page, nl=False)
        return
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    typer.echo(f"report: {out}")


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

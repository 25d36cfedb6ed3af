"""The command line: thin views over records. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import errno
import gc
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.exceptions import TyperException

from ..verdict.plain import plain

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from rich.console import Console

    from ..cases.case import Case
    from ..checking.check import Report
    from ..report.digest import Digest
    from ..targets.loading import Target
    from ..verdict.record import Record

__all__ = ["app", "main"]

Form = Literal["html", "markdown", "junit"]
ListForm = Literal["html", "markdown"]
_ENDINGS = {"html": "html", "markdown": "md", "junit": "xml"}


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"torch-oracle {metadata.version('torch-oracle')}")
        raise typer.Exit


app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Judge implementations of torch's losses, optimizers and initializers by proven bounds.\n\n"
                       "Example: oracle audit mse_loss Adam --dtype float32")


@app.callback()
def _options(version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True,
                                                   help="show the version")] = False) -> None:
    """What stands before a command."""
    named = os.environ.get("TORCH_ORACLE_CACHE", "")
    if named not in ("", "off"):
        _refuse_folder(Path(named), "keep anything in", "; TORCH_ORACLE_CACHE needs a folder, or off")


class UsageError(TyperException):
    """Bad use: one line, exit status 2."""

    exit_code = 2


class Interrupted(TyperException):
    """Ctrl-C: one line that says what is kept, exit status 130."""

    exit_code = 130


class _Faulty(UsageError):
    """A fault of the oracle itself: one line and exit status 2 too, since it is no disagreement."""


def _end_if_faulty(faults: Sequence[str]) -> None:
    if faults:
        raise _Faulty(faults[0] + (f" ({len(faults) - 1} more)" if len(faults) > 1 else ""))


@app.command("list", help="List the ops: their torch names, parameters and number of cases.\n\n"
                          "Example: oracle list losses")
def list_(ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")] = None,
          ) -> None:
    """Table of ops."""
    from rich.table import Table

    from ..cases.registry import BadCaseError
    from ..cases.selection import select

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
                  "Exit status 0 only without an unwaived disagreement, 1 with one, 2 for bad use or a fault of the "
                  "oracle itself.\n\n"
                  "Example: oracle audit losses Adam --dtype float32 --target torch:fused -j 2 --out runs/today\n\n"
                  "Example: oracle audit losses Adam --dtype float32 --target torch:fused -j 2 --out runs/today "
                  "--resume\n\n"
                  "Example: oracle audit huber_loss --exhaustive --executor dask://10.0.0.1:8786")
def audit(
    ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")] = None,
    target: Annotated[list[str] | None, typer.Option(help="target such as torch, torch:fused, torch:compile, "
                                                          "reference; may be given again")] = None,
    dtype: Annotated[list[str] | None, typer.Option(help="float64, float32, float16, bfloat16; may be given "
                                                         "again")] = None,
    device: Annotated[str, typer.Option(help="device of the torch targets, e.g. cuda")] = "cpu",
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="processes; one for each core by "
                                                                         "default")] = None,
    executor: Annotated[str | None, typer.Option(help="where to run instead: dask://host:port")] = None,
    out: Annotated[Path, typer.Option(help="folder for records.jsonl, or exhaustive.jsonl; that of the run before "
                                           "becomes records.previous.jsonl")] = Path("oracle-results"),
    resume: Annotated[bool, typer.Option("--resume", help="go on with the records that are in --out, of the same "
                                                          "command that was interrupted")] = False,
    exhaustive: Annotated[bool, typer.Option("--exhaustive", help="every number of float16 and of bfloat16 through "
                                                                  "elementwise losses and their gradients")] = False,
    long: Annotated[bool, typer.Option("--long", help="trajectories of 2,000 steps too")] = False,
    cache: Annotated[bool, typer.Option(help="take truths and verdicts of earlier runs, where all that they follow "
                                             "from is the same, and keep new ones")] = True,
) -> None:
    """Run cases on targets."""
    from functools import partial

    from ..auditing import executors, run, workers
    from ..auditing.executors import ExecutorError
    from ..auditing.record_file import JournalError
    from ..cases.registry import BadCaseError, chosen_specs
    from ..cases.selection import select, select_sweeps
    from ..keeping import store
    from ..report.sweeps import show_sweeps
    from ..report.table import show
    from ..targets.loading import TargetError, frameworks, load, modules, paths

    if not cache:
        os.environ[store.VARIABLE] = store.OFF
    path = out / ("exhaustive.jsonl" if exhaustive else "records.jsonl")
    if exhaustive and long:
        raise UsageError("--exhaustive runs numbers through losses, --long trajectories of optimizers: one of them")
    _refuse_file(path)
    _refuse_jobs(jobs)
    selected = select_sweeps if exhaustive else partial(select, long=long)
    names = target or ["reference", "torch"]
    try:
        pool = executors.connect(executor) if executor is not None else None
        frameworks(names)  # what is not there is refused before imports, and before cases are chosen
        chosen_specs(ops or ())
        needed = [run.__name__, *modules(names)] if executor is None else []
        if needed and jobs is not None and jobs > 1:
            workers.warm(needed)  # imports go on while cases are chosen
        targets = load(names, device)
        cases = selected(ops or (), dtype or ())
        if needed and (jobs or _processes(len(cases))) > 1:
            workers.warm(needed)
        cases = [case for case in cases if any(one.covers(case.spec) for one in targets)]
        if not cases:
            raise BadCaseError(f"nothing to run: {', '.join(ops or ['all ops'])} in {', '.join(dtype or ['any type'])} "
                               f"on {', '.join(names)} gives no case")
        records = _recorded(path, cases, targets, device, jobs, pool, resume=resume, elements=exhaustive)
    except (BadCaseError, TargetError, JournalError, ExecutorError) as error:
        raise UsageError(str(error)) from None
    console = _console()
    if exhaustive:
        show_sweeps(records, console)
    else:
        show(records, console)
    faults = [record.note for record in records if record.fault]
    stale = [] if faults else run.stale_waivers(records, cases, [t.name for t in targets],
                                                (lambda ops: select_sweeps()) if exhaustive else selected)
    for name in stale:
        typer.echo(f"STALE waiver {name!r}: no case needs it any more; delete it from oracle/waivers.toml")
    for framework, cpu_path in paths([t.name for t in targets]).items():
        typer.echo(f"CPU path of {framework}: {cpu_path}")
    typer.echo(f"records: {path}")
    _end_if_faulty(faults)
    raise typer.Exit(1 if stale or any(record.fails for record in records) else 0)


@app.command(help="Compare two runs: what got worse, better, new and gone, by op and target.\n\n"
                  "Exit status 1 when something got worse beyond the bound, a verdict that now disagrees; or when the "
                  "new run ended early.\n\n"
                  "Example: oracle diff runs/torch-2.12 runs/torch-2.13 --format markdown")
def diff(
    old: Annotated[Path, typer.Argument(help="a record file, or the folder of an audit")],
    new: Annotated[Path, typer.Argument(help="the same of the run to judge")],
    format: Annotated[str, typer.Option(help="text or markdown")] = "text",
) -> None:
    """Two record files."""
    from ..auditing.records import missing, read_records
    from ..report.diff import Change, changes, markdown, show_diff

    if format not in ("text", "markdown"):
        raise UsageError(f"unknown format {format!r}; known are text, markdown")
    try:
        (old_head, before), (new_head, after) = map(read_records, (old, new))
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    found = changes(before, after)
    if before and after and not any(d.old and d.new for d in found):
        raise UsageError("the two runs have no case and target in common")
    done, wanted = missing(new_head, after)
    if format == "markdown":
        typer.echo(markdown(old_head, new_head, found))
    else:
        show_diff(old_head, new_head, found, _console())
    if done < wanted:
        typer.echo(f"the new run is incomplete: {done} of {wanted} cases; go on with oracle audit --resume")
    raise typer.Exit(1 if done < wanted or any(d.change is Change.BROKEN for d in found) else 0)


vectors = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                      help="Cases, truths and bounds as files, for implementations in any language.\n\n"
                           "Example: oracle vectors export vectors")
app.add_typer(vectors, name="vectors")


@vectors.command(help="Write cases, truths and bounds: for each op a safetensors file, and JSON by a schema.\n\n"
                      "A selection of the cases in which every axis value occurs in every type; the same bytes each "
                      "time.\n\nExample: oracle vectors export vectors cross_entropy optim")
def export(
    folder: Annotated[Path, typer.Argument(help="a new or empty folder")],
    ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every case of the audit")] = False,
) -> None:
    """Vectors of ops."""
    from rich.progress import Progress

    from ..cases.registry import BadCaseError, chosen_specs
    from ..vectors.layout import VectorsError
    from ..vectors.writing import export as write

    screen = _console(stderr=True)
    _refuse_folder(folder)
    try:
        specs = chosen_specs(ops or ())
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
            task = progress.add_task("exporting", total=None)
            count = write(folder, specs, everything=everything,
                          on_case=lambda total: progress.update(task, total=total, advance=1))
    except (BadCaseError, VectorsError) as error:
        raise UsageError(str(error)) from None
    except ModuleNotFoundError as error:
        raise _without_safetensors(error) from None
    size = sum(path.stat().st_size for path in folder.iterdir())
    typer.echo(f"{count} cases of {len(specs)} ops in {folder}, {size / 1e6:.1f} MB")


@vectors.command(help="Judge results: tensors called CASE-ID:OUTPUT in a safetensors file, or a folder of them.\n\n"
                      "Exit status 0 only without a disagreement, and with a result for each output unless --partial "
                      "is given.\n\n"
                      "Example: oracle vectors verify vectors results.safetensors")
def verify(
    folder: Annotated[Path, typer.Argument(help="what was exported")],
    results: Annotated[Path, typer.Argument(help="a safetensors file or a folder of them")],
    partial: Annotated[bool, typer.Option("--partial", help="some results are enough: what is missing is counted, and "
                                                            "no failure")] = False,
) -> None:
    """Verdicts on results."""
    from ..report.table import show
    from ..vectors.layout import VectorsError
    from ..vectors.reading import verify as judge

    try:
        records, missing = judge(folder, results)
    except VectorsError as error:
        raise UsageError(str(error)) from None
    except ModuleNotFoundError as error:
        raise _without_safetensors(error) from None
    show(records, _console())
    if missing:
        ops = ", ".join(dict.fromkeys(name.partition("/")[0] for name in missing))
        typer.echo(f"no results for {len(missing)} outputs of {ops}, such as {missing[0]}")
    _end_if_faulty([record.note for record in records if record.fault])
    raise typer.Exit(1 if (missing and not partial) or any(record.fails for record in records) else 0)


def _without_safetensors(error: ModuleNotFoundError) -> Exception:
    """Bad use, if it is safetensors that is missing."""
    if (error.name or "").partition(".")[0] != "safetensors":
        return error
    return UsageError("safetensors is not installed; pip install 'torch-oracle[vectors]'")


@app.command(help="Explain a case: inputs, truth, answers, the bound and where it comes from, and a script.\n\n"
                  "Example: oracle explain mse_loss/float32/reduction=sum")
def explain(
    case_id: Annotated[str, typer.Argument(metavar="CASE-ID", help="as records and tests show it")],
    target: Annotated[list[str] | None, typer.Option(help="target to show beside the reference; "
                                                          "may be given again")] = None,
    device: Annotated[str, typer.Option(help="device of the torch targets")] = "cpu",
) -> None:
    """Everything about one case."""
    from ..cases.case import parse
    from ..cases.registry import BadCaseError
    from ..report.explain import explanation
    from ..targets.loading import TargetError, load

    try:
        case = parse(case_id)
        wanted = load(["reference", *(target or ["torch:eager"])], device)
    except (BadCaseError, TargetError) as error:
        raise UsageError(str(error)) from None
    targets = [one for one in wanted if one.covers(case.spec)]
    if target and (others := [one.name for one in wanted if one not in targets]):
        raise UsageError(f"{others[0]} has no meaning for {case.spec.name}")
    typer.echo(explanation(case, targets))


def _recorded(path: Path, cases: Sequence[Case], targets: Sequence[Target], device: str, jobs: int | None,
              executor: AbstractContextManager[Executor] | None, *, resume: bool, elements: bool) -> list[Record]:
    """Records of all cases: those that the file has, where it is to be resumed, and the rest, appended to it."""
    from concurrent.futures import BrokenExecutor
    from contextlib import nullcontext

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..auditing import record_file, run
    from ..auditing.records import header

    names = [t.name for t in targets]
    head = header(["oracle", *sys.argv[1:]], device, cases, names, run.judged_by())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {path.parent}: {error.strerror}") from None
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TextColumn("cases"), TimeRemainingColumn())
    screen = _console(stderr=True)
    with executor or nullcontext() as pool:  # before anything is written
        file, records, done = (record_file.resume(path, head, cases, targets) if resume
                               else (record_file.start(path, head), [], 0))
        left = cases[done:]
        with file, Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
            task = progress.add_task("", total=len(cases), completed=done)
            fresh: list[Record] = []

            def keep(cases: int) -> None:
                file.append(*fresh)
                records.extend(fresh)
                fresh.clear()
                progress.advance(task, cases)

            try:
                for record in run.audit(left, names, device=device, jobs=jobs or _processes(len(left)), executor=pool,
                                        elements=elements, on_cases=keep):
                    fresh.append(record)
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; {len(records)} records are kept in {path}: go on with --resume"
                                  if records else "interrupted before the first record") from None
            except BrokenExecutor:
                raise UsageError("a worker process died, of too little memory perhaps; go on with --resume") from None
    return records


@app.command(help="Report on a run: one HTML file that needs nothing else, or Markdown, or JUnit XML.\n\n"
                  "Example: oracle report runs/today --out today.html")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of oracle audit, or its records.jsonl")],
    out: Annotated[Path | None, typer.Option(help="file to write, - for standard output; by default report.html, "
                                                  "report.md or report.xml beside the records")] = None,
    form: Annotated[Form, typer.Option("--format", help="html, markdown or junit")] = "html",
    benchmarks: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the benchmarks' results, for the "
                                                    "HTML; benchmark-results within or beside RUN by default")] = None,
) -> None:
    """Show a run."""
    from ..report import digest as digests

    out = out or (run if run.is_dir() else run.parent) / f"report.{_ENDINGS[form]}"
    _refuse_file(out)
    try:
        digest = digests.read(run)
        if form == "html":
            page = _html(digest, benchmarks or _benchmarks(run))
        elif form == "markdown":
            from ..report import markdown

            page = markdown.render(digest)
        else:
            from ..report import junit

            page = junit.render(digest)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    _write(page, out)


@app.command(help="List the defects of torch that are known, with what runs show of each.\n\n"
                  "Example: oracle defects runs/today --format markdown --out -")
def defects(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="folders of oracle audit: sizes, "
                                                      "versions and scripts are theirs")] = None,
    out: Annotated[Path, typer.Option(help="file to write, - for standard output")] = Path("-"),
    form: Annotated[ListForm, typer.Option("--format", help="html or markdown")] = "markdown",
) -> None:
    """The list of defects."""
    from ..report import defects as known
    from ..report import digest as digests

    _refuse_file(out)
    try:
        found = known.defects([digests.read(run) for run in runs or ()])
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if form == "html":
        from ..report.html import defects_page
    else:
        from ..report.markdown import defects_page
    _write(defects_page(found, "torch"), out)


def _benchmarks(run: Path) -> Path | None:
    """The results of ``python -m benchmarks`` that lie with a run."""
    from ..report.timings import FOLDER

    folder = run if run.is_dir() else run.parent
    found = (place / FOLDER for place in (folder, folder.parent))
    return next((place for place in found if any(place.glob("*.json"))), None)


def _html(digest: Digest, benchmarks: Path | None) -> str:
    from rich.progress import Progress

    from ..report import html, timings

    found = None if benchmarks is None else timings.read(benchmarks)
    console = _console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reporting", total=len(digest.specs))
        return html.render(digest, found, lambda: progress.advance(task))


def _write(page: str, out: Path) -> None:
    """To a file, whose name is then said, or to standard output."""
    page = page.encode(errors="backslashreplace").decode()  # halves of characters, of file names that are no UTF-8
    if out == Path("-"):
        typer.echo(page, nl=False)
        return
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    typer.echo(f"report: {out}")


@app.command(help="Check somebody's implementation of one op: is it right, and if not, what does it do instead?\n\n"
                  "TARGET is pkg.module:attribute or path/file.py:attribute. Exit status 0 where it passes, 1 where "
                  "it does not, 2 for bad use or a fault of the oracle itself.\n\n"
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
    gradients: Annotated[str | None, typer.Option(metavar="NAME,...", help="the arguments of a loss whose gradients "
                         "are asked for; by default all that torch gives")] = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="are an initializer's numbers to be "
                      "torch's, or only distributed like them? By default the first for torch alone")] = None,
    all_: Annotated[bool, typer.Option("--all", help="every shipped case, not those that tell most")] = False,
    timeout: Annotated[float, typer.Option(min=0.01, help="seconds for a case")] = 30.0,
    memory: Annotated[float, typer.Option(min=0.01, help="GiB that the implementation may take")] = 4.0,
    out: Annotated[Path | None, typer.Option(help="folder for records.jsonl and report.json")] = None,
    json_: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Judge an implementation."""
    from ..checking.check import check as judge
    from ..targets.loading import TargetError

    try:
        if ":" not in target:
            raise ValueError(f"{target!r} names no object; needed is pkg.module:attribute or path/file.py:attribute")
        if out is not None:
            _refuse_file(out / "records.jsonl")
        if not math.isfinite(memory * 2**30):
            raise ValueError(f"--memory needs a number of GiB, got {memory}")
        sys.path.insert(0, os.getcwd())
        with _counting("checking") as progress:
            report = judge(op, target, framework=framework, dtypes=dtype, device=device, modes=_modes(mode),
                           accuracy=accuracy, state=dict(_pairs("--state", state)),
                           backward=False if target_backward == "none" else target_backward, stream=stream,
                           gradients=None if gradients is None else gradients.split(","),
                           all_cases=all_, timeout=timeout, memory=int(memory * 2**30), on_case=lambda _: progress())
        if out is not None:
            _write_report(report, out)
    except (ValueError, TargetError) as error:  # a BadCaseError is a ValueError
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    typer.echo(report.to_json() if json_ else str(report))
    _end_if_faulty(report.faults)
    raise typer.Exit(0 if report.passed else 1)


@app.command(help="Prove the checker: plant wrong variants of the references, and count what shipped cases kill.\n\n"
                  "Variants are the dialects, and mutants: the references' own source with one mechanical change. "
                  "Modules that ops share have mutants of their own, planted in all of these ops at once. "
                  "Exit status 0 only where nothing survives but what oracle/equivalents.toml has a reason for.\n\n"
                  "Example: oracle prove mse_loss Adam numerics --out runs/proof")
def prove(
    ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; modules that ops share, such "
                                                         "as numerics or losses._pairs, or shared; all ops by "
                                                         "default")] = None,
    most: Annotated[int | None, typer.Option("--max", min=0, help="mutants to take of each op or module, spread over "
                                                                  "its source; all by default")] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="processes, each of which takes whole ops "
                                                                         "and modules; one for each core by "
                                                                         "default")] = None,
    out: Annotated[Path, typer.Option(help="folder for variants.jsonl")] = Path("oracle-results"),
) -> None:
    """Plant variants."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..cases.registry import BadCaseError
    from ..proving import equivalents, survivors, variants

    _refuse_jobs(jobs)
    path, screen = out / "variants.jsonl", _console(stderr=True)
    _refuse_file(path)
    columns = (TextColumn("proving"), BarColumn(), MofNCompleteColumn(), TextColumn("variants"), TimeRemainingColumn())
    try:
        specs, modules = survivors.chosen(ops or ())
        records = equivalents.load()
        out.mkdir(parents=True, exist_ok=True)
        with (path.open("w", encoding="utf-8") as file,
              Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress):
            task = progress.add_task("", total=survivors.count(specs, most, modules))

            def keep(line: str) -> None:
                file.write(line + "\n")
                file.flush()

            def decided(variant: variants.Variant) -> None:
                keep(variant.to_json())
                progress.advance(task)

            keep(variants.header())
            proof = survivors.prove(specs, records, modules=modules, most=most, on_variant=decided,
                                  jobs=jobs or min(os.cpu_count() or 1, len(specs) + len(modules)))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; the variants that were decided are in {path}") from None
    except (BadCaseError, survivors.ProvingError, equivalents.EquivalentError) as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    typer.echo(str(proof))
    typer.echo(f"variants: {path}")
    raise typer.Exit(0 if proof.holds else 1)


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


def _refuse_folder(folder: Path, doing: str = "write to", needed: str = "") -> None:
    """Refuse what is no folder, or one that cannot be made or written to, before any work is done for it."""
    import tempfile

    try:
        there = folder.absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        missing = there != folder.absolute() and there.is_symlink()
        if missing or not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryDirectory(prefix=".oracle-", dir=there):
            pass
    except OSError as error:
        raise UsageError(f"cannot {doing} {folder}: {error.strerror}{needed}") from None


def _refuse_jobs(jobs: int | None) -> None:
    from ..auditing.workers import check_jobs

    try:
        check_jobs(1 if jobs is None else jobs)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _refuse_file(path: Path) -> None:
    """Refuse a file that cannot be written where it is to be, before any work is done for it."""
    if path.is_dir():
        raise UsageError(f"cannot write {path}: {os.strerror(errno.EISDIR)}")
    if path != Path("-") and not path.exists():
        _refuse_folder(path.parent)


def _write_report(report: Report, out: Path) -> None:
    import json

    from ..auditing.records import header


    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(header(["oracle", *sys.argv[1:]], "")), *(record.to_json() for record in report.records)]
    (out / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")


def _processes(cases: int) -> int:
    """One for each core, but none for fewer cases than are done before it has started."""
    return max(1, min(os.cpu_count() or 1, cases // 100))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(stderr=stderr, width=width, markup=False)


def _open_streams() -> None:
    """Refuse a closed standard output: a file that is opened later would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # has the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        raise UsageError("standard output is closed; >/dev/null discards what is printed")


def main() -> None:
    """Entry point of ``oracle`` and of ``python -m oracle``; bad use ends in one line and status 2."""
    gc.set_threshold(100_000)  # records stay: to look through all of them for each thousand costs as much as all else
    try:
        _open_streams()
        status = app(prog_name="oracle", standalone_mode=False)
        sys.stdout.flush()
        if status == 130:  # Ctrl-C where no command said more
            raise KeyboardInterrupt
    except TyperException as error:
        typer.echo(f"oracle: {plain(' '.join(error.format_message().split()))}", err=True)
        status = 130 if isinstance(error, Interrupted) else 2
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("oracle: interrupted", err=True)
        status = 130
    except OSError as error:  # of standard output, which no command looks after
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is left in its buffer
        if error.errno != errno.EPIPE:
            typer.echo(f"oracle: {error.filename or 'cannot write to standard output'}: {error.strerror}", err=True)
        status = 2
    except Exception as error:  # a fault of the oracle: status 1 would say that something disagrees
        from ..verdict.faults import said

        typer.echo(f"oracle: {said(error, ' '.join(sys.argv[1:]))}", err=True)
        status = 2
    sys.exit(status)

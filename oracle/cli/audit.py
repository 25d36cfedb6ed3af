"""``oracle audit``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import Interrupted, UsageError, end_if_faulty
from .files import refuse_file, writing
from .options import Ops, refuse_jobs
from .screen import open_console, progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..cases.case import Case
    from ..targets.loading import Target
    from ..verdict.record import Record

__all__ = ["audit"]

#: Cases that are done before one more process has started.
_CASES_PER_START = 100


@dataclass(frozen=True)
class _Work:
    """What is to be judged."""

    cases: Sequence[Case]
    targets: Sequence[Target]
    device: str
    exhaustive: bool

    @property
    def names(self) -> list[str]:
        """Of the targets."""
        return [target.name for target in self.targets]


def audit(
    ops: Ops = None,
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
    """Audit implementations on every case of the ops: a table, disagreements, counts.

    Exit status: 0 where each disagreement has a waiver, and each waiver is needed; 1 otherwise; 2 for bad use or a
    fault of the oracle itself; 130 after Ctrl-C, with a line on what is kept.

    Example: oracle audit losses Adam --dtype float32 --target torch:fused -j 2 --out runs/today

    Example: oracle audit losses Adam --dtype float32 --target torch:fused -j 2 --out runs/today --resume

    Example: oracle audit huber_loss --exhaustive --executor dask://10.0.0.1:8786
    """
    from ..auditing import executors, run, workers
    from ..auditing.records import EXHAUSTIVE, RECORDS
    from ..cases.registry import BadCaseError, chosen_specs
    from ..cases.selection import select, select_sweeps
    from ..keeping import store
    from ..report.table import ending
    from ..targets.loading import frameworks, load, modules

    if not cache:
        os.environ[store.VARIABLE] = store.OFF
    path = out / (EXHAUSTIVE if exhaustive else RECORDS)
    if exhaustive and long:
        raise UsageError("--exhaustive runs numbers through losses, --long trajectories of optimizers: one of them")
    refuse_file(path)
    refuse_jobs(jobs)
    pool = nullcontext() if executor is None else executors.connect(executor)
    names = target or ["reference", "torch"]
    frameworks(names)  # what is not there is refused before imports, and before cases are chosen
    chosen_specs(ops or ())
    needed = [run.__name__, *modules(names)]
    if executor is None and jobs is not None and jobs > 1:
        workers.warm(needed)  # imports go on while cases are chosen
    targets = load(names, device)
    selected: Callable[..., list[Case]] = select_sweeps if exhaustive else partial(select, long=long)
    cases = selected(ops or (), dtype or ())
    if executor is None and (jobs or _processes(len(cases))) > 1:
        workers.warm(needed)
    cases = [case for case in cases if any(one.covers(case.spec) for one in targets)]
    if not cases:
        raise BadCaseError(f"nothing to run: {', '.join(ops or ['all ops'])} in {', '.join(dtype or ['any type'])} "
                           f"on {', '.join(names)} gives no case")
    work = _Work(cases, targets, device, exhaustive)
    records = _recorded(work, path, pool, jobs, resume=resume)
    _show(work, records)
    faults = [record.note for record in records if record.fault]
    stale = [] if faults else run.stale_waivers(records, cases, work.names,
                                                (lambda ops: select_sweeps()) if exhaustive else selected)
    for name in stale:
        typer.echo(f"STALE waiver {name!r}: no case needs it any more; delete it from oracle/verdict/waivers.toml")
    _show_paths(work)
    typer.echo(f"records: {path}")
    for line in ending(records, stale):
        typer.echo(line)
    end_if_faulty(faults)
    raise typer.Exit(1 if stale or any(record.fails for record in records) else 0)


def _recorded(work: _Work, path: Path, executor: AbstractContextManager[Executor | None], jobs: int | None, *,
              resume: bool) -> list[Record]:
    """Records of all cases: those that the file has, where it is to be resumed, and the rest, appended to it."""
    from concurrent.futures import BrokenExecutor

    from ..auditing import record_file, run
    from ..auditing.records import header

    head = header(["oracle", *sys.argv[1:]], work.device, work.cases, work.names, run.judged_by())
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    records: list[Record] = []
    done = 0
    with executor as pool:  # before anything is written
        if resume:
            file, records, done = record_file.resume(path, head, work.cases, work.targets)
        else:
            file = record_file.start(path, head)
        left = work.cases[done:]
        with file, progress("auditing", "cases", len(work.cases), done) as advance:
            fresh: list[Record] = []

            def keep(count: int) -> None:
                file.append(*fresh)
                records.extend(fresh)
                fresh.clear()
                advance(count)

            try:
                for record in run.audit(left, work.names, device=work.device, jobs=jobs or _processes(len(left)),
                                        executor=pool, elements=work.exhaustive, on_cases=keep):
                    fresh.append(record)
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; {len(records)} records are kept in {path}: go on with --resume"
                                  if records else "interrupted before the first record") from None
            except BrokenExecutor:
                raise UsageError("a worker process died, of too little memory perhaps; go on with --resume") from None
    return records


def _processes(cases: int) -> int:
    """One for each core, but none for fewer cases than are done before it has started."""
    return max(1, min(os.cpu_count() or 1, cases // _CASES_PER_START))


def _show(work: _Work, records: Sequence[Record]) -> None:
    """The table, the disagreements and the counts."""
    from ..report.sweeps import show_sweeps
    from ..report.table import show

    if work.exhaustive:
        show_sweeps(records, open_console())
    else:
        show(records, open_console())


def _show_paths(work: _Work) -> None:
    """On which path each framework computes on this CPU."""
    from ..targets.loading import paths

    for framework, cpu_path in paths(work.names).items():
        typer.echo(f"CPU path of {framework}: {cpu_path}")

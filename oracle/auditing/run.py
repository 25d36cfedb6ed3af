"""The one place where case, target and comparison meet, for one case and for many."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from functools import cache, lru_cache, partial
from types import MappingProxyType

from ..cases import registry
from ..cases.case import Case, parse
from ..cases.selection import select
from ..keeping import store
from ..keeping.sources import source
from ..targets import loading as target_modules
from ..targets.loading import Target
from ..verdict import waivers as waiver_module
from ..verdict.faults import JudgeFault, judging, not_judged
from ..verdict.record import Record
from . import kept_verdicts, workers
from .judge import answer, judge_answer
from .records import versions

__all__ = ["audit", "judged_by", "stale_waivers"]

#: Cases that a process takes at once.
CHUNK = 8

#: The active arithmetic, torch's default generator and the filters of warnings are those of a process: one case
#: at a time, also in an executor whose workers are threads.
_one_at_a_time = threading.Lock()


@lru_cache(maxsize=8)
def _loaded(target_names: tuple[str, ...], device: str) -> tuple[list[Target], list[waiver_module.Waiver]]:
    """The targets of these names, and the waivers."""
    waivers = waiver_module.load()
    return target_modules.load(target_names, device), waivers


@cache
def judged_by() -> Mapping[str, str]:
    """What verdicts follow from besides case, answer and versions: digests of the source, and of the waivers."""
    ops = {module for spec in registry.specs().values() for module in registry.followed_by(spec)}
    return MappingProxyType({"source": source(__name__, *ops), "waivers": store.digest(repr(waiver_module.load()))})


def _judge_cases(case_ids: Sequence[str], target_names: tuple[str, ...], device: str, elements: bool, keep: bool,
                 wanted: Mapping[str, str]) -> list[list[str]]:
    """The records of some cases as lines, on whatever machine this is."""
    _check_versions(wanted)
    with _one_at_a_time, nullcontext() if keep else store.nothing_kept():
        kept = store.current()
        with kept.gathering() if kept is not None else nullcontext():
            targets, waivers = _loaded(target_names, device)
            return [_judge_case(case, [target for target in targets if target.covers(case.spec)], waivers, elements)
                    for case in map(parse, case_ids)]


def _check_versions(wanted: Mapping[str, str]) -> None:
    """Refuse to judge with other versions than those of the process that asks."""
    here = {**versions(), **judged_by()}
    if wanted != here:
        differing = ", ".join(f"{k} {v} instead of {wanted[k]}" for k, v in here.items() if v != wanted[k])
        raise target_modules.TargetError(f"a worker on {platform.node()} has {differing}")


def _judge_case(case: Case, targets: Sequence[Target], waivers: Sequence[waiver_module.Waiver],
                elements: bool) -> list[str]:
    """The records of a case; what earlier runs judged is taken from there."""
    judges = source(*registry.followed_by(case.spec), __name__)
    earlier = kept_verdicts.KeptVerdicts(case, judges, judged_by()["waivers"], str(elements))
    lines = [_judge_target(case, target, waivers, elements, earlier) for target in targets]
    earlier.save()
    return lines


def _judge_target(case: Case, target: Target, waivers: Sequence[waiver_module.Waiver], elements: bool,
                  earlier: kept_verdicts.KeptVerdicts) -> str:
    """The record of a target on a case, as a line.

    A target whose answers are known is not asked, and an answer that was judged is not judged again.
    """
    known = target_modules.follows_from(target.name, case.spec)
    if known is not None:
        line = earlier.get(target.name, known)
        if line is not None:
            return line
    outputs, failure = answer(case, target)
    if known is None or failure is not None:  # of too little memory, say: that follows from nothing that is known
        known = kept_verdicts.fingerprint(outputs, failure)
    line = earlier.get(target.name, known)
    if line is not None:
        return line
    try:
        with judging(f"{case.id} on {target.name}"):
            line = judge_answer(case, target.name, outputs, failure, waivers, elements=elements).to_json()
    except JudgeFault as fault:  # is not kept: the next run tries again
        return not_judged(case.id, case.spec.name, case.dtype, target.name, fault).to_json()
    earlier.put(target.name, known, line)
    return line


def audit(cases: Sequence[Case], target_names: Sequence[str], *, device: str = "cpu", jobs: int = 1,
          executor: Executor | None = None, elements: bool = False,
          on_cases: Callable[[int], None] = lambda count: None) -> Iterator[Record]:
    """Records of every case on every target, in the order of the cases whoever works on them.

    A variant that has no meaning for an op (``foreach`` for a loss) gives no record.

    Args:
        cases, target_names, device: what is to run.
        jobs: processes on this machine.
        executor: whatever has the ``submit`` of :mod:`concurrent.futures` works instead of processes of one's own,
            on other machines too: tasks are picklable, and their workers need the versions that are here.
        elements: look at each element, see :attr:`Record.elements`.
        on_cases: called when the records of some cases, that were done together, have been taken; with their number.
    """
    workers.check_jobs(jobs)
    if isinstance(target_names, str):
        raise TypeError(f"target_names needs a list of names, got {target_names!r} of type str")
    if executor is None and jobs > 1:
        workers.warm([__name__, *target_modules.modules(target_names)])
    names = tuple(target.name for target in target_modules.load(target_names, device))  # fails here, not in a worker
    work = partial(_judge_cases, target_names=names, device=device, elements=elements,
                   keep=store.folder() is not None, wanted={**versions(), **judged_by()})
    if executor is None and jobs > 1:
        with workers.pool(jobs) as pool:
            yield from _collect(_submit(cases, work, pool), on_cases)
    elif executor is not None:
        yield from _collect(_submit(cases, work, executor), on_cases)
    else:
        yield from _collect((work([case.id]) for case in cases), on_cases)


def _submit(cases: Sequence[Case], work: Callable[[Sequence[str]], list[list[str]]],
            executor: Executor) -> Iterator[list[list[str]]]:
    """The results of chunks, in order."""
    ids = [case.id for case in cases]
    chunks = [ids[i:i + CHUNK] for i in range(0, len(ids), CHUNK)]
    futures: list[Future[list[list[str]]]] = [executor.submit(work, chunk) for chunk in chunks]
    try:
        for i, future in enumerate(futures):
            yield future.result()
            futures[i] = Future()  # what was taken need not be kept
    finally:
        for future in futures:
            future.cancel()


def _collect(chunks: Iterable[list[list[str]]], on_cases: Callable[[int], None]) -> Iterator[Record]:
    """The records of chunks of cases, and word of each chunk that was taken."""
    for chunk in chunks:
        for lines in chunk:
            yield from map(Record.from_json, lines)
        on_cases(len(chunk))


def stale_waivers(records: Iterable[Record], cases: Sequence[Case], target_names: Sequence[str],
                  shipped: Callable[[Sequence[str]], Sequence[Case]] = select) -> list[str]:
    """Names of the waivers that a run should have needed and did not, of those for an op that took part.

    ``shipped`` gives all cases of some ops, of the kind that ran.
    """
    used = {name for record in records for name in (record.waiver, *record.also) if name is not None}
    ran = {case.spec.name for case in cases}
    near = [w for w in waiver_module.load() if w.name not in used and any(map(w.concerns, ran))]
    ops = [op for op in registry.specs() if any(w.concerns(op) for w in near)]
    everything = [case.id for case in shipped(ops)] if ops else []
    return [w.name for w in waiver_module.stale(near, used, everything, {case.id for case in cases}, target_names,
                                                target_modules.unasked(target_names))]

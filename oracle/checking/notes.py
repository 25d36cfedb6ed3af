"""What there is to say of a check beside its verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..keeping import store
from ..truth import kept_truths
from ..verdict.compare import Finding, Verdict, compare, worst
from ..verdict.observation import Observation
from ..verdict.plain import plain
from .checker import DEATHS, Checker

__all__ = ["notes_on"]


def notes_on(checker: Checker, seen: Sequence[Observation]) -> Iterator[str]:
    """A line for each thing: what happened in the process, what was not compared, what was not supported."""
    yield from _notes_on_process(checker)
    yield from checker.alignment.notes_on_outputs()
    if lacking := _missing_gradients(one for one in seen if one.record.fails):
        yield (f"missing: {', '.join(lacking)}, which torch gives; ask for no gradients (backward=False, "
               "--target-backward none) or for some of them (gradients=, --gradients) where that is meant")
    yield from checker.alignment.notes_on_steps()
    reasons = Counter(one.record.note for one in seen if one.record.verdict == Verdict.UNSUPPORTED)
    yield from (f"unsupported in {n} cases: {reason}" for reason, n in reasons.most_common(5))
    half = [one for one in seen if one.record.fails and one.case.dtype in ("float16", "bfloat16")]
    if half and checker.accuracy == "opmath":
        within = sum(not _judge_by_storage(one).verdict.disagrees for one in half)
        yield (f"of {len(half)} failures in half types, {within} are what rounding each operation to the type "
               "may give (accuracy='storage')")


def _notes_on_process(checker: Checker) -> Iterator[str]:
    target = checker.target
    if not target.alone:
        yield "not isolated: the implementation has no name by which a new process could find it"
    if checker.given_up:
        yield f"given up: {DEATHS} cases in a row ended their process, took all memory or too long"
    if not store.usable():
        yield f"nothing is kept for the next run: {store.folder()} cannot be used ({store.VARIABLE} names another)"
    if n := len(target.changed):
        yield f"changed NumPy: it was found changed before {n} cases, each of which got a new process"
    if target.printed:
        first, text = next(iter(target.printed.items()))
        yield f"printed in {len(target.printed)} cases; in {first}: {plain(str(text.strip().splitlines()[:1]))}"


def _missing_gradients(seen: Iterable[Observation]) -> list[str]:
    """Names of the gradients that are missing somewhere."""
    return sorted({name for one in seen for name, (verdict, *_) in one.record.outputs.items()
                   if verdict == Verdict.MISSING and name.startswith("grad.")})


def _judge_by_storage(seen: Observation) -> Finding:
    """The worst of an answer where each operation may be rounded to the storage type."""
    truths = {name: truth for name, truth in kept_truths.truth_of(seen.case).items() if name in seen.outputs}
    return worst(compare(seen.outputs, truths) or [Finding("", Verdict.CRASHED)])

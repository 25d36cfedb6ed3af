"""The bench on which variants are tried: case after case, until one tells a variant from the reference."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from ..auditing import judge
from ..auditing.judge import run_case
from ..cases import registry
from ..cases.case import Case, parse
from ..cases.spec import Spec
from ..checking.choice import in_order
from ..truth import kept_truths
from ..truth.evaluate import Outputs
from ..truth.proof import Truth, effort
from ..verdict import waivers
from ..verdict.record import Record
from . import planting, shared_code
from .callers import Callers, CallersOf, make_inputs
from .mutation import Mutant
from .planting import Failing, Planted, TimeIsUp, limited, planted
from .variants import Variant

__all__ = ["Bench", "ProvingError", "SharedBench", "alike"]


class ProvingError(Exception):
    """Nothing can be proven: a reference itself fails."""


class Bench:
    """The cases of one op, in the order in which they are tried: those that killed most, then the cheap ones."""

    def __init__(self, op: str, shipped: Sequence[Case]) -> None:
        self._op = op
        self._shipped = sorted(shipped, key=lambda case: (bool(case.around), effort(case)))
        self._truths: dict[str, Mapping[str, Truth]] = {}
        self._sound: set[str] = set()  #: ids of the cases that the reference was seen to meet
        self.kills: Counter[str] = Counter()
        self.accepted = waivers.load()

    def decide(self, variant: Variant, made: contextlib.AbstractContextManager[Spec], *,
               all_types: bool = False) -> Variant:
        """What becomes of a variant, on cases in float32 or in all types."""
        began = time.process_time()
        try:
            with limited(planting.TIMEOUT):
                spec = made.__enter__()
        except (Exception, TimeIsUp) as error:
            return _unloadable(variant, error)
        with contextlib.ExitStack() as stack:
            stack.push(made)
            records = (run_case(case, Planted(spec), self.accepted, self.truths_of(case))
                       for case in self._in_order(all_types))
            found = next((record for record in records if record.fails), None)
        return self.decided(variant, found, began)

    def decided(self, variant: Variant, found: Record | None, began: float) -> Variant:
        """The variant with what killed it, if anything did, and with the time that this took."""
        seconds = round(time.process_time() - began, 4)
        if found is None:
            return dataclasses.replace(variant, seconds=seconds)
        self.kills[found.case] += 1
        return dataclasses.replace(variant, killed_by=found.case, verdict=found.verdict, note=found.note,
                                   seconds=seconds)

    def _in_order(self, all_types: bool) -> list[Case]:
        if all_types:
            return in_order(self._op, registry.get(self._op).dtypes)
        return sorted(self._shipped, key=lambda case: -self.kills[case.id])  # a stable sort

    def truths_of(self, case: Case) -> Mapping[str, Truth]:
        """The truths of a case, which the reference has to meet."""
        truths = self._truths.get(case.id) or kept_truths.truth_of(case)
        if case.id not in self._sound:
            plain = run_case(case, Planted(case.spec), self.accepted, truths)
            if plain.fails:
                raise ProvingError(f"the reference itself fails {case.id}: {plain.verdict} {plain.note}")
            self._sound.add(case.id)
        if not case.around:  # what is laid out is large, and laid out anew in no time
            self._truths[case.id] = truths
        return truths


def _unloadable(variant: Variant, error: BaseException) -> Variant:
    """A variant that a module does not load with: a constant may be what it cannot take."""
    return dataclasses.replace(variant, killed_by="import", verdict="crashed", note=f"{error!r}")


class SharedBench(Bench):
    """The cases of all ops that call some function."""

    def __init__(self, callers: CallersOf) -> None:
        super().__init__("", [])
        self._callers = callers
        self._cases: dict[str, Case] = {}
        self._plain: dict[str, Outputs] = {}

    def decide_shared(self, variant: Variant, mutant: Mutant) -> Variant:
        """What becomes of the mutant of a shared module, on the cases that feel it."""
        began = time.process_time()
        try:
            with limited(planting.TIMEOUT), shared_code.planted(mutant):
                pass
        except (Exception, TimeIsUp) as error:
            return _unloadable(variant, error)
        shown = (self._shown(case, mutant) for case in self._feeling(mutant, lambda callers: callers.runs))
        misled = (self._misled(case, mutant) for case in self._feeling(mutant, lambda callers: callers.proofs))
        found = next(filter(None, itertools.chain(shown, misled)), None)
        return self.decided(variant, found, began)

    def _feeling(self, mutant: Mutant, chosen: Callable[[Callers], Sequence[str]]) -> Iterator[Case]:
        """The cases of the callers of what is changed; those that killed most come first."""
        places = [place for place in sorted(shared_code.feel(mutant)) if place in self._callers]
        ids = dict.fromkeys(case_id for place in places for case_id in chosen(self._callers[place]))
        for case_id in sorted(ids, key=lambda case_id: -self.kills[case_id]):  # a stable sort
            if case_id not in self._cases:
                self._cases[case_id] = parse(case_id)
            yield self._cases[case_id]

    def _shown(self, case: Case, mutant: Mutant) -> Record | None:
        """The disagreement with the mutant, if any; there is none where it gives what the reference gives."""
        target = Planted(case.spec, partial(planted, mutant))
        if case.id not in self._plain:
            make_inputs(case)
            self._plain[case.id] = judge.answer(case, Planted(case.spec))[0]
        outputs, failure = judge.answer(case, target)
        if failure is None and alike(outputs, self._plain[case.id]):
            return None
        record = run_case(case, target, self.accepted, self.truths_of(case))
        return record if record.fails else None

    def _misled(self, case: Case, mutant: Mutant) -> Record | None:
        """The disagreement of the reference with what is proven by the mutant: code for balls alone runs there."""
        make_inputs(case)
        try:
            with limited(10 * planting.TIMEOUT), planted(mutant):
                truths = kept_truths.proven_anew(case)
        except (Exception, TimeIsUp) as error:
            return run_case(case, Failing(repr(error)), self.accepted)
        record = run_case(case, Planted(case.spec), self.accepted, truths)
        note = f"{record.note} (mutant in the proof)".strip()
        return dataclasses.replace(record, note=note) if record.fails else None


def alike(some: Outputs, others: Outputs) -> bool:
    """Are two answers the same to the bit?"""
    return some.keys() == others.keys() and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(some.values(), (others[name] for name in some), strict=True))

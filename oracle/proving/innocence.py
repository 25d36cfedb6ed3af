"""Innocence is proven too: right variants of the references, none of which may be accused on any shipped case.

What a right variant is, says the contract of a sound implementation, ``docs/sound.md``. Variants are the references'
source with operations done in other sound ways (:mod:`.rewriting`), and the references on arrays that keep the factors
of products, over all statements, and multiply them in other orders (:mod:`.factors`). Where one of them is accused, a
bound in :mod:`oracle.truth` is too small, and has to be derived anew; or the variant is not sound, and the contract
says why.

Cases in surroundings are left out: their elements are those of other cases, laid out, or add up exactly in any order.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np

from ..auditing import judge, workers
from ..auditing.records import versions
from ..cases import registry
from ..cases.case import Case
from ..cases.selection import select
from ..cases.spec import InitSpec, Spec
from ..targets.loading import Target, Unsupported
from ..truth import kept_truths
from ..truth.evaluate import Outputs, evaluate
from ..verdict import waivers
from ..verdict.compare import Verdict
from . import factors
from .bench import ProvingError, alike
from .planting import Planted
from .rewriting import planted_right, right_variants

__all__ = ["Innocence", "Trial", "count", "header", "of_op", "prove_right"]

#: Storage types of which cases are tried.
DTYPES = ("float32", "float64", "float16", "bfloat16")

#: Orders of the factors of products over all statements: see :class:`.factors.Way`.
ORDERS = tuple(itertools.product(("written", "first", "last", "smallest", "largest", "1", "2"), (False, True),
                                 (False, True)))


def header() -> str:
    """The first line of a file of right variants."""
    return json.dumps({"format": "torch-oracle right variants 1", "command": ["oracle", *sys.argv[1:]],
                       "versions": dict(versions())})


@dataclass(frozen=True)
class Trial:
    """What became of one right variant: one JSON line."""

    id: str
    op: str
    kind: str
    file: str = ""
    line: int = 0
    function: str = ""
    before: str = ""
    after: str = ""
    cases: int = 0  #: on which it was run
    differing: int = 0  #: of these, where it gave other numbers than the reference, and was judged
    share: float = 0.0  #: of the bound, the largest that was sound
    accused: dict[str, str] = field(default_factory=dict)  #: by case, what it was accused of
    out_of_range: int = 0
    """Cases in which arrays that keep factors leave the type's range: no sound implementation does, and the verdict
    says so. They round each operation to a half type, and take no branch that keeps a reference in the range."""
    seconds: float = 0.0

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def __str__(self) -> str:
        """What was changed, and what it was accused of, to be read."""
        place = f"{self.file}:{self.line} in {self.function}" if self.line else self.file
        lines = [self.id, *(["  " + place] if place else []), *([f"  before: {self.before}"] if self.before else []),
                 *([f"  after:  {self.after}"] if self.line else []),
                 f"  accused on {len(self.accused)} of {self.cases} cases:"]
        return "\n".join([*lines, *(f"    {case}: {said}" for case, said in itertools.islice(self.accused.items(), 3))])


@dataclass(frozen=True)
class Innocence:
    """All right variants of some ops."""

    trials: Sequence[Trial]

    @property
    def accused(self) -> list[Trial]:
        """Those that some case accuses."""
        return [trial for trial in self.trials if trial.accused]

    @property
    def holds(self) -> bool:
        """Is none accused?"""
        return not self.accused

    def __str__(self) -> str:
        """Those that are accused, then how many of each kind are not."""
        lines = [f"ACCUSED {trial}" for trial in self.accused]
        kinds, guilty = (Counter(one.kind for one in some) for some in (self.trials, self.accused))
        lines += [f"{kind}: {n - guilty[kind]} of {n} not accused" for kind, n in kinds.items()]
        runs, differing = (sum(getattr(one, name) for one in self.trials) for name in ("cases", "differing"))
        lines.append(f"right variants: {len(self.trials) - len(self.accused)} of {len(self.trials)} not accused, in "
                     f"{runs} runs, {differing} of which gave other numbers than the reference")
        ranged = sum(one.out_of_range for one in self.trials)
        if ranged:
            lines.append(f"{ranged} runs on factors left the range of their type, as no sound implementation does")
        if self.trials:
            most = max(self.trials, key=lambda trial: trial.share)
            lines.append(f"largest share of a bound: {most.share:.3f}, by {most.id}")
        return "\n".join(lines)


# --- variants ------------------------------------------------------------------------------------

@dataclass
class Factored:
    """A target: the reference, with the factors of products in an order. Where that gives no number, as it is."""

    way: tuple[str, bool, bool]
    plain: Callable[[Case], Outputs]
    name: str = "reference"

    def covers(self, spec: Spec) -> bool:
        """All ops, as far as their references take such arrays."""
        return True

    def run(self, case: Case) -> Outputs:
        """The reference's answer, with factors in this order."""
        try:
            with factors.multiplied(factors.Way(case.dtype, *self.way)) as lift, np.errstate(all="ignore"):
                found = {name: factors.plain(value) for name, value in evaluate(case, lift).items()}
        except NotImplementedError as refusal:
            raise Unsupported(f"the reference takes no arrays that keep factors: {refusal}") from None
        return {name: np.where(np.isfinite(found[name]), found[name].astype(value.dtype), value)
                if value.dtype.kind in "fV" else value for name, value in self.plain(case).items()}

    def script(self, case: Case) -> str:
        """None: no user has to see it."""
        return ""


def _variants(spec: Spec, most: int | None, plain: Callable[[Case], Outputs]) -> Iterator[tuple[Trial, Target]]:
    """The variants of an op, at most so many, from all over its source."""
    rewritten = right_variants(spec)
    ways = _orders_of(spec)
    for i in _spread(len(ways) + len(rewritten), most):
        if i < len(ways):
            order, reciprocals, distributed = ways[i]
            name = f"factors {order}" + " reciprocals" * reciprocals + " distributed" * distributed
            yield Trial(f"{spec.name}:{name}", spec.name, "factors"), Factored(ways[i], plain)
        else:
            one = rewritten[i - len(ways)]
            yield (Trial(one.id, one.op, one.kind, one.file, one.line, one.function, one.before, one.after),
                   Planted(spec, partial(planted_right, one)))


def _orders_of(spec: Spec) -> Sequence[tuple[str, bool, bool]]:
    """The orders of factors that are tried: initializers have none, since what they multiply is drawn on the way."""
    return () if isinstance(spec, InitSpec) else ORDERS


def _some(op: str, dtype: str, most: int | None) -> Sequence[Case]:
    """At most so many of an op's cases in a storage type, from all over them."""
    every = select([op], [dtype], around=False)
    return [every[i] for i in _spread(len(every), most)]


def _spread(n: int, most: int | None) -> Sequence[int]:
    return range(n) if most is None or n <= most else [i * n // most for i in range(most)]


def count(specs: Sequence[Spec], most: int | None = None) -> int:
    """How many variants :func:`prove_right` tries."""
    return sum(len(_spread(len(right_variants(spec)) + len(_orders_of(spec)), most)) for spec in specs)


# --- trials --------------------------------------------------------------------------------------

class Court:
    """The cases of one op, with what the reference gives on them, and what is right."""

    def __init__(self, op: str, cases: Sequence[Case]) -> None:
        self.op, self.cases = op, cases
        self._plain: dict[str, Outputs] = {}
        self._accepted = waivers.load()

    def plain(self, case: Case) -> Outputs:
        """What the reference gives, which has to be right."""
        if case.id not in self._plain:
            target = Planted(case.spec)
            outputs, failure = judge.answer(case, target)
            record = judge.judge_answer(case, target.name, outputs, failure, self._accepted, kept_truths.truth_of(case))
            if record.fails:
                raise ProvingError(f"the reference itself fails {case.id}: {record.verdict} {record.note}")
            self._plain[case.id] = outputs
        return self._plain[case.id]

    def tried(self, trial: Trial, target: Target) -> Trial:
        """What becomes of a variant on all cases."""
        began, differing, share, accused, ranged = time.process_time(), 0, 0.0, dict[str, str](), 0
        for case in self.cases:
            plain = self.plain(case)
            outputs, failure = judge.answer(case, target)
            if failure.verdict == Verdict.UNSUPPORTED if failure else alike(outputs, plain):
                continue
            differing += 1
            record = judge.judge_answer(case, target.name, outputs, failure, self._accepted, kept_truths.truth_of(case))
            if record.fails and record.verdict == Verdict.RANGE and trial.kind == "factors":
                ranged += 1
            elif record.fails:
                accused[case.id] = f"{record.verdict} {record.output} {record.share:.3f} {record.note}".strip()
            elif record.sound:
                share = max(share, record.share)
        return replace(trial, cases=len(self.cases), differing=differing, share=share, accused=accused,
                       out_of_range=ranged, seconds=round(time.process_time() - began, 3))


def of_op(op: str, most: int | None = None, most_cases: int | None = None,
          dtypes: Sequence[str] = DTYPES) -> Iterator[Trial]:
    """The right variants of one op, each with what became of it."""
    spec = registry.get(op)
    court = Court(op, [case for dtype in dtypes if dtype in spec.dtypes for case in _some(op, dtype, most_cases)])
    for trial, target in _variants(spec, most, court.plain):
        yield court.tried(trial, target)


def prove_right(specs: Sequence[Spec], *, most: int | None = None, most_cases: int | None = None,
                dtypes: Sequence[str] = DTYPES, jobs: int = 1,
                on_trial: Callable[[Trial], None] = lambda trial: None) -> Innocence:
    """Try the right variants of some ops.

    Args:
        specs: the ops.
        most: variants to take of each, spread over its source; all by default.
        most_cases: cases to try them on in each storage type, from all over them; all by default.
        dtypes: the storage types.
        jobs: processes, each of which takes whole ops.
        on_trial: is called with each, as it is decided.

    Raises:
        ProvingError: a reference disagrees with the truth.
    """
    found: list[Trial] = []
    for trial in _tried([spec.name for spec in specs], most, most_cases, dtypes, jobs):
        found.append(trial)
        on_trial(trial)
    return Innocence(found)


def _tried(ops: Sequence[str], most: int | None, most_cases: int | None, dtypes: Sequence[str],
           jobs: int) -> Iterator[Trial]:
    if jobs == 1:
        for op in ops:
            yield from of_op(op, most, most_cases, dtypes)
        return
    with workers.pool(jobs) as pool:
        n = len(ops)
        for trials in pool.map(_all_of_op, ops, [most] * n, [most_cases] * n, [dtypes] * n):
            yield from trials


def _all_of_op(op: str, most: int | None, most_cases: int | None, dtypes: Sequence[str]) -> list[Trial]:
    return list(of_op(op, most, most_cases, dtypes))

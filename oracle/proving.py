"""Proof of the checker: which wrong variants of the references do the shipped cases find?

Variants are the dialects and the mutants of :mod:`oracle.mutation`. One is killed by the first shipped case in
float32 on which the oracle disagrees with it. A dialect may differ in another type alone, and is looked for in all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reference import registry
from reference.spec import LossSpec, OptimSpec, Spec

from . import run, waivers
from .cases import Case, select
from .checking import effort, in_order
from .dialects import dialects_of
from .equivalents import Equivalent, matching, stale
from .evaluate import FLOATS, Outputs, evaluate
from .mutation import Mutant, mutants, planted_in
from .run import Record, run_case
from .truth import Truth

__all__ = ["TIMEOUT", "Proof", "ProvingError", "Variant", "count", "header", "of_op", "prove"]

#: Seconds of a processor's time that a variant may take for a case.
TIMEOUT = 3.0


class ProvingError(Exception):
    """Nothing can be proven: a reference itself fails."""


@dataclass(frozen=True)
class Variant:
    """What became of one wrong variant: one JSON line."""

    id: str
    op: str
    kind: str  #: ``dialect``, or the change
    file: str
    line: int
    function: str
    before: str
    after: str
    killed_by: str = ""  #: the case
    verdict: str = ""
    note: str = ""
    equivalent: str = ""  #: why no case can kill it
    seconds: float = 0.0  #: of a processor's time, with the proofs of cases that nothing needed before

    @property
    def survives(self) -> bool:
        """Has no case found it, and is there no reason?"""
        return not self.killed_by and not self.equivalent

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def __str__(self) -> str:
        """What was changed, to be read."""
        place = f"{self.file}:{self.line} in {self.function}" if self.line else self.file
        return f"{self.id}\n  {place}\n  before: {self.before}\n  after:  {self.after}"


@dataclass(frozen=True)
class Proof:
    """All variants of some ops."""

    variants: Sequence[Variant]
    stale: Sequence[str]  #: records of equivalent mutants that are wrong by now, and why

    @property
    def dialects(self) -> list[Variant]:
        """The variants that are dialects."""
        return [v for v in self.variants if v.kind == "dialect"]

    @property
    def mutants(self) -> list[Variant]:
        """The variants that were made mechanically."""
        return [v for v in self.variants if v.kind != "dialect"]

    @property
    def survivors(self) -> list[Variant]:
        """What no case kills, and no record explains."""
        return [v for v in self.variants if v.survives]

    @property
    def holds(self) -> bool:
        """Nothing survives without a reason, and no reason is stale."""
        return not self.survivors and not self.stale

    def __str__(self) -> str:
        """Survivors, then scores."""
        lines = [f"SURVIVES {variant}" for variant in self.survivors]
        lines += [f"STALE equivalent {record}" for record in self.stale]
        for what, variants in (("dialects", self.dialects), ("mutants", self.mutants)):
            killed = [v for v in variants if v.killed_by]
            by = Counter(v.verdict for v in killed)
            lines.append(f"{what}: {_score(len(killed), len(variants))} killed"
                         + (f" ({', '.join(f'{n} {verdict}' for verdict, n in by.most_common())})" if by else ""))
        equivalent = sum(bool(v.equivalent) for v in self.mutants)
        rest = len(self.mutants) - equivalent
        killed_of_rest = sum(bool(v.killed_by) and not v.equivalent for v in self.mutants)
        lines.append(f"equivalent mutants, recorded with a reason: {equivalent}; of the others "
                     f"{_score(killed_of_rest, rest)} killed")
        return "\n".join(lines)


def _score(killed: int, of: int) -> str:
    return f"{killed} of {of}" + (f", {100 * killed / of:.2f} %" if of else "")


def prove(specs: Sequence[Spec], equivalents: Sequence[Equivalent], *, most: int | None = None, jobs: int = 1,
          on_variant: Callable[[Variant], None] = lambda variant: None) -> Proof:
    """Plant all variants of some ops.

    Args:
        specs: the ops.
        equivalents: the records of mutants that no case can kill.
        most: mutants to take of each op, spread evenly over its source; all by default.
        jobs: processes, each of which takes whole ops.
        on_variant: is called with each, as it is decided.

    Raises:
        ProvingError: a reference disagrees with the truth.
    """
    found: list[Variant] = []
    for variant in _decided([spec.name for spec in specs], equivalents, most, jobs):
        found.append(variant)
        on_variant(variant)
    made = [mutant for spec in specs for mutant in mutants(spec)]
    killed = {v.id for v in found if v.killed_by}
    wrong = stale(equivalents, [spec.name for spec in specs], made, [m for m in made if m.id in killed])
    return Proof(found, [f"{record.name!r}: {why}" for record, why in wrong])


def _decided(ops: Sequence[str], equivalents: Sequence[Equivalent], most: int | None,
             jobs: int) -> Iterator[Variant]:
    if jobs == 1:
        for op in ops:
            yield from of_op(op, equivalents, most)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), run.end_with_parent) as pool:
        for variants in pool.map(_all_of_op, ops, [equivalents] * len(ops), [most] * len(ops)):
            yield from variants


def _all_of_op(op: str, equivalents: Sequence[Equivalent], most: int | None) -> list[Variant]:
    return list(of_op(op, equivalents, most))


def of_op(op: str, equivalents: Sequence[Equivalent], most: int | None = None) -> Iterator[Variant]:
    """The variants of one op, each with what became of it: dialects first."""
    spec = registry.get(op)
    bench = _Bench(spec)
    for dialect in dialects_of(op):
        variant = Variant(f"{op}:dialect:{dialect.name}", op, "dialect", dialect.used_by, 0, "", op,
                          dialect.difference)
        yield bench.decide(variant, contextlib.nullcontext(dialect(spec)), all_types=True)
    for mutant in _spread(mutants(spec), most):
        record = matching(equivalents, mutant)
        yield bench.decide(_described(mutant, record), planted_in(mutant, spec))


def count(specs: Sequence[Spec], most: int | None = None) -> int:
    """How many variants :func:`prove` decides."""
    return sum(len(dialects_of(spec.name)) + len(_spread(mutants(spec), most)) for spec in specs)


def _spread(made: Sequence[Mutant], most: int | None) -> Sequence[Mutant]:
    """At most so many, from all over the source."""
    if most is None or len(made) <= most:
        return made
    return [made[i * len(made) // most] for i in range(most)]


def _described(mutant: Mutant, record: Equivalent | None) -> Variant:
    shown = {f.name: getattr(mutant, f.name) for f in dataclasses.fields(mutant) if f.name != "source"}
    return Variant(**shown, equivalent=record.reason if record else "")


class _Bench:
    """The cases of one op, in the order in which they are tried: those that killed most, then the cheap ones."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._kills: Counter[str] = Counter()
        self._shipped = sorted(select([spec.name], ["float32"]), key=effort)
        self._truths: dict[str, Mapping[str, Truth]] = {}
        self._accepted = waivers.load()

    def decide(self, variant: Variant, made: contextlib.AbstractContextManager[Spec], *,
               all_types: bool = False) -> Variant:
        """What becomes of a variant, on cases in float32 or in all types."""
        began = time.process_time()
        record = None
        try:
            with _limited(TIMEOUT):
                planted = made.__enter__()
        except (Exception, _TimeIsUp) as error:  # a constant may be what a module does not load with
            return dataclasses.replace(variant, killed_by="import", verdict="crashed", note=f"{error!r}")
        with contextlib.ExitStack() as stack:
            stack.push(made)
            for case in self._in_order(all_types):
                found = self._judged(case, planted)
                if found.fails:
                    record = found
                    self._kills[case.id] += 1
                    break
        spent = round(time.process_time() - began, 4)
        if record is None:
            return dataclasses.replace(variant, seconds=spent)
        return dataclasses.replace(variant, killed_by=record.case, verdict=record.verdict, note=record.note,
                                   seconds=spent)

    def _in_order(self, all_types: bool) -> list[Case]:
        if all_types:
            return in_order(self._spec.name, self._spec.dtypes)
        return sorted(self._shipped, key=lambda case: -self._kills[case.id])  # a stable sort

    def _judged(self, case: Case, planted: Spec) -> Record:
        if case.id not in self._truths:
            truths = self._truths[case.id] = run.truth_of(case)
            plain = run_case(case, _Planted(self._spec), self._accepted, truths)
            if plain.fails:
                raise ProvingError(f"the reference itself fails {case.id}: {plain.verdict} {plain.note}")
        return run_case(case, _Planted(planted), self._accepted, self._truths[case.id])


@dataclass
class _Planted:
    """A target that evaluates each case with the rule of another spec, as the reference is evaluated."""

    spec: Spec
    name: str = "reference"

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        fields = (("function", "backward") if isinstance(case.spec, LossSpec) else
                  ("optimizer",) if isinstance(case.spec, OptimSpec) else ("function",))
        rule: dict[str, Any] = {name: getattr(self.spec, name) for name in fields}
        changed = dataclasses.replace(case, spec=dataclasses.replace(case.spec, **rule))
        vars(changed)["inputs"] = case.inputs
        if isinstance(case.spec, LossSpec):
            vars(changed)["grad_output"] = case.grad_output
        try:
            with _limited(TIMEOUT), np.errstate(all="ignore"):
                return evaluate(changed, FLOATS)
        except _TimeIsUp:
            raise TimeoutError(f"no answer within {TIMEOUT} seconds of processor time") from None

    def script(self, case: Case) -> str:
        return ""


class _TimeIsUp(BaseException):
    """Not an ``Exception``: a variant's own handlers let it pass."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """End what takes more of the processor's time; a loaded machine makes no difference."""
    def end(*_: Any) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def header() -> str:
    """The first line of a file of variants."""
    return json.dumps({"format": "torch-oracle variants 1", "command": ["oracle", *sys.argv[1:]],
                       "versions": dict(run.versions())})

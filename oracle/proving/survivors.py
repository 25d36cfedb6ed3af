"""Proof of the checker: which wrong variants of the references do the shipped cases find?

Variants are the dialects and the mutants of :mod:`oracle.proving.mutation`. One is killed by the first shipped case in
float32 on which the oracle disagrees with it. A dialect may differ in another type alone, and is looked for in all. So
is a mutant of a module that ops share (:mod:`oracle.proving.shared_code`), on cases of all ops that call what it
changes. It may differ for balls alone: then it is planted in the proof, and killed where the reference disagrees with
what that says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from reference import random

from ..auditing import judge, workers
from ..auditing.judge import run_case
from ..auditing.records import versions
from ..cases import registry
from ..cases.case import Case, parse
from ..cases.registry import BadCaseError, chosen_specs
from ..cases.selection import select
from ..cases.spec import LossSpec, OptimSpec, Spec
from ..checking.check import effort, in_order
from ..dialects.table import dialects_of
from ..truth import kept_truths, proof
from ..truth.evaluate import FLOATS, Outputs, evaluate
from ..truth.proof import Truth
from ..verdict import waivers
from ..verdict.record import Record
from . import shared_code
from .equivalents import Equivalent, matching, stale
from .mutation import Mutant, mutants, planted_in

__all__ = ["TIMEOUT", "Proof", "ProvingError", "Variant", "chosen", "count", "header", "of_module", "of_op",
           "prove"]

#: By function the cases that call it, and those whose proofs do, in the order to try them.
_Calls = Mapping[shared_code.Place, tuple[Sequence[str], Sequence[str]]]

#: Mutants of shared modules are tried on so many cases of each op in float32 and in each other type, those first that
#: tell most; on no trajectory of more steps, as the first ones call what the others call.
RUNS, OTHER_RUNS, STEPS = 120, 60, 10

#: They are planted in so many proofs, of the first ones of each op that are of no more effort.
ALL_PROOFS, PROOFS, PROOF_EFFORT = 20, 6, 100

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
        of_modules = [v for v in self.mutants if v.op not in registry.specs()]
        groups = [("dialects", self.dialects), ("mutants", [v for v in self.mutants if v.op in registry.specs()])]
        for what, variants in [*groups, *([("mutants of shared modules", of_modules)] if of_modules else [])]:
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


def chosen(names: Sequence[str]) -> tuple[list[Spec], list[str]]:
    """The ops and shared modules of some names, all ops without any; ``losses`` and so on, and ``shared``, count too.

    Raises:
        BadCaseError: an unknown name.
    """
    known = shared_code.names()
    modules = [module for module in known if {module, "shared"} & set(names)]
    ops = [name for name in names if name != "shared" and name not in known]
    try:
        return chosen_specs(ops) if ops or not names else [], modules
    except BadCaseError as error:
        raise BadCaseError(f"{error}; and shared, or one of {', '.join(known)}") from None


def prove(specs: Sequence[Spec], equivalents: Sequence[Equivalent], *, modules: Sequence[str] = (),
          most: int | None = None, jobs: int = 1,
          on_variant: Callable[[Variant], None] = lambda variant: None) -> Proof:
    """Plant all variants of some ops, and of some modules that ops share.

    Args:
        specs: the ops.
        modules: the shared modules.
        equivalents: the records of mutants that no case can kill.
        most: mutants to take of each op and module, spread evenly over its source; all by default.
        jobs: processes, each of which takes whole ops, or some mutants of a module.
        on_variant: is called with each, as it is decided.

    Raises:
        ProvingError: a reference disagrees with the truth.
    """
    found: list[Variant] = []
    ops = [spec.name for spec in specs]
    for variant in _decided(ops, modules, equivalents, most, jobs):
        found.append(variant)
        on_variant(variant)
    made = [mutant for spec in specs for mutant in mutants(spec)]
    made += [mutant for module in modules for mutant in shared_code.shared_mutants(module)]
    killed = {v.id for v in found if v.killed_by}
    wrong = stale(equivalents, [*ops, *modules], made, [m for m in made if m.id in killed])
    return Proof(found, [f"{record.name!r}: {why}" for record, why in wrong])


def _decided(ops: Sequence[str], modules: Sequence[str], equivalents: Sequence[Equivalent], most: int | None,
             jobs: int) -> Iterator[Variant]:
    if jobs == 1:
        for op in ops:
            yield from of_op(op, equivalents, most)
        for module, calls in _calls(modules if most != 0 else ()).items():
            yield from of_module(module, equivalents, calls, most)
        return
    with workers.pool(jobs) as pool:
        of_ops = pool.map(_all_of_op, ops, [equivalents] * len(ops), [most] * len(ops))
        of_modules = [pool.submit(_all_of_module, module, equivalents, calls, most)
                      for module, calls in _calls(modules if most != 0 else ()).items()]
        for variants in itertools.chain(of_ops, (one.result() for one in of_modules)):
            yield from variants


def _all_of_op(op: str, equivalents: Sequence[Equivalent], most: int | None) -> list[Variant]:
    return list(of_op(op, equivalents, most))


def _all_of_module(module: str, equivalents: Sequence[Equivalent], calls: _Calls, most: int | None) -> list[Variant]:
    return list(of_module(module, equivalents, calls, most))


def _calls(modules: Sequence[str]) -> dict[str, _Calls]:
    """For each of some modules the cases that call its functions, and those whose proofs do; ops take turns."""
    runs: _Ranked = defaultdict(list)
    proofs: _Ranked = defaultdict(list)
    for op in sorted({op for module in modules for op in shared_code.ops_of(module)}):
        for dtype in registry.get(op).dtypes:
            shipped, single = in_order(op, [dtype]), dtype == "float32"
            _note(runs, [case for case in shipped if _steps(case) <= STEPS][:RUNS if single else OTHER_RUNS],
                  partial(evaluate, lift=FLOATS))
            if single:
                _note(proofs, [case for case in shipped if effort(case) <= PROOF_EFFORT][:PROOFS], proof.prove)
    return {module: {place: ([id_ for *_, id_ in sorted(runs[place])],
                             [id_ for *_, id_ in sorted(proofs[place])][:ALL_PROOFS])
                     for mutant in shared_code.shared_mutants(module) for place in shared_code.feel(mutant)}
            for module in modules}


def _steps(case: Case) -> int:
    return len(case.inputs.gradients) if isinstance(case.spec, OptimSpec) else 1


_Ranked = dict[shared_code.Place, list[tuple[bool, int, str]]]


def _note(found: _Ranked, tried: Sequence[Case], how: Callable[[Case], object]) -> None:
    """For each function that cases call these, with their rank among those of all ops."""
    for rank, case in enumerate(tried):
        _draw(case)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for place in shared_code.called(partial(how, case)):
                found[place].append((case.dtype != "float32", rank, case.id))


def _draw(case: Case) -> None:
    """Make the inputs, which takes calls of the references too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = case.inputs, isinstance(case.spec, LossSpec) and case.grad_output


def of_module(module: str, equivalents: Sequence[Equivalent], calls: _Calls,
              most: int | None = None) -> Iterator[Variant]:
    """The mutants of one shared module, each with what became of it."""
    bench = _SharedBench(calls)
    with shared_code.constants_kept():
        for mutant in _spread(shared_code.shared_mutants(module), most):
            yield bench.decide_shared(_described(mutant, matching(equivalents, mutant)), mutant)


def of_op(op: str, equivalents: Sequence[Equivalent], most: int | None = None) -> Iterator[Variant]:
    """The variants of one op, each with what became of it: dialects first."""
    spec = registry.get(op)
    bench = _Bench(op, select([op], ["float32"]))
    for dialect in dialects_of(op):
        variant = Variant(f"{op}:dialect:{dialect.name}", op, "dialect", dialect.used_by, 0, "", op,
                          dialect.difference)
        yield bench.decide(variant, contextlib.nullcontext(dialect(spec)), all_types=True)
    for mutant in _spread(mutants(spec), most):
        record = matching(equivalents, mutant)
        yield bench.decide(_described(mutant, record), planted_in(mutant, spec))


def count(specs: Sequence[Spec], most: int | None = None, modules: Sequence[str] = ()) -> int:
    """How many variants :func:`prove` decides."""
    return (sum(len(dialects_of(spec.name)) + len(_spread(mutants(spec), most)) for spec in specs)
            + sum(len(_spread(shared_code.shared_mutants(module), most)) for module in modules))


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

    def __init__(self, op: str, shipped: Sequence[Case]) -> None:
        self._op = op
        self._kills: Counter[str] = Counter()
        self._shipped = sorted(shipped, key=effort)
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
            return in_order(self._op, registry.get(self._op).dtypes)
        return sorted(self._shipped, key=lambda case: -self._kills[case.id])  # a stable sort

    def _judged(self, case: Case, planted: Spec) -> Record:
        return run_case(case, _Planted(planted), self._accepted, self._truths_of(case))

    def _truths_of(self, case: Case) -> Mapping[str, Truth]:
        if case.id not in self._truths:
            truths = self._truths[case.id] = kept_truths.truth_of(case)
            plain = run_case(case, _Planted(case.spec), self._accepted, truths)
            if plain.fails:
                raise ProvingError(f"the reference itself fails {case.id}: {plain.verdict} {plain.note}")
        return self._truths[case.id]


class _SharedBench(_Bench):
    """The cases of all ops that call some function."""

    def __init__(self, calls: _Calls) -> None:
        super().__init__("", [])
        self._calls = calls
        self._cases: dict[str, Case] = {}
        self._plain: dict[str, Outputs] = {}

    def decide_shared(self, variant: Variant, mutant: Mutant) -> Variant:
        """What becomes of the mutant of a shared module, on the cases that feel it."""
        began = time.process_time()
        try:
            with _limited(TIMEOUT), shared_code.planted(mutant):
                pass
        except (Exception, _TimeIsUp) as error:  # a constant may be what a module does not load with
            return dataclasses.replace(variant, killed_by="import", verdict="crashed", note=f"{error!r}")
        found = next(filter(None, itertools.chain(
            (self._shown(case, mutant) for case in self._feeling(mutant, 0)),
            (self._misled(case, mutant) for case in self._feeling(mutant, 1)))), None)
        spent = round(time.process_time() - began, 4)
        if found is None:
            return dataclasses.replace(variant, seconds=spent)
        self._kills[found.case] += 1
        return dataclasses.replace(variant, killed_by=found.case, verdict=found.verdict, note=found.note,
                                   seconds=spent)

    def _feeling(self, mutant: Mutant, how: int) -> Iterator[Case]:
        """The cases that call (0) or whose proofs call (1) what is changed; what killed most comes first."""
        ids = dict.fromkeys(id_ for place in sorted(shared_code.feel(mutant)) if place in self._calls
                            for id_ in self._calls[place][how])
        for id_ in sorted(ids, key=lambda id_: -self._kills[id_]):  # a stable sort
            if id_ not in self._cases:
                self._cases[id_] = parse(id_)
            yield self._cases[id_]

    def _shown(self, case: Case, mutant: Mutant) -> Record | None:
        """The disagreement with the mutant, if any; there is none where it gives what the reference gives."""
        target = _Planted(case.spec, partial(_planted, mutant))
        if case.id not in self._plain:
            _draw(case)
            self._plain[case.id] = judge.answer(case, _Planted(case.spec))[0]
        outputs, failure = judge.answer(case, target)
        if failure is None and _alike(outputs, self._plain[case.id]):
            return None
        record = run_case(case, target, self._accepted, self._truths_of(case))
        return record if record.fails else None

    def _misled(self, case: Case, mutant: Mutant) -> Record | None:
        """The disagreement of the reference with what is proven by the mutant: code for balls alone runs there."""
        _draw(case)
        try:
            with _limited(10 * TIMEOUT), _planted(mutant):
                truths = proof.prove(case)
        except (Exception, _TimeIsUp) as error:
            return run_case(case, _Failing(repr(error)), self._accepted)
        record = run_case(case, _Planted(case.spec), self._accepted, truths)
        note = f"{record.note} (mutant in the proof)".strip()
        return dataclasses.replace(record, note=note) if record.fails else None


@contextlib.contextmanager
def _planted(mutant: Mutant) -> Iterator[None]:
    """As :func:`oracle.proving.shared_code.planted`; the default generator is afterwards what it was."""
    before = random.default_generator.get_state()
    try:
        with shared_code.planted(mutant):
            yield
    finally:
        random.default_generator.set_state(before)


def _alike(some: Outputs, others: Outputs) -> bool:
    return some.keys() == others.keys() and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(some.values(), (others[name] for name in some), strict=True))


@dataclass
class _Planted:
    """A target that evaluates each case with the rule of another spec, as the reference is evaluated."""

    spec: Spec
    around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
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
            with _limited(TIMEOUT), np.errstate(all="ignore"), self.around():
                return evaluate(changed, FLOATS)
        except _TimeIsUp:
            raise TimeoutError(f"no answer within {TIMEOUT} seconds of processor time") from None

    def script(self, case: Case) -> str:
        return ""


@dataclass
class _Failing:
    """A target that has no answer, and says why."""

    why: str
    name: str = "reference"

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        raise RuntimeError(self.why)

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
                       "versions": dict(versions())})

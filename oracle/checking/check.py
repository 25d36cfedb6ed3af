"""Is somebody's implementation right? One op, the cases that tell most, and a report.

>>> import numpy as np
>>> def mse(input, target, reduction="mean"):
...     squares = (input - target) ** 2
...     return squares if reduction == "none" else getattr(squares, reduction)()
>>> check("mse_loss", mse, framework="numpy", dtypes=["float32"]).passed
True
>>> report = check("mse_loss", lambda input, target: mse(input, target) / 2, framework="numpy")
>>> report.passed, report.failures[0].verdict
(False, 'exceeds')
"""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..auditing import judge
from ..auditing.records import header
from ..auditing.words import counts, three_lines
from ..cases.case import Case
from ..cases.registry import BadCaseError, chosen_specs
from ..cases.selection import select
from ..cases.spec import DTYPES, OptimSpec, Spec
from ..keeping import store
from ..targets.loading import Target, TargetError, Unsupported
from ..truth import kept_truths
from ..truth.evaluate import Outputs
from ..truth.proof import Truth, effort
from ..verdict.compare import Finding, Verdict, compare
from ..verdict.diagnosis import Diagnosis, Observation, diagnose, simplest
from ..verdict.distribution import CLAIMS, claim_of, judge_draws
from ..verdict.faults import JudgeFault, judging, not_judged, said
from ..verdict.plain import plain
from ..verdict.record import Record
from .adapter import Implementation, User, differing_defaults, leaves_to_default
from .arguments import check_op, check_options
from .isolation import MEMORY, READY, TIMEOUT, Isolated, Named, load_named, starter

__all__ = ["BUDGET", "Checker", "Report", "check", "effort", "implementation_of", "in_order",
           "replacements"]

#: Elements times steps of the cases that are run unless all are: two to five seconds of proofs.
BUDGET = 12_000

#: Cases in a row that may end their process, or take all memory, before the rest is given up.
DEATHS = 3


@dataclass(frozen=True)
class Report:
    """What was found."""

    op: str
    target: str
    framework: str
    accuracy: str
    observations: tuple[Observation, ...]  #: the cases that were run, each with outputs and record
    shipped: int  #: cases that there are in these types
    asked: Implementation = field(repr=False)
    notes: tuple[str, ...] = ()  #: what else was seen: printing, what was not compared, why a run was given up
    other_faults: tuple[str, ...] = ()  #: of the oracle, where it judged no case
    defaults: Defaults = field(default_factory=lambda: Defaults())

    @property
    def records(self) -> list[Record]:
        """One for each case that was run."""
        return [seen.record for seen in self.observations]

    @property
    def failures(self) -> list[Record]:
        """The records that disagree."""
        return [record for record in self.records if record.fails]

    @property
    def passed(self) -> bool:
        """Does nothing disagree, was anything decided, and did the oracle judge all of it?"""
        records = self.records
        return not self.failures and any(r.sound for r in records) and not any(r.fault for r in records)

    @property
    def faults(self) -> tuple[str, ...]:
        """Where the oracle itself failed, a line each: that says nothing of the implementation."""
        return (*(r.note for r in self.records if r.fault), *self.other_faults, *self._diagnosed[1])

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What it does instead, or what the failures depend on."""
        return self._diagnosed[0]

    @cached_property
    def _diagnosed(self) -> tuple[Diagnosis, tuple[str, ...]]:
        """The diagnosis, and the fault that it had."""
        judged = [s for s in self.observations if s.record.verdict != Verdict.UNSUPPORTED and not s.record.fault]
        try:
            return self._told(judged), ()
        except Exception as error:
            return Diagnosis((), (), simplest(s for s in judged if s.record.fails)), (said(error, "the diagnosis"),)

    def _told(self, judged: Sequence[Observation]) -> Diagnosis:
        """The diagnosis; cases that pass with torch's defaults tell of the defaults alone."""
        rest = [seen for seen in judged if seen.case.id not in self.defaults.healed]
        told = diagnose([seen for seen in rest if seen.record.fails], [seen for seen in rest if not seen.record.fails])
        return replace(told, smallest=simplest(seen for seen in judged if seen.record.fails),
                       defaults=tuple(self.defaults.said(judged)))

    @property
    def smallest(self) -> Observation | None:
        """The simplest failing case."""
        return self.diagnosis.smallest

    def script(self) -> str:
        """Source that shows the simplest failing case without this project; empty where nothing fails."""
        from .script import user_script

        if self.smallest is None:
            return ""
        try:
            return user_script(self.smallest.case, self.asked, self.smallest.record, _loaded(self.asked).code)
        except (Unsupported, TargetError) as reason:
            return f"# {reason}"

    def to_json(self) -> str:
        """All of it but the arrays, as JSON text."""
        return json.dumps({
            "op": self.op, "target": self.target, "framework": self.framework, "accuracy": self.accuracy,
            "passed": self.passed, "run": len(self.records), "shipped": self.shipped,
            "verdicts": dict(Counter(record.verdict for record in self.records)), "notes": list(self.notes),
            "faults": list(self.faults),
            "diagnosis": str(self.diagnosis) if self.failures else None,
            "smallest": self.smallest.case.id if self.smallest else None,
            "failures": [json.loads(record.to_json()) for record in self.failures],
            **{k: v for k, v in header((), "").items() if k in ("versions", "machine")},
        }, indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        """Text for a terminal or an issue tracker."""
        verdict = "passed" if self.passed else "FAILED" if self.failures else "UNDECIDED"
        of = Counter(record.verdict for record in self.records)
        judged = len(self.records) - of[Verdict.UNSUPPORTED]
        lines = [f"{self.op}: {self.target} {verdict}: {len(self.failures)} of {judged} cases disagree "
                 f"({self.shipped} are shipped; {self.framework})", counts(self.records)]
        lines += [f"note: {note}" for note in (*self.notes, *self.faults)]
        if self.smallest is not None:
            lines += ["", "Cause", str(self.diagnosis), *three_lines(self.smallest.record)[:2], "",
                      "Script that shows it without this project", "", "```python", self.script().rstrip(), "```"]
        return "\n".join(lines)


@dataclass(frozen=True)
class Defaults:
    """Defaults that are not torch's, and the failing cases that pass once torch's are passed."""

    differing: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)  #: by argument, its own and torch's
    healed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, op: str, asked: Implementation, seen: Sequence[Observation], **limits: Any) -> Defaults:
        """Run the failing cases that leave such an argument out again, with torch's default passed."""
        failing = [one.case for one in seen if one.record.fails]
        differing = _differing(op, asked) if failing else {}
        touched = [case for case in failing if any(leaves_to_default(case, name) for name in differing)]
        if not touched:
            return cls()
        explicit = replace(asked, passed={name: torchs for name, (_, torchs) in differing.items()})
        with contextlib.closing(Checker(op, explicit, **limits)) as checker:
            return cls(differing, frozenset(one.case.id for one in checker.observe(touched) if one.record.sound))

    def said(self, judged: Sequence[Observation]) -> Iterator[str]:
        """A line for each that explains something."""
        for name, (own, torchs) in self.differing.items():
            left = [one for one in judged if one.record.fails and leaves_to_default(one.case, name)]
            if healed := sum(one.case.id in self.healed for one in left):
                yield (f"{name} is {own!r}, torch's is {torchs!r}: of the {len(left)} failing cases that leave it out "
                       f"{healed} pass with torch's")


def check(op: str, implementation: Any, *, framework: str = "torch", dtypes: Sequence[str] | None = None,
          device: str = "cpu", modes: Mapping[str, Sequence[Any]] | None = None, accuracy: str | None = None,
          state: Mapping[str, str] | None = None, backward: Callable[..., Any] | bool | str | None = None,
          gradients: Sequence[str] | None = None, stream: bool | None = None, all_cases: bool = False,
          timeout: float = TIMEOUT, memory: int | None = MEMORY,
          on_case: Callable[[Observation], None] = lambda seen: None) -> Report:
    """Judge an implementation of one op by proven bounds.

    Args:
        op: torch's name, e.g. ``"cross_entropy"``, ``"Adam"``, ``"kaiming_uniform_"``.
        implementation: a callable or class (see :mod:`oracle.checking.adapter` for how it is called), or where it
            is: ``"pkg.module:attribute"``, ``"path/file.py:attribute"``.
        framework: whose arrays it takes: ``"numpy"``, ``"torch"``, ``"jax"``.
        dtypes: storage types; float32 and float64 by default, half types where they are named.
        device: where the framework is to put its arrays.
        modes: what arguments, or axes of cases, may be: ``{"reduction": ["mean"]}``. The rest is unsupported.
        accuracy: what half types are computed in: ``"opmath"`` (float32, rounded once; the default) or
            ``"storage"`` (each operation may be rounded to the type).
        state: torch's names of an optimizer's state -> its own. What has no name of torch's is not compared; the
            rest is, after the steps at which both have it.
        backward: ``backward(grad_output, <the arguments>)`` gives a gradient for each array argument, or None
            (or where it is, as above); False compares values alone. By default the framework differentiates,
            and in NumPy nothing does.
        gradients: the arguments of a loss whose gradients are asked for; by default all that torch gives. One
            that is asked for and not there is missing, which fails.
        stream: are an initializer's numbers to be torch's, of the same seed? By default for torch on a CPU;
            otherwise their distribution is judged.
        all_cases: run every shipped case, not those that tell most.
        timeout: seconds that a case may take.
        memory: bytes that the implementation may take; None for no limit.
        on_case: is called with each observation.

    Waivers do not apply: who has torch's defects is told so, by the dialect's name.

    Raises:
        ValueError: an unknown op, dtype, mode or accuracy, or a limit that is none.
        TypeError: an option of another type.
        TargetError: a framework or an implementation that is not there.
    """
    check_options({"dtypes": dtypes, "all_cases": all_cases})
    if not callable(on_case):
        raise TypeError(f"on_case needs a function, got {on_case!r}")
    asked = implementation_of(implementation, framework=framework, device=device, modes=modes, state=state,
                      backward=backward, gradients=gradients, stream=stream)
    with contextlib.closing(Checker(op, asked, accuracy=accuracy, timeout=timeout, memory=memory)) as checker:
        cases = in_order(op, dtypes)
        checker.budget = math.inf if all_cases else BUDGET
        seen: list[Observation] = []
        for observation in checker.observe_with_replacements(cases):
            seen.append(observation)
            on_case(observation)
        notes, faults = _taken(checker.notes(seen))
    defaults = Defaults.of(op, asked, seen, accuracy=accuracy, timeout=timeout, memory=memory)
    return Report(op, checker.name, framework, checker.accuracy, tuple(seen), len(cases), asked, notes, faults,
                  defaults)


def _taken(notes: Iterator[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes, as far as they come, and the fault that ends them."""
    found: list[str] = []
    try:
        found.extend(notes)
    except Exception as error:
        return tuple(found), (said(error, "the notes of a report"),)
    return tuple(found), ()


def implementation_of(implementation: Any, *, framework: str = "torch", device: str = "cpu",
              modes: Mapping[str, Sequence[Any]] | None = None, state: Mapping[str, str] | None = None,
              backward: Any = None, gradients: Sequence[str] | None = None,
              stream: bool | None = None) -> Implementation:
    """What was handed in, in one piece; text says where it is."""
    check_options({"framework": framework, "device": device, "modes": modes, "state": state, "backward": backward,
                   "gradients": gradients, "stream": stream})
    code, gradient = (Named(given) if isinstance(given, str) else given for given in (implementation, backward))
    return Implementation(code, framework, device, modes or {}, state or {}, gradient, stream,
                          None if gradients is None else tuple(gradients))


def _made(asked: Implementation, name: str) -> Target:
    """The target, where it is to run."""
    return User(_loaded(asked), name)


def _differing(op: str, asked: Implementation) -> Mapping[str, tuple[Any, Any]]:
    """Defaults that are not torch's; what is found by name is looked at in a process of its own, and only told of."""
    spec = _spec(op)
    if not isinstance(asked.code, Named):
        return differing_defaults(asked.code, spec)
    root = str(Path(__file__).resolve().parents[2])
    code = f"from oracle.checking.check import tell_defaults; tell_defaults({op!r}, {asked.code.place!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    told: Any = {}
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=READY,
                              env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
        told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    known = inspect.signature(spec.implementation).parameters
    pairs = told.items() if isinstance(told, dict) else ()
    return {name: (Shown(plain(own)), known[name].default) for name, own in pairs
            if name in known and isinstance(own, str)}


class Shown(str):
    """What a value looks like, of one that is in another process."""

    __slots__ = ()
    __repr__ = str.__str__


def tell_defaults(op: str, place: str) -> None:
    """Print the defaults of an implementation that are not torch's, as JSON."""
    found = differing_defaults(load_named(place), _spec(op))
    print("\n" + json.dumps({name: repr(own)[:100] for name, (own, _) in found.items()}))


def _loaded(asked: Implementation) -> Implementation:
    found = {name: load_named(value.place) for name in ("code", "backward")
             if isinstance(value := getattr(asked, name), Named)}
    whole = Implementation(**{**vars(asked), **found})
    if asked.passed:
        whole = replace(whole, code=partial(whole.code, **asked.passed))
    if not (callable(whole.code) or isinstance(whole.code, tuple) or hasattr(whole.code, "init")):
        raise TargetError("needed is a function, a class, or a pair of init and update; "
                          f"{_name(asked.code)} is of type {type(whole.code).__name__}")
    return whole


class Checker:
    """An implementation in its process, and how each case is judged; :meth:`close` ends the process."""

    def __init__(self, op: str, asked: Implementation, *, accuracy: str | None = None, timeout: float = TIMEOUT,
                 memory: int | None = MEMORY) -> None:
        self.spec = _spec(op)
        check_options({"accuracy": accuracy, "timeout": timeout, "memory": memory})
        asked.check_modes(self.spec)
        asked.check_gradients(self.spec)
        self.asked = asked
        self.accuracy = accuracy or "opmath"
        self.name = plain(_name(asked.code))
        make = partial(_made, asked, self.name)
        start = starter(make, forks=_forks(asked))
        limits: dict[str, Any] = {"timeout": timeout, "memory": memory, "leaves_out": asked.leaves_out}
        try:
            self.target = Isolated(make, self.name, start, **limits)
        except TargetError:
            if start is None or _forks(asked):
                raise
            self.target = Isolated(make, self.name, None, **limits)  # a fresh interpreter may not find it
        self.budget = math.inf  #: effort that is left
        self._missing: Counter[str] = Counter()
        self._early: Counter[str] = Counter()  #: by state, cases in which it is made before torch's
        self._late: Counter[str] = Counter()

    def close(self) -> None:
        """End the process."""
        self.target.close()

    @property
    def given_up(self) -> bool:
        """Have so many processes died that the rest is not worth it?"""
        return self.target.deaths >= DEATHS

    def observe_with_replacements(self, cases: Sequence[Case]) -> Iterator[Observation]:
        """Cases; and for those that are unsupported, what is left of them without what is not supported."""
        unsupported = []
        for seen in self.observe(cases):
            yield seen
            if seen.record.verdict == Verdict.UNSUPPORTED:
                unsupported.append(seen.case)
        if unsupported and not self.given_up:
            yield from self.observe(replacements(cases, unsupported, self.supports))

    def supports(self, case: Case) -> bool:
        """Does the implementation do what a case asks for?"""
        _, failure = judge.answer(case, self.target)
        return failure is None or failure.verdict is not Verdict.UNSUPPORTED

    def observe(self, cases: Iterable[Case]) -> Iterator[Observation]:
        """Run cases and judge them, up to the budget of effort; while one is proven the next is running.

        What is unsupported costs nothing.
        """
        left = iter(cases)
        case = next((one for one in left if effort(one) <= self.budget), None)
        while case is not None:
            outputs, failure = judge.answer(case, self.target)
            self.budget -= effort(case) * (failure is None)
            following = next((one for one in left if effort(one) <= self.budget), None)
            if following is not None and not self.given_up:
                with contextlib.suppress(TargetError):  # the case itself will say so
                    self.target.begin(following)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    with judging(case.id):
                        judged = self._judged(case, outputs, failure)
                except JudgeFault as fault:
                    judged = Observation(case, {}, not_judged(case.id, case.spec.name, case.dtype, self.name, fault))
            yield judged
            case = None if self.given_up else following

    def _judged(self, case: Case, outputs: Outputs, failure: Finding | None) -> Observation:
        if failure is not None:
            findings = [failure]
        elif isinstance(outputs, Mapping) and "draws" in outputs:
            findings = [_distribution(case, outputs["draws"])]
        else:
            outputs, truths = self._comparable(case, outputs, kept_truths.truth_of(case, self.accuracy))
            findings = compare(outputs, truths)
        return Observation(case, outputs, judge.record_of(case, self.name, outputs, findings, ()))

    def _comparable(self, case: Case, outputs: Outputs, truths: Mapping[str, Truth]) -> tuple[
            Outputs, Mapping[str, Truth]]:
        """Outputs and truths without what need not be there, and states at the steps at which both have them."""
        given = {name: _as_kept(name, value, truths) for name, value in outputs.items()
                 if name in truths or not self._optional(case, name)}
        asked = {name: truth for name, truth in truths.items() if name in given or not self._optional(case, name)}
        self._missing.update({_kind(name) for name in truths if name not in asked})
        if not isinstance(case.spec, OptimSpec):
            return given, asked
        earlier = {name: len(value) - len(asked[name].hi) for name, value in given.items()
                   if self._optional(case, name) and np.ndim(value)}
        self._early.update({_kind(name) for name, steps in earlier.items() if steps > 0})
        self._late.update({_kind(name) for name, steps in earlier.items() if steps < 0})
        given |= {name: given[name][max(steps, 0):] for name, steps in earlier.items()}  # both are there to the end
        return given, {name: truth.at_steps_of(given[name]) if name in earlier else truth
                       for name, truth in asked.items()}

    def _optional(self, case: Case, name: str) -> bool:
        """May an implementation have no such output? States, gradients not asked for, the stream of numbers."""
        if isinstance(case.spec, OptimSpec):
            return not name.startswith("param[")
        if name.startswith("grad."):
            return not self.asked.asks_for(name.removeprefix("grad."))
        return case.spec.name not in CLAIMS and name in ("next_word", "default_word")

    def notes(self, seen: Sequence[Observation]) -> Iterator[str]:
        """What else there is to say."""
        if not self.target.alone:
            yield "not isolated: the implementation has no name by which a new process could find it"
        if self.given_up:
            yield (f"given up: {DEATHS} cases in a row ended their process, took all memory or too long")
        if not store.usable():
            yield f"nothing is kept for the next run: {store.folder()} cannot be used ({store.VARIABLE} names another)"
        if n := len(self.target.changed):
            yield f"changed NumPy: it was found changed before {n} cases, each of which got a new process"
        if self.target.printed:
            first, text = next(iter(self.target.printed.items()))
            said = plain(str(text.strip().splitlines()[:1]))
            yield f"printed in {len(self.target.printed)} cases; in {first}: {said}"
        if self._missing:
            yield "not compared: " + ", ".join(f"{name} in {n} cases" for name, n in self._missing.items())
        if lacking := _gradients([o for o in seen if o.record.fails], Verdict.MISSING):
            yield (f"missing: {', '.join(lacking)}, which torch gives; ask for no gradients (backward=False, "
                   "--target-backward none) or for some of them (gradients=, --gradients) where that is meant")
        for name in dict.fromkeys([*self._early, *self._late]):
            yield (f"state {name} is compared after the steps at which both have it: it is there earlier than torch's "
                   f"in {self._early[name]} cases, later in {self._late[name]}")
        reasons = Counter(o.record.note for o in seen if o.record.verdict == Verdict.UNSUPPORTED)
        yield from (f"unsupported in {n} cases: {reason}" for reason, n in reasons.most_common(5))
        half = [o for o in seen if o.record.fails and o.case.dtype in ("float16", "bfloat16")]
        if half and self.accuracy == "opmath":
            within = sum(not Verdict(f.verdict).disagrees for o in half for f in [_worst(o)])
            yield (f"of {len(half)} failures in half types, {within} are what rounding each operation to the type "
                   "may give (accuracy='storage')")


def _worst(seen: Observation) -> Finding:
    from ..verdict.compare import worst

    truths = kept_truths.truth_of(seen.case)
    return worst(compare(seen.outputs, {k: t for k, t in truths.items() if k in seen.outputs}) or
                 [Finding("", Verdict.CRASHED)])


def _gradients(seen: Iterable[Observation], verdict: Verdict) -> list[str]:
    """The gradients with a verdict, by name."""
    return sorted({name for one in seen for name, (found, *_) in one.record.outputs.items()
                   if found == verdict and name.startswith("grad.")})


def _kind(name: str) -> str:
    return name.partition("[")[0] if not name.startswith("grad.") else name


def _as_kept(name: str, value: Any, truths: Mapping[str, Truth]) -> Any:
    """State in a type of its own, such as a count that is an integer, in the type of torch's."""
    if name not in truths or name.startswith(("param[", "output", "grad.", "tensor", "again")):
        return value
    truth = truths[name]
    array = np.asarray(value)
    if truth.discrete or array.dtype.kind not in "fiuV":
        return value
    from ..ulp import numpy_dtype

    with np.errstate(all="ignore"):
        return array.astype(numpy_dtype(truth.dtype))


def _distribution(case: Case, draws: np.ndarray[Any, Any]) -> Finding:
    """Numbers that an initializer drew against what it claims of them."""
    try:
        claim = claim_of(case, CLAIMS[case.spec.name])
    except ValueError as reason:
        return Finding("", Verdict.UNSUPPORTED, note=str(reason))
    alarms = judge_draws(list(draws), claim)
    return Finding("draws", Verdict.EXCEEDS, np.inf, np.inf, note="; ".join(map(str, alarms))) if alarms else \
        Finding("draws", Verdict.WITHIN)


def _forks(asked: Implementation) -> bool:
    """Does the framework survive a fork, as things stand here? JAX has threads once it is in use, CUDA a context."""
    if asked.framework == "torch" and "torch" in sys.modules:
        return asked.device == "cpu" and not sys.modules["torch"].cuda.is_initialized()
    return asked.framework != "jax" or "jax" not in sys.modules


def _name(code: Any) -> str:
    if isinstance(code, Named):
        return code.place
    inner = getattr(code, "func", code)  # of a partial
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


# --- which cases ---------------------------------------------------------------------------------


def _spec(op: str) -> Spec:
    check_op(op)
    specs = {spec.name: spec for spec in chosen_specs()}
    if op not in specs:
        raise BadCaseError(f"unknown op {op!r}; known are {', '.join(specs)}")
    return specs[op]


def in_order(op: str, dtypes: Iterable[str] | None = None) -> list[Case]:
    """The shipped cases of an op, those that tell most first: each value of each axis, then the cheap ones.

    Within each part float32 comes first; the order is always the same.

    Args:
        op: its name.
        dtypes: storage types; float32 and float64 by default.

    Raises:
        BadCaseError: an unknown op or dtype.

    >>> cases = in_order("Adam", ["float64", "float32"])
    >>> cases[0].id, len(cases) == len(select(["Adam"], ["float64", "float32"]))
    ('Adam/float32/default', True)
    """
    spec, wanted = _spec(op), list(dict.fromkeys(dtypes or ("float32", "float64")))
    for dtype in wanted:
        if dtype not in spec.dtypes:
            raise BadCaseError(f"unknown dtype {dtype!r}; {op} has {', '.join(spec.dtypes)}")
    wanted.sort(key=lambda dtype: (dtype != "float32", DTYPES.index(dtype)))
    shipped = {dtype: select([op], [dtype]) for dtype in wanted}
    telling = {case.id: case for dtype in wanted for case in _covering(shipped[dtype])}
    cheap = [case for dtype in wanted for case in sorted(shipped[dtype], key=effort) if case.id not in telling]
    return [*telling.values(), *cheap]


def replacements(cases: Sequence[Case], unsupported: Iterable[Case], supports: Callable[[Case], bool]) -> list[Case]:
    """Unsupported cases without what is not supported: such values of axes give way to a supported one.

    Together with the supported cases they cover what is supported as the shipped cases cover all.
    """
    base = next(filter(supports, sorted(cases, key=_changes)), None)
    if base is None:
        return []
    seen = {axis.name: {*axis.values, *(case.options[axis.name] for case in cases)} for axis in base.spec.axes}
    left_out = {axis.name: {value for value in seen[axis.name] if value != base.options[axis.name]
                            and base.spec.allowed(other := {**base.options, axis.name: value}, base.dtype)
                            and not supports(Case(base.spec, base.dtype, other))} for axis in base.spec.axes}
    known = {case.id for case in cases}
    found: dict[str, Case] = {}
    for case in unsupported:
        options = {k: base.options[k] if v in left_out[k] else v for k, v in case.options.items()}
        if case.spec.allowed(options, case.dtype):
            instead = Case(case.spec, case.dtype, options)
            if instead.id not in known:
                found[instead.id] = instead
    return list(found.values())


def _changes(case: Case) -> int:
    """How many options are off their default."""
    return sum(value != case.spec.defaults[name] for name, value in case.options.items())


def _covering(cases: Sequence[Case]) -> Iterator[Case]:
    """Few cases in which every value of every axis stands; but for what only dear ones have."""
    left = [case for case in cases if effort(case) <= BUDGET // 4]
    open_ = {pair for case in left for pair in case.options.items()} - set(cases[0].options.items())
    yield cases[0]  # where everything is at its default
    while open_:
        best = max(left, key=lambda case: len(open_ & set(case.options.items())) - effort(case) / BUDGET)
        open_ -= set(best.options.items())
        yield best

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
import json
import math
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from reference.spec import DTYPES, InitSpec, LossSpec, OptimSpec, Spec, Trajectory

from . import run, store
from .arguments import check_op, check_options
from .cases import BadCaseError, Case, chosen_specs, leaves, select
from .compare import Finding, Verdict, compare
from .diagnosis import Diagnosis, Observation, diagnose
from .distribution import CLAIMS, judge_draws
from .evaluate import Outputs, take_seeds
from .isolation import MEMORY, TIMEOUT, Isolated, Named, load_named, starter
from .plain import plain
from .records import Record, header
from .report.table import counts, three_lines
from .targets import Target, TargetError, Unsupported
from .targets.user import Implementation, User
from .truth import Truth

__all__ = ["BUDGET", "Checker", "Report", "check", "effort", "handed_in", "in_order",
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
        """Does nothing disagree, and was anything decided?"""
        return not self.failures and any(record.sound for record in self.records)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What it does instead, or what the failures depend on."""
        judged = [seen for seen in self.observations if seen.record.verdict != Verdict.UNSUPPORTED]
        failing = [seen for seen in judged if seen.record.fails]
        return diagnose(failing, [seen for seen in judged if not seen.record.fails])

    @property
    def smallest(self) -> Observation | None:
        """The simplest failing case."""
        return self.diagnosis.smallest

    def script(self) -> str:
        """Source that shows the simplest failing case without this project; empty where nothing fails."""
        from .report.user_script import user_script

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
        lines += [f"note: {note}" for note in self.notes]
        if self.smallest is not None:
            lines += ["", "Cause", str(self.diagnosis), *three_lines(self.smallest.record)[:2], "",
                      "Script that shows it without this project", "", "```python", self.script().rstrip(), "```"]
        return "\n".join(lines)


def check(op: str, implementation: Any, *, framework: str = "torch", dtypes: Sequence[str] | None = None,
          device: str = "cpu", modes: Mapping[str, Sequence[Any]] | None = None, accuracy: str | None = None,
          state: Mapping[str, str] | None = None, backward: Callable[..., Any] | bool | str | None = None,
          stream: bool | None = None, all_cases: bool = False, timeout: float = TIMEOUT,
          memory: int | None = MEMORY, on_case: Callable[[Observation], None] = lambda seen: None) -> Report:
    """Judge an implementation of one op by proven bounds.

    Args:
        op: torch's name, e.g. ``"cross_entropy"``, ``"Adam"``, ``"kaiming_uniform_"``.
        implementation: a callable or class (see :mod:`oracle.targets.user` for how it is called), or where it
            is: ``"pkg.module:attribute"``, ``"path/file.py:attribute"``.
        framework: whose arrays it takes: ``"numpy"``, ``"torch"``, ``"jax"``.
        dtypes: storage types; float32 and float64 by default, half types where they are named.
        device: where the framework is to put its arrays.
        modes: what arguments, or axes of cases, may be: ``{"reduction": ["mean"]}``. The rest is unsupported.
        accuracy: what half types are computed in: ``"opmath"`` (float32, rounded once; the default) or
            ``"storage"`` (each operation may be rounded to the type).
        state: torch's names of an optimizer's state -> its own. What has no name of torch's is not compared.
        backward: ``backward(grad_output, <the arguments>)`` gives a gradient for each array argument, or None
            (or where it is, as above); False compares values alone. By default the framework differentiates,
            and in NumPy nothing does.
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
    asked = handed_in(implementation, framework=framework, device=device, modes=modes, state=state,
                      backward=backward, stream=stream)
    with contextlib.closing(Checker(op, asked, accuracy=accuracy, timeout=timeout, memory=memory)) as checker:
        cases = in_order(op, dtypes)
        checker.budget = math.inf if all_cases else BUDGET
        seen: list[Observation] = []
        for observation in checker.observe_with_replacements(cases):
            seen.append(observation)
            on_case(observation)
        return Report(op, checker.name, framework, checker.accuracy, tuple(seen), len(cases), asked,
                      tuple(checker.notes(seen)))


def handed_in(implementation: Any, *, framework: str = "torch", device: str = "cpu",
              modes: Mapping[str, Sequence[Any]] | None = None, state: Mapping[str, str] | None = None,
              backward: Any = None, stream: bool | None = None) -> Implementation:
    """What was handed in, in one piece; text says where it is."""
    check_options({"framework": framework, "device": device, "modes": modes, "state": state, "backward": backward,
                   "stream": stream})
    code, gradient = (Named(given) if isinstance(given, str) else given for given in (implementation, backward))
    return Implementation(code, framework, device, modes or {}, state or {}, gradient, stream)


def _made(asked: Implementation, name: str) -> Target:
    """The target, where it is to run."""
    return User(_loaded(asked), name)


def _loaded(asked: Implementation) -> Implementation:
    found = {name: load_named(value.place) for name in ("code", "backward")
             if isinstance(value := getattr(asked, name), Named)}
    whole = Implementation(**{**vars(asked), **found})
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
        _, failure = run.answer(case, self.target)
        return failure is None or failure.verdict is not Verdict.UNSUPPORTED

    def observe(self, cases: Iterable[Case]) -> Iterator[Observation]:
        """Run cases and judge them, up to the budget of effort; while one is proven the next is running.

        What is unsupported costs nothing.
        """
        left = iter(cases)
        case = next((one for one in left if effort(one) <= self.budget), None)
        while case is not None:
            outputs, failure = run.answer(case, self.target)
            self.budget -= effort(case) * (failure is None)
            following = next((one for one in left if effort(one) <= self.budget), None)
            if following is not None and not self.given_up:
                with contextlib.suppress(TargetError):  # the case itself will say so
                    self.target.begin(following)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                judged = self._judged(case, outputs, failure)
            yield judged
            case = None if self.given_up else following

    def _judged(self, case: Case, outputs: Outputs, failure: Finding | None) -> Observation:
        if failure is not None:
            findings = [failure]
        elif isinstance(outputs, Mapping) and "draws" in outputs:
            findings = [_distribution(case, outputs["draws"])]
            outputs = {"tensor": outputs["draws"]}
        else:
            truths = run.truth_of(case, self.accuracy)
            outputs = {name: _as_kept(name, value, truths) for name, value in outputs.items()
                       if name in truths or not _optional(case, name)}
            missing = [name for name in truths if name not in outputs and _optional(case, name)]
            if failure is None and self._gradient_is_missing(case, outputs, missing):
                missing.remove(f"grad.{case.differentiated[0]}")
            self._missing.update({_kind(name) for name in missing})
            findings = compare(outputs, {name: t for name, t in truths.items() if name not in missing})
        return Observation(case, outputs, run.record_of(case, self.name, outputs, findings, ()))

    def _gradient_is_missing(self, case: Case, outputs: Outputs, missing: Sequence[str]) -> bool:
        """Are there gradients, but not that of the first argument?"""
        return (isinstance(case.spec, LossSpec) and any(name.startswith("grad.") for name in outputs)
                and bool(case.differentiated) and f"grad.{case.differentiated[0]}" in missing)

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
        reasons = Counter(o.record.note for o in seen if o.record.verdict == Verdict.UNSUPPORTED)
        yield from (f"unsupported in {n} cases: {reason}" for reason, n in reasons.most_common(5))
        half = [o for o in seen if o.record.fails and o.case.dtype in ("float16", "bfloat16")]
        if half and self.accuracy == "opmath":
            within = sum(not Verdict(f.verdict).disagrees for o in half for f in [_worst(o)])
            yield (f"of {len(half)} failures in half types, {within} are what rounding each operation to the type "
                   "may give (accuracy='storage')")


def _worst(seen: Observation) -> Finding:
    from .compare import worst

    truths = run.truth_of(seen.case)
    return worst(compare(seen.outputs, {k: t for k, t in truths.items() if k in seen.outputs}) or
                 [Finding("", Verdict.CRASHED)])


def _optional(case: Case, name: str) -> bool:
    """May an implementation have no such output? States of optimizers, gradients, the stream of random numbers."""
    if isinstance(case.spec, OptimSpec):
        return not name.startswith("param[")
    return name.startswith("grad.") or (case.spec.name not in CLAIMS and name in ("next_word", "default_word"))


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
    from .ulp import numpy_dtype

    with np.errstate(all="ignore"):
        return array.astype(numpy_dtype(truth.dtype))


def _distribution(case: Case, draws: np.ndarray[Any, Any]) -> Finding:
    """Numbers that an initializer drew against what it claims of them; no numbers are right, whatever their fan."""
    if not draws.size:
        return Finding("tensor", Verdict.WITHIN)
    arguments = dict(case.inputs)
    take_seeds(arguments)
    arguments.pop("layout", None)
    shape = arguments.pop("shape")
    named = {k: v for k, v in arguments.items() if k in case.spec.parameters}
    claim = CLAIMS[case.spec.name](shape, **named)
    if not 0 <= claim.zeros <= 1:
        return Finding("", Verdict.UNSUPPORTED, note="no distribution is claimed for such arguments")
    if claim.std == 0:  # nothing to be random
        alarms = ["not constant"] if np.any(draws != claim.mean) else []
    else:
        alarms = list(map(str, judge_draws(list(draws), claim)))
    if not np.all(np.isfinite(draws.astype(np.float64))):
        alarms.append("not finite")
    return Finding("tensor", Verdict.EXCEEDS, np.inf, np.inf, note="; ".join(alarms)) if alarms else \
        Finding("tensor", Verdict.WITHIN)


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


def effort(case: Case) -> int:
    """Elements times steps: what a proof takes time for."""
    inputs = case.inputs
    if isinstance(inputs, Trajectory):
        return sum(p.size + 1 for group in inputs.groups for p in group.params) * len(inputs.gradients)
    if isinstance(case.spec, InitSpec):
        return int(np.prod(inputs["shape"])) + 1
    return 1 + sum(int(v.size) for name, value in inputs.items() for _, v in leaves(name, value)
                   if isinstance(v, np.ndarray))

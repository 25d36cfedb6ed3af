"""Implementations planted in the place of a reference, and run through the same engine as any target.

An implementation is a class with ``forward`` and ``backward`` (a loss), a class of optimizer, or a function
(an initializer). :func:`planted` puts it where a case's spec has the reference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from oracle.auditing.judge import run_case
from oracle.cases.case import Case, leaves, parse
from oracle.cases.selection import select
from oracle.cases.spec import LossSpec, OptimSpec, Spec
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import Truth
from oracle.verdict.compare import Verdict
from oracle.verdict.record import Record
from tests.kept import shared

__all__ = ["NO_NOTE", "Implementation", "Mutant", "Planted", "Sound", "kept_in", "mutants_in", "planted", "records",
           "shipped", "truths"]

#: An exceeded bound has no note, and a value lost on the way or a count says so; any other note is about the form.
NO_NOTE = r"\A(overflow or underflow on the way .*|has to be equal)?\Z"

@dataclass(frozen=True)
class Implementation:
    """Another implementation of an op, in NumPy."""

    op: str
    name: str
    about: str
    code: Any

    def __str__(self) -> str:
        return f"{self.op}-{self.name}"


@dataclass(frozen=True)
class Mutant(Implementation):
    """A mistake: in some shipped case of this dtype its verdict is this one, with a note that matches.

    ``survives`` says what the shipped cases lack where none catches it.
    """

    dtype: str = "float32"
    verdict: Verdict = Verdict.EXCEEDS
    note: str = NO_NOTE
    survives: str = ""


@dataclass(frozen=True)
class Sound(Implementation):
    """No mistake: no shipped case in float32 disagrees, but for those that ``unlike`` gives a reason for.

    Losses of integers alone are left out: they show result types, and no way to write arithmetic.
    """

    unlike: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """``axis=value`` of the cases where this way of writing has another result, and why."""

    def judged(self, case: Case) -> bool:
        """Has this way of writing to agree on the case?"""
        floating = not isinstance(case.spec, LossSpec) or any(
            leaf.dtype.kind in "fV" for name in case.spec.arrays if name in case.inputs
            for _, leaf in leaves(name, case.inputs[name]) if isinstance(leaf, np.ndarray))
        return floating and not any(f"{axis}={value}" in self.unlike for axis, value in case.options.items())


def mutants_in(found: list[Mutant]) -> Callable[..., Callable[[Any], Any]]:
    """A decorator ``plant(op, verdict, note, survives)`` that puts the mistake that it decorates into a list."""

    def plant(op: str, verdict: Verdict = Verdict.EXCEEDS, note: str = NO_NOTE,
              survives: str = "") -> Callable[[Any], Any]:
        def keep(code: Any) -> Any:
            code.op = op
            found.append(Mutant(op, code.__name__, str(code.__doc__), code, verdict=verdict, note=note,
                                survives=survives))
            return code

        return keep

    return plant


def kept_in(found: list[Sound]) -> Callable[..., Callable[[Any], Any]]:
    """A decorator ``sound(op, unlike)`` that puts what it decorates into a list."""

    def sound(op: str, unlike: Mapping[str, str] = MappingProxyType({})) -> Callable[[Any], Any]:
        def keep(code: Any) -> Any:
            code.op = op
            found.append(Sound(op, code.__name__, str(code.__doc__), code, unlike))
            return code

        return keep

    return sound


@dataclass(frozen=True)
class Planted:
    """A target that runs whatever function of a case it is given."""

    name: str
    outputs: Callable[[Case], Outputs]

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        with np.errstate(all="ignore"):
            return self.outputs(case)

    def script(self, case: Case) -> str:
        return ""


def planted(code: Any) -> Planted:
    """The target that evaluates a case with ``code`` in the reference's place."""

    def outputs(case: Case) -> Outputs:
        spec: Any = case.spec
        if isinstance(spec, LossSpec):
            loss = code()
            spec = dataclasses.replace(spec, function=loss.forward, backward=loss.backward)
            return evaluate(dataclasses.replace(case, spec=spec), FLOATS)
        change = {"optimizer" if isinstance(spec, OptimSpec) else "function": code}
        return evaluate(dataclasses.replace(case, spec=dataclasses.replace(spec, **change)), FLOATS)

    return Planted(getattr(code, "__name__", "planted"), outputs)


@cache
def shipped(op: str, dtype: str = "float32") -> tuple[Case, ...]:
    """The shipped cases of an op without surroundings, which the kernels of :mod:`tests.meta.kernels` are for."""
    return tuple(select([op], [dtype], around=False))


@cache
def _truths(case_id: str) -> Mapping[str, Truth]:
    with np.errstate(all="ignore"), shared():
        return truth_of(parse(case_id))


def truths(case: Case) -> Mapping[str, Truth]:
    """Truth and bound of a case, kept for all implementations."""
    return _truths(case.id)


def records(op: str, target: Planted, dtype: str = "float32") -> Iterator[Record]:
    """What the engine says of a target, shipped case by shipped case."""
    for case in shipped(op, dtype):
        yield run_case(case, target, truths=truths(case))

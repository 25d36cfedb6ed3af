"""The record of a kernel, the decorators that put one into a list, and the judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from oracle.auditing.judge import answer, record_of
from oracle.cases.case import Case
from oracle.cases.registry import get
from oracle.cases.spec import Options
from oracle.cases.surroundings import shipped
from oracle.checking.adapter import User
from oracle.checking.alignment import Alignment
from oracle.checking.choice import BUDGET, in_order
from oracle.checking.implementation import implementation_of
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import Truth, effort
from oracle.verdict.compare import compare
from oracle.verdict.observation import Observation
from tests.kept import shared

__all__ = ["LAYOUT", "OWNERSHIP", "SIZE", "TIME", "Kernel", "cases", "judged", "right_in", "wrong_in"]

SIZE, LAYOUT, TIME, OWNERSHIP = "size", "layout", "time", "ownership"

#: The part of a check's effort that goes to cases without surroundings.
_BARE = BUDGET // 32


@dataclass(frozen=True)
class Kernel:
    """An implementation to check, and for a wrong one where it has to be found wrong."""

    op: str
    framework: str
    code: Any
    about: str
    kind: str = ""  #: of the mistake; empty for what is right
    around: str = ""
    """What the name of each failing case has; empty where the bare cases show the mistake too."""
    says: str = ""  #: what a diagnosis, or the note of a verdict, has to say of it; a regular expression
    options: Mapping[str, Any] = field(default_factory=dict)  #: of :func:`oracle.check`

    name: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.framework}-{self.name}"


def _kernel(op: str, framework: str, code: Any, **of_mistake: str) -> Kernel:
    """The record of a class or a function; of a class of losses there is one object, which is called."""
    called = code() if hasattr(code, "forward") else code
    names = ("modes", "backward") if framework == "numpy" else ("modes",)
    options = {name: getattr(called, name) for name in names if hasattr(called, name)}
    return Kernel(op, framework, called, str(code.__doc__), options=options, name=code.__name__, **of_mistake)


def wrong_in(found: list[Kernel], kind: str) -> Callable[..., Callable[[Any], Any]]:
    """A decorator ``wrong(op, framework, around, says)`` that puts the mistake that it decorates into a list."""

    def wrong(op: str, framework: str, around: str, says: str) -> Callable[[Any], Any]:
        def keep(code: Any) -> Any:
            found.append(_kernel(op, framework, code, kind=kind, around=around, says=says))
            return code

        return keep

    return wrong


def right_in(found: list[Kernel]) -> Callable[..., Callable[[Any], Any]]:
    """A decorator ``right(op, framework)`` that puts what it decorates into a list."""

    def right(op: str, framework: str) -> Callable[[Any], Any]:
        def keep(code: Any) -> Any:
            found.append(_kernel(op, framework, code))
            return code

        return keep

    return right


@cache
def cases(op: str) -> Sequence[Case]:
    """The bare cases of an op that tell most, and all those in surroundings beside its first combination."""
    bare, surrounded, left = [], [], _BARE
    for case in in_order(op, ["float32"]):
        if case.around:
            surrounded.append(case)
        elif effort(case) <= left:
            left -= effort(case)
            bare.append(case)
    first = _beside(next(iter(shipped.surrounded(get(op), "float32")))[0])
    return [*bare, *(case for case in surrounded if _beside(case.options) == first)]


def _beside(options: Options) -> Options:
    """The options beside which surroundings stand; how many groups there are belongs to these."""
    return {name: value for name, value in options.items() if name not in ("layout", "reduction")}


@cache
def _truths(case: Case) -> Mapping[str, Truth]:
    with np.errstate(all="ignore"), shared():
        return truth_of(case)


def judged(kernel: Kernel) -> Iterator[Observation]:
    """What a check would say of a kernel, case by case; in this process."""
    asked = implementation_of(kernel.code, framework=kernel.framework, **kernel.options)
    target, alignment = User(asked), Alignment(asked)
    for case in cases(kernel.op):
        with np.errstate(all="ignore"):
            outputs, failure = answer(case, target)
            if failure is None:
                outputs, truths = alignment.align(case, outputs, _truths(case))
            findings = compare(outputs, truths) if failure is None else [failure]
            yield Observation(case, outputs, record_of(case, target.name, outputs, findings, ()))

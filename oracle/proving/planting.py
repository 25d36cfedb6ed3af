"""Wrong variants as targets of an audit, each within a limit of time."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference import random

from ..cases.case import Case
from ..cases.spec import LossSpec, OptimSpec, Spec
from ..truth.evaluate import FLOATS, Outputs, evaluate
from . import shared_code
from .mutation import Mutant

__all__ = ["TIMEOUT", "Failing", "Planted", "TimeIsUp", "limited", "planted"]

#: Seconds of a processor's time that a variant may take for a case.
TIMEOUT = 3.0


class TimeIsUp(BaseException):
    """Not an ``Exception``: a variant's own handlers let it pass."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End what takes more of the processor's time; a loaded machine makes no difference."""
    def end(*_: Any) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Plant the mutant of a shared module for as long as the context lasts; put the default generator back after it."""
    before = random.default_generator.get_state()
    try:
        with shared_code.planted(mutant):
            yield
    finally:
        random.default_generator.set_state(before)


@dataclass
class Planted:
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
            with limited(TIMEOUT), np.errstate(all="ignore"), self.around():
                return evaluate(changed, FLOATS)
        except TimeIsUp:
            raise TimeoutError(f"no answer within {TIMEOUT} seconds of processor time") from None

    def script(self, case: Case) -> str:
        return ""


@dataclass
class Failing:
    """A target that has no answer, and says why."""

    why: str
    name: str = "reference"

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        raise RuntimeError(self.why)

    def script(self, case: Case) -> str:
        return ""

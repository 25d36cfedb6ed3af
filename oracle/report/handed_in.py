"""Somebody's implementation as a target, so that a case is explained with its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..cases.case import Case
from ..cases.spec import Spec
from ..checking.checker import Checker
from ..checking.facts import facts_of
from ..checking.implementation import Implementation, implementation_of
from ..checking.script import user_script
from ..targets.loading import FRAMEWORKS, Unsupported
from ..truth.evaluate import Outputs
from ..verdict.record import Record

__all__ = ["HandedIn", "handed_in", "is_place"]


def is_place(target: str) -> bool:
    """Does a target's name say where an implementation is, and not of which framework and variant it is?

    >>> is_place("mypkg/losses.py:my_ce"), is_place("torch.nn.functional:mse_loss"), is_place("torch:fused")
    (True, True, False)
    """
    source, colon, _ = target.partition(":")
    return bool(colon) and source not in FRAMEWORKS and ("." in source or "/" in source or source.isidentifier())


class HandedIn:
    """An implementation in its own process, with the script that shows what it gives."""

    def __init__(self, checker: Checker) -> None:
        self.name, self._checker = checker.name, checker

    def covers(self, spec: Spec) -> bool:
        """The op of the case that is explained: it is what the implementation was handed in for."""
        return True

    def run(self, case: Case) -> Outputs:
        """Its outputs on a case."""
        return self._checker.target.run(case)

    def record(self, case: Case) -> Record:
        """The verdict on its answer, as a check gives it."""
        (seen,) = self._checker.observe([case])
        return seen.record

    def script(self, case: Case) -> str:
        """Source that prints what it gives."""
        signature = facts_of(case.spec.name, self._checker.asked, self._checker.target.told).signature
        if signature is None:
            raise Unsupported("no process could tell its signature")
        return user_script(case, self._checker.asked, self.record(case), signature)


@contextmanager
def handed_in(place: str, op: str, *, framework: str, device: str) -> Iterator[HandedIn]:
    """The implementation at a place, for the length of a ``with`` block."""
    asked: Implementation = implementation_of(place, framework=framework, device=device)
    checker = Checker(op, asked)
    try:
        yield HandedIn(checker)
    finally:
        checker.close()

"""An implementation in its process, and how each case is judged."""

from __future__ import annotations

import contextlib
import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from ..auditing import judge
from ..cases.case import Case
from ..targets.loading import Target, TargetError
from ..truth import kept_truths
from ..truth.claims import CLAIMS
from ..truth.evaluate import Outputs
from ..truth.proof import effort
from ..verdict.compare import Finding, Verdict, compare
from ..verdict.distribution import claim_of, judge_draws
from ..verdict.faults import JudgeFault, judging, not_judged
from ..verdict.observation import Observation
from ..verdict.plain import plain
from .adapter import User
from .alignment import Alignment
from .arguments import check_options
from .choice import replacements, spec_of
from .facts import tell_facts
from .implementation import Implementation, load_code, name_of
from .isolation import MEMORY, TIMEOUT, Isolated, starter
from .places import Named

__all__ = ["DEATHS", "Checker"]

#: Cases in a row that may end their process, or take all memory, before the rest is given up.
DEATHS = 3


def _make_user(op: str, asked: Implementation, name: str, *, threads: bool) -> Target:
    """The target, in the process in which it is to run; it tells of code that is given by its place."""
    loaded = load_code(asked)
    told = tell_facts(op, loaded.code) if isinstance(asked.code, Named) else ""
    return User(loaded, name, told, threads=threads)


def _survives_fork(asked: Implementation) -> bool:
    """Does the framework survive a fork, as things stand here? JAX has threads once it is in use, CUDA a context."""
    if asked.framework == "torch" and "torch" in sys.modules:
        return asked.device == "cpu" and not sys.modules["torch"].cuda.is_initialized()
    return asked.framework != "jax" or "jax" not in sys.modules


class Checker:
    """An implementation in its process, and how each case is judged; :meth:`close` ends the process.

    Args:
        op: torch's name.
        asked: what was handed in.
        accuracy: what half types are computed in, as :func:`oracle.check` has it.
        timeout: seconds that a case may take.
        memory: bytes that the implementation may take; None for no limit.
    """

    def __init__(self, op: str, asked: Implementation, *, accuracy: str | None = None, timeout: float = TIMEOUT,
                 memory: int | None = MEMORY) -> None:
        self.spec = spec_of(op)
        check_options({"accuracy": accuracy, "timeout": timeout, "memory": memory})
        asked.check_modes(self.spec)
        asked.check_gradients(self.spec)
        self.asked = asked
        self.accuracy = accuracy or "opmath"
        self.name = plain(name_of(asked.code))
        self.target = self._start(timeout, memory)
        self.budget = math.inf  #: effort that is left
        self.alignment = Alignment(asked)

    def _start(self, timeout: float, memory: int | None) -> Isolated:
        forks = _survives_fork(self.asked)
        threads = not (forks and self.asked.framework in sys.modules)
        make = partial(_make_user, self.spec.name, self.asked, self.name, threads=threads)
        start = starter(make, forks=forks)
        limits: dict[str, Any] = {"timeout": timeout, "memory": memory, "leaves_out": self.asked.leaves_out}
        try:
            return Isolated(make, self.name, start, **limits)
        except TargetError:
            if start is None or forks:
                raise
            return Isolated(make, self.name, None, **limits)  # a fresh interpreter may not find it

    def close(self) -> None:
        """End the process."""
        self.target.close()

    @property
    def given_up(self) -> bool:
        """Have so many processes died that the rest is not worth it?"""
        return self.target.deaths >= DEATHS

    def observe_with_replacements(self, cases: Sequence[Case]) -> Iterator[Observation]:
        """Cases; and for those that are unsupported, what is left of them without what is not supported.

        What is left of the first ones comes before any surroundings, which would spend the budget.
        """
        known, first = list(cases), len(list(takewhile(lambda case: not case.around, cases)))
        for part in (cases[:first], cases[first:]):
            unsupported = []
            for seen in self.observe(part):
                yield seen
                if seen.record.verdict == Verdict.UNSUPPORTED:
                    unsupported.append(seen.case)
            if unsupported and not self.given_up:
                instead = replacements(known, unsupported, self.supports)
                known += instead
                yield from self.observe(instead)

    def supports(self, case: Case) -> bool:
        """Does the implementation do what a case asks for?"""
        _, failure = judge.answer(case, self.target)
        return failure is None or failure.verdict is not Verdict.UNSUPPORTED

    def observe(self, cases: Iterable[Case]) -> Iterator[Observation]:
        """Run cases and judge them, up to the budget of effort; while one is proven the next is running.

        What is unsupported costs nothing.
        """
        left = iter(cases)
        case = self._next_within_budget(left)
        while case is not None:
            outputs, failure = judge.answer(case, self.target)
            if failure is None:
                self.budget -= effort(case)
            following = self._next_within_budget(left)
            if following is not None and not self.given_up:
                with contextlib.suppress(TargetError):  # the case itself will say so
                    self.target.begin(following)
            yield self._judge(case, outputs, failure)
            case = None if self.given_up else following

    def _next_within_budget(self, left: Iterator[Case]) -> Case | None:
        return next((case for case in left if effort(case) <= self.budget), None)

    def _judge(self, case: Case, outputs: Outputs, failure: Finding | None) -> Observation:
        """An answer with its record; where the oracle itself fails, the record says that."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                with judging(case.id):
                    outputs, findings = self._findings(case, outputs, failure)
                    return Observation(case, outputs, judge.record_of(case, self.name, outputs, findings, ()))
            except JudgeFault as fault:
                return Observation(case, {}, not_judged(case.id, case.spec.name, case.dtype, self.name, fault))

    def _findings(self, case: Case, outputs: Outputs, failure: Finding | None) -> tuple[Outputs, list[Finding]]:
        """What of an answer is compared, and what is found of it."""
        if failure is not None:
            return outputs, [failure]
        if isinstance(outputs, Mapping) and "draws" in outputs:
            return outputs, [_judge_distribution(case, outputs["draws"])]
        outputs, truths = self.alignment.align(case, outputs, kept_truths.truth_of(case, self.accuracy))
        return outputs, compare(outputs, truths)


def _judge_distribution(case: Case, draws: np.ndarray[Any, Any]) -> Finding:
    """Numbers that an initializer drew against what it claims of them."""
    try:
        claim = claim_of(case, CLAIMS[case.spec.name])
    except ValueError as reason:
        return Finding("", Verdict.UNSUPPORTED, note=str(reason))
    alarms = judge_draws(draws, claim)
    if not alarms:
        return Finding("draws", Verdict.WITHIN)
    return Finding("draws", Verdict.EXCEEDS, np.inf, np.inf, note="; ".join(map(str, alarms)))

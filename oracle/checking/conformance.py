"""Conformance in somebody's own suite: one pytest test for each case.

In a test module::

    test_ce = oracle.conformance("cross_entropy", my_ce, framework="numpy")
    test_all = oracle.conformance({"mse_loss": my_mse, "Adam": {"implementation": MyAdam, "dtypes": ["float32"]}})

Expected failures are listed in a file: on each line a case id or a pattern (of ``fnmatch``), and a reason after ``#``.
They are strict: a listed case that passes fails its test, and a pattern that matches no case is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..auditing.words import three_lines
from ..cases.case import Case, parse
from ..targets.loading import TargetError
from ..truth.proof import effort
from ..verdict.faults import JudgeFault
from .arguments import OPTIONS, check_op, check_options
from .checker import Checker
from .choice import budget, in_order, replacements
from .implementation import Implementation, implementation_of
from .places import Named, load_named

__all__ = ["Suite", "conformance", "registry_at", "suites"]


@dataclass(eq=False)
class Suite:
    """One op's cases and the implementation that has to pass them."""

    op: str
    implementation: Any
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_op(self.op)
        unknown = set(self.options) - set(OPTIONS)
        if unknown:
            raise TypeError(f"unknown options {sorted(unknown)} for {self.op}; known are {', '.join(sorted(OPTIONS))}")
        try:
            check_options(self.options)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.op}: {error}") from None

    @cached_property
    def asked(self) -> Implementation:
        """What was handed in, in one piece."""
        judged = ("dtypes", "all_cases", "accuracy", "timeout", "memory")
        return implementation_of(self.implementation, **{k: v for k, v in self.options.items() if k not in judged})

    @cached_property
    def checker(self) -> Checker:
        """The process, started with the first case."""
        limits = {k: v for k, v in self.options.items() if k in ("accuracy", "timeout", "memory")}
        return Checker(self.op, self.asked, **limits)

    def cases(self) -> Iterator[Case]:
        """The cases that tell most, or all; without what modes and the signature leave out."""
        left = budget(bool(self.options.get("all_cases")))
        ordered = in_order(self.op, self.options.get("dtypes"))
        self.asked.check_modes(ordered[0].spec)
        if not isinstance(self.asked.code, Named):
            unsupported = [case for case in ordered if not self.asked.supports(case)]
            instead = replacements(ordered, unsupported, self.asked.supports)
            left_out = {case.id for case in unsupported}
            first = len(list(takewhile(lambda case: not case.around, ordered)))
            bare = [case for case in instead if not case.around]  # before surroundings, which would spend the budget
            beside = [case for case in instead if case.around]
            ordered = [case for case in [*ordered[:first], *bare, *ordered[first:], *beside] if case.id not in left_out]
        for case in ordered:
            if effort(case) <= left:
                left -= effort(case)
                yield case

    def run(self, case_id: str) -> None:
        """Fail, or skip, the test that calls this."""
        import pytest

        __tracebackhide__ = True
        if self.checker.given_up:
            pytest.fail("not run: cases before this one ended their process, one after the other", pytrace=False)
        (seen,) = self.checker.observe([parse(case_id)])
        if seen.record.fault:
            raise JudgeFault(seen.record.note)
        if seen.record.fails:
            pytest.fail("\n".join(three_lines(seen.record)[:2]), pytrace=False)
        if not seen.record.sound:
            pytest.skip(f"{seen.record.verdict}: {seen.record.note}")


def suites(implementations: Mapping[str, Any], **options: Any) -> dict[str, Suite]:
    """A suite for each op of a mapping from its name to an implementation, or to a dict of it and its options."""
    made = {}
    for op, entry in implementations.items():
        own = dict(entry) if isinstance(entry, Mapping) else {"implementation": entry}
        if "implementation" not in own:
            raise TypeError(f"the entry of {op} needs an 'implementation', got {sorted(own)}")
        made[op] = Suite(op, own.pop("implementation"), {**options, **own})
    return made


def parameters(chosen: Mapping[str, Suite], expected_failures: str | Path | None) -> Iterator[tuple[str, str | None]]:
    """Case ids, and the reason why one is expected to fail.

    Raises:
        ValueError: a pattern that no case has.
    """
    expected = _read_expected(Path(expected_failures)) if expected_failures else {}
    ids = [case.id for suite in chosen.values() for case in suite.cases()]
    for pattern in expected:
        if not any(fnmatchcase(case_id, pattern) for case_id in ids):
            raise ValueError(f"{expected_failures}: no case is called {pattern!r}; delete the line")
    for case_id in ids:
        yield case_id, next((why for pattern, why in expected.items() if fnmatchcase(case_id, pattern)), None)


def _read_expected(path: Path) -> dict[str, str]:
    """The reasons of a file of expected failures, by pattern."""
    lines = (line.partition("#") for line in path.read_text(encoding="utf-8").splitlines())
    return {pattern.strip(): reason.strip() for pattern, _, reason in lines if pattern.strip()}


def conformance(op: str | Mapping[str, Any], implementation: Any = None, *,
                expected_failures: str | Path | None = None, **options: Any) -> Any:
    """A test function that pytest runs once for each case.

    Args:
        op: torch's name; or a mapping from names to implementations (or to dicts of one and its options).
        implementation: as :func:`oracle.check` takes it; none beside a mapping.
        expected_failures: file of case ids or patterns, strict.
        options: those of :func:`oracle.check`.

    Returns:
        A function to bind to a name that pytest collects: ``test_ce = oracle.conformance(...)``.
    """
    import pytest

    if not isinstance(op, Mapping):
        check_op(op)
    chosen = suites(op if isinstance(op, Mapping) else {op: {"implementation": implementation}}, **options)
    cases = [pytest.param(case_id, id=case_id,
                          marks=[] if why is None else
                          pytest.mark.xfail(strict=True, reason=why, raises=pytest.fail.Exception))
             for case_id, why in parameters(chosen, expected_failures)]

    @pytest.mark.parametrize("oracle_conformance_case", cases)
    def test_conformance(oracle_conformance_case: str) -> None:
        __tracebackhide__ = True
        chosen[oracle_conformance_case.partition("/")[0]].run(oracle_conformance_case)

    return test_conformance


def registry_at(place: str) -> Mapping[str, Any]:
    """A mapping from ops to implementations: ``pkg.module:attribute``, ``pkg.registry``, ``path/file.py``.

    Where no attribute is named it is ``registry``, or the last part of the dotted name.

    Raises:
        TargetError: there is none.
    """
    if ":" in place:
        found = load_named(place)
    else:
        try:
            found = load_named(f"{place}:registry")
        except TargetError:
            outer, _, last = place.rpartition(".")
            if place.endswith(".py") or not outer:
                raise
            found = load_named(f"{outer}:{last}")
    if not isinstance(found, Mapping):
        raise TargetError(f"{place} is a {type(found).__name__}; needed is a mapping from ops to implementations")
    return found

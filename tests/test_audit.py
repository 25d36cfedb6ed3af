"""The audit's cases as tests: every shipped case, on every target that covers its op."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oracle.cases import Case
from oracle.targets import Target


def test_case(oracle_case: Case, oracle_targets: Sequence[Target],
              oracle_check: Callable[[Case, Target], None]) -> None:
    for target in oracle_targets:
        if target.covers(oracle_case.spec):
            oracle_check(oracle_case, target)

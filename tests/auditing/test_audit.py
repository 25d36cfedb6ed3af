"""The audit's cases as tests: every shipped case, the long ones too, on every target that covers its op."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from oracle.cases import registry
from oracle.cases.case import Case
from oracle.cases.selection import cases
from oracle.cases.spec import Spec
from oracle.targets.loading import Target

LONG = [spec for spec in registry.specs().values() if spec.long]


def test_case(oracle_case: Case, oracle_targets: Sequence[Target],
              oracle_check: Callable[[Case, Target], None]) -> None:
    for target in oracle_targets:
        if target.covers(oracle_case.spec):
            oracle_check(oracle_case, target)


@pytest.mark.parametrize("spec", LONG, ids=[spec.name for spec in LONG])
def test_long_cases(spec: Spec, oracle_targets: Sequence[Target], oracle_check: Callable[[Case, Target], None]) -> None:
    """What ``oracle audit --long`` runs beside the rest."""
    long = [case for dtype in spec.dtypes for case in cases(spec, dtype, long=True)[len(cases(spec, dtype)):]]
    assert long
    for case in long:
        for target in oracle_targets:
            if target.covers(spec):
                oracle_check(case, target)

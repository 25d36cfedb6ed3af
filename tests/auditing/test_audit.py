"""The audit as a test: every shipped case, the long ones too, on every target that covers its op.

One test runs all cases of an op in a type, and each case that fails is a failing subtest of it. Where cases are chosen,
by ``-k`` or by their id, each is a test of its own: ``pytest 'tests/auditing/test_audit.py::test_case[mse_loss/float32/
reduction=sum]'`` runs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import pytest

from oracle.auditing.run import audit
from oracle.auditing.words import three_lines
from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.registry import chosen_specs
from oracle.cases.selection import cases, select
from oracle.cases.spec import Spec
from oracle.targets.loading import Target
from oracle.vectors.selection import selection
from tests.kept import shared


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cases of each test, and its id: that of its case, or what all of its cases begin with."""
    if "its_cases" not in metafunc.fixturenames:
        return
    ops, dtypes = ([item for item in str(metafunc.config.getoption(f"--oracle-{name}")).split(",") if item]
                   for name in ("ops", "dtypes"))
    with shared():  # which cases there are is kept as truths are
        groups = _groups(metafunc, ops, dtypes)
    metafunc.parametrize("its_cases", groups.values(), ids=groups)


def _groups(metafunc: pytest.Metafunc, ops: Sequence[str], dtypes: Sequence[str]) -> dict[str, list[Case]]:
    """The cases of each test, by its id."""
    few = bool(metafunc.config.getoption("--few"))
    named = [argument.partition("::test_case[")[2].rstrip("]") for argument in metafunc.config.args]
    if metafunc.function is test_long_cases:
        return {} if few else {spec.name: _long(spec) for spec in registry.specs().values() if spec.long}
    if any(named):
        return {name: _named(name) for name in named if name}
    if metafunc.config.getoption("keyword"):
        return {case.id: [case] for case in select(ops, dtypes)}
    chosen = _few(ops, dtypes) if few else select(ops, dtypes)
    return {key: list(group) for key, group in groupby(chosen, _op_and_type)}


def _few(ops: Sequence[str], dtypes: Sequence[str]) -> list[Case]:
    """Of each op in each type so many cases that every axis value stands in one, but for those that take long."""
    return [case for spec in chosen_specs(ops) for case in selection(spec) if not dtypes or case.dtype in dtypes]


def _long(spec: Spec) -> list[Case]:
    """The cases that ``oracle audit --long`` runs beside the rest."""
    return [case for dtype in spec.dtypes for case in cases(spec, dtype, long=True)[len(cases(spec, dtype)):]]


def _op_and_type(case: Case) -> str:
    return f"{case.spec.name}/{case.dtype}"


def _named(name: str) -> list[Case]:
    """The case of an id, or all cases of an op in a type."""
    op, _, rest = name.partition("/")
    return [parse(name)] if "/" in rest else select([op], [rest])


def _audit(its_cases: Sequence[Case], targets: Iterable[Target], device: str, subtests: pytest.Subtests) -> int:
    """How many records there are; each that fails is a failing subtest."""
    count = 0
    with shared():
        for record in audit(its_cases, [target.name for target in targets], device=device):
            count += 1
            if record.fails or record.fault:
                with subtests.test(record.case, target=record.target):
                    pytest.fail("\n".join(three_lines(record)), pytrace=False)
    return count


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("--oracle-device")) or "cpu"


def test_case(its_cases: list[Case], oracle_targets: Sequence[Target], device: str,
              subtests: pytest.Subtests) -> None:
    covering = [target for target in oracle_targets if target.covers(its_cases[0].spec)]
    assert _audit(its_cases, oracle_targets, device, subtests) == len(its_cases) * len(covering)


def test_long_cases(its_cases: list[Case], oracle_targets: Sequence[Target], device: str,
                    subtests: pytest.Subtests) -> None:
    assert _audit(its_cases, oracle_targets, device, subtests)

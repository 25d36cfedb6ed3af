"""pytest plugin: any test that asks for ``oracle_case`` or ``oracle_spec`` is run once for each.

The options narrow what they range over. Nothing heavy is imported before a test asks: the plugin is
loaded in every pytest run of whoever has this project installed.

A test of one's own::

    def test_my_loss(oracle_case, oracle_judge):          # pytest --oracle-ops mse_loss
        oracle_judge(oracle_case, {"output": my_mse(**oracle_case.inputs)}, outputs=["output"])
"""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .cases.case import Case
    from .checking.conformance import Suite
    from .targets.loading import Target

_OPTIONS = {
    "ops": "ops, or losses, optim, init; all by default",
    "dtypes": "storage types; all by default",
    "targets": "targets such as torch:fused; reference and torch's defaults by default",
    "device": "device of the torch targets; cpu by default",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ``--oracle-…`` options; lists are separated by commas."""
    group = parser.getgroup("oracle", "reference test oracle")
    for name, text in _OPTIONS.items():
        group.addoption(f"--oracle-{name}", default="", metavar=name.upper(), help=text)
    group.addoption("--oracle-registry", default="", metavar="REGISTRY",
                    help="add a test for each case of each op in a mapping from ops to implementations: "
                         "pkg.module:attribute, pkg.registry or path/file.py")
    group.addoption("--oracle-expected-failures", default="", metavar="FILE",
                    help="case ids or patterns of --oracle-registry that have to fail, one a line, the reason behind #")
    group.addoption("--oracle-target", default="", help=SUPPRESS)


def pytest_configure(config: pytest.Config) -> None:
    """Options that name nothing are refused before anything is collected, and so is what an option was once called."""
    if config.getoption("--oracle-target"):
        raise pytest.UsageError("--oracle-target is now --oracle-registry; --oracle-targets names targets to audit")
    ops, dtypes = _list(config, "ops"), _list(config, "dtypes")
    if ops or dtypes:
        from .cases.registry import BadCaseError
        from .cases.selection import select

        try:
            select(ops, dtypes)
        except BadCaseError as error:
            raise pytest.UsageError(f"--oracle: {error}") from None


def _list(config: pytest.Config, name: str) -> list[str]:
    return [item for item in str(config.getoption(f"--oracle-{name}")).split(",") if item]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each case, or for each spec."""
    wanted = {"oracle_case", "oracle_spec"}.intersection(metafunc.fixturenames)
    if not wanted:
        return
    ops, dtypes = _list(metafunc.config, "ops"), _list(metafunc.config, "dtypes")
    if "oracle_case" in wanted:
        from .cases.selection import select

        chosen = select(ops, dtypes)
        metafunc.parametrize("oracle_case", chosen, ids=[case.id for case in chosen], indirect=True)
    if "oracle_spec" in wanted:
        from .cases.registry import chosen_specs

        specs = [spec for spec in chosen_specs(ops) if not dtypes or {*dtypes}.intersection(spec.dtypes)]
        metafunc.parametrize("oracle_spec", specs, ids=[spec.name for spec in specs])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """The cases of ``--oracle-registry``, behind whatever was collected."""
    place = str(config.getoption("--oracle-registry"))
    if not place:
        return
    from .cases.registry import chosen_specs
    from .checking.conformance import parameters, registry_at, suites
    from .targets.loading import TargetError

    options: dict[str, Any] = {"dtypes": dtypes} if (dtypes := _list(config, "dtypes")) else {}
    if device := str(config.getoption("--oracle-device")):
        options["device"] = device
    try:
        registry = registry_at(place)
        if ops := _list(config, "ops"):
            wanted = {spec.name for spec in chosen_specs(ops)}
            registry = {op: code for op, code in registry.items() if op in wanted}
            if not registry:
                raise ValueError(f"{place} has none of {', '.join(ops)}")
        chosen = suites(registry, **options)
        cases = list(parameters(chosen, str(config.getoption("--oracle-expected-failures")) or None))
    except (TargetError, TypeError, ValueError, OSError) as error:
        raise pytest.UsageError(f"--oracle-registry: {error}") from None
    for case_id, why in cases:
        item = _Item.from_parent(session, name=case_id, nodeid=f"oracle::{case_id}")
        item.suite = chosen[case_id.partition("/")[0]]
        if why is not None:
            item.add_marker(pytest.mark.xfail(strict=True, reason=why, raises=pytest.fail.Exception))
        items.append(item)


class _Item(pytest.Item):
    """A case of an implementation that is named on the command line."""

    suite: Suite

    def runtest(self) -> None:
        self.suite.run(self.name)

    def reportinfo(self) -> tuple[str, int | None, str]:
        return "oracle", None, self.name


@pytest.fixture
def oracle_case(request: pytest.FixtureRequest) -> Case:
    """The case of the test, whose arrays end with it: pytest keeps its parameters to the end."""
    case: Case = replace(request.param)
    return case


@pytest.fixture(scope="session")
def oracle_targets(request: pytest.FixtureRequest) -> Sequence[Target]:
    """The targets that the options name."""
    from .targets.loading import TargetError, load

    names = _list(request.config, "targets") or ["reference", "torch"]
    try:
        return load(names, str(request.config.getoption("--oracle-device")) or "cpu")
    except TargetError as error:
        raise pytest.UsageError(f"--oracle-targets: {error}") from None


@pytest.fixture(scope="session")
def oracle_check() -> Callable[[Case, Target], None]:
    """A function that fails the test where a target disagrees with the truth on a case, unwaived."""
    from .auditing.judge import run_case
    from .auditing.words import three_lines
    from .verdict.faults import judging
    from .verdict.waivers import load

    waivers = load()

    def check(case: Case, target: Target) -> None:
        __tracebackhide__ = True
        with judging(f"{case.id} on {target.name}"):
            record = run_case(case, target, waivers)
        if record.fails:
            pytest.fail("\n".join(three_lines(record)), pytrace=False)

    return check


@pytest.fixture(scope="session")
def oracle_judge() -> Callable[..., None]:
    """A function that fails the test where given outputs disagree with the truth on a case."""
    from .auditing.judge import record_of
    from .auditing.words import three_lines
    from .truth.kept_truths import truth_of
    from .verdict.compare import compare
    from .verdict.faults import judging

    def judge(case: Case, got: Mapping[str, Any], outputs: Sequence[str] | None = None) -> None:
        __tracebackhide__ = True
        with judging(case.id):
            truths = {name: truth for name, truth in truth_of(case).items() if outputs is None or name in outputs}
            record = record_of(case, "user", got, compare(got, truths), ())
        if record.fails:
            pytest.fail("\n".join(three_lines(record)), pytrace=False)

    return judge

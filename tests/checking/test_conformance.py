"""Conformance in somebody's own suite: one test a case, strict expected failures, a registry on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import oracle
from oracle.checking.conformance import registry_at, suites
from oracle.targets.loading import TargetError

pytestmark = pytest.mark.usefixtures("shared_truths")

pytest_plugins = ["pytester"]

MINE = """
    import numpy as np

    def mse(input, target, reduction="mean"):
        squares = (input - target) ** 2
        return squares if reduction == "none" else getattr(squares, reduction)()

    def half(input, target, reduction="mean"):
        return (mse(input, target, reduction) / 2).astype(input.dtype)

    def ones(tensor):
        tensor[...] = 1
        return tensor

    registry = {"mse_loss": {"implementation": mse, "modes": {"shape": ["3x4", "scalar"]}, "framework": "numpy",
                             "dtypes": ["float32"]},
                "ones_": {"implementation": ones, "framework": "numpy", "dtypes": ["float32"]}}
    wrong = {"mse_loss": {**registry["mse_loss"], "implementation": half}}
"""
ARGUMENTS = ("-p", "no:cacheprovider", "-W", "ignore")
DEFAULT = "(default and not size and not event)"  #: the case at its defaults, without surroundings
CONFTEST = """
    import pathlib
    import sys
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.modules.pop("mine", None)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(mine=MINE)
    pytester.makeconftest(CONFTEST)
    return pytester


def test_one_line_is_a_test_for_each_case(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_mine="""
        import oracle
        from mine import half, mse, registry

        test_mse = oracle.conformance("mse_loss", mse, framework="numpy", dtypes=["float32"])
        test_all = oracle.conformance(registry)
        test_wrong = oracle.conformance("mse_loss", half, framework="numpy", dtypes=["float32"])
    """)
    result = suite.runpytest_inprocess(*ARGUMENTS)
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 50
    assert outcomes["failed"] > 10
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    assert all("test_wrong" in line for line in failed)
    result.stdout.fnmatch_lines(["EXCEEDS half on mse_loss/float32/default", "*output[[]]: got *, truth *, bound *"])
    assert "suite.py" not in result.stdout.str(), "frames of the project are hidden"


def test_what_modes_and_signature_leave_out_is_no_test(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_mine="""
        import oracle
        from mine import mse
        test_mse = oracle.conformance("mse_loss", mse, framework="numpy", modes={"reduction": ["sum"]})
    """)
    result = suite.runpytest_inprocess(*ARGUMENTS, "--collect-only", "-q")
    ids = [line for line in result.outlines if "::" in line]
    assert len(ids) > 10
    assert all("reduction=sum" in line and "weight=" not in line for line in ids)


@pytest.mark.parametrize(("lines", "outcomes"), [
    ("mse_loss/*  # half of it is what we want", {"xfailed"}),
    ("# a comment\n\nmse_loss/float32/*=huge* # only these\n", {"xfailed", "failed"}),
])
def test_expected_failures(suite: pytest.Pytester, lines: str, outcomes: set[str]) -> None:
    (suite.path / "expected.txt").write_text(lines)
    suite.makepyfile(test_mine="""
        import oracle
        from mine import half
        test_mse = oracle.conformance("mse_loss", half, framework="numpy", dtypes=["float32"],
                                      modes={"regime": ["moderate", "huge"], "shape": ["3x4"]},
                                      expected_failures="expected.txt")
    """)
    found = suite.runpytest_inprocess(*ARGUMENTS).parseoutcomes()
    assert {name for name in found if name not in ("skipped", "warnings")} == outcomes


def test_an_expected_failure_that_passes_fails(suite: pytest.Pytester) -> None:
    (suite.path / "expected.txt").write_text("mse_loss/float32/default  # was wrong once\n")
    suite.makepyfile(test_mine="""
        import oracle
        from mine import mse
        test_mse = oracle.conformance("mse_loss", mse, framework="numpy", dtypes=["float32"],
                                      modes={"shape": ["3x4"]}, expected_failures="expected.txt")
    """)
    result = suite.runpytest_inprocess(*ARGUMENTS)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*XPASS(strict)*was wrong once*"])


def test_a_pattern_that_no_case_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "expected.txt").write_text("mse_loss/float33/*\n")
    with pytest.raises(ValueError, match="no case is called 'mse_loss/float33/\\*'; delete the line"):
        oracle.conformance("mse_loss", lambda input, target: input, framework="numpy",
                           expected_failures=tmp_path / "expected.txt")


def test_a_process_that_dies_is_one_failure_and_the_rest_is_not_run(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_mine="""
        import os
        import oracle
        test_mse = oracle.conformance("mse_loss", lambda input, target: os._exit(3), framework="numpy",
                                      dtypes=["float32"])
    """)
    result = suite.runpytest_inprocess(*ARGUMENTS)
    assert "passed" not in result.parseoutcomes()
    assert result.stdout.str().count("Died: the process ended: exit status 3") >= 3
    result.stdout.fnmatch_lines(["*not run: cases before this one ended their process*"])


# --- --oracle-registry ---------------------------------------------------------------------------


def test_a_registry_on_the_command_line(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_other="def test_other(): pass")
    for place in ("mine.registry", "mine", "mine:registry", str(suite.path / "mine.py")):
        result = suite.runpytest_inprocess(*ARGUMENTS, "--oracle-registry", place, "-k", f"other or {DEFAULT} or ones_")
        outcomes = result.parseoutcomes()
        assert outcomes["passed"] > 5, place
        assert "failed" not in outcomes
    result = suite.runpytest_inprocess(*ARGUMENTS, "--oracle-registry", "mine:wrong", "-k", DEFAULT)
    assert result.parseoutcomes() == {"failed": 1, "deselected": result.parseoutcomes()["deselected"]}
    result.stdout.fnmatch_lines(["EXCEEDS half on mse_loss/float32/default",
                                 "FAILED oracle::mse_loss/float32/default*"])


def test_options_narrow_a_registry(suite: pytest.Pytester) -> None:
    what = [*ARGUMENTS, "--oracle-registry", "mine:registry", "--collect-only", "-q"]
    everything = suite.runpytest_inprocess(*what).stdout.str()
    assert "oracle::mse_loss/" in everything
    assert "oracle::ones_/" in everything
    narrowed = suite.runpytest_inprocess(*what, "--oracle-ops", "init").stdout.str()
    assert "oracle::mse_loss/" not in narrowed
    assert "oracle::ones_/" in narrowed
    result = suite.runpytest_inprocess(*what, "--oracle-ops", "Adam")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--oracle-registry: mine:registry has none of Adam"])


def test_expected_failures_of_a_registry(suite: pytest.Pytester) -> None:
    (suite.path / "expected.txt").write_text("mse_loss/*  # half\n")
    result = suite.runpytest_inprocess(*ARGUMENTS, "--oracle-registry", "mine:wrong", "--oracle-expected-failures",
                                       "expected.txt", "-k", f"{DEFAULT} or huge")
    assert set(result.parseoutcomes()) <= {"xfailed", "deselected"}
    result = suite.runpytest_inprocess(*ARGUMENTS, "--oracle-registry", "mine:registry", "--oracle-expected-failures",
                                       "expected.txt", "-k", DEFAULT)
    assert result.parseoutcomes()["failed"] == 1


@pytest.mark.parametrize(("place", "message"), [
    ("nowhere_at_all", "nowhere_at_all cannot be imported"),
    ("mine:mse", "mine:mse is a function; needed is a mapping"), ("mine:nothing", "mine has no 'nothing'")])
def test_a_registry_that_is_none_is_one_clear_line(suite: pytest.Pytester, place: str, message: str) -> None:
    result = suite.runpytest_inprocess(*ARGUMENTS, "--oracle-registry", place)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--oracle-registry: *{message}*"])


def test_entries_and_options_are_checked() -> None:
    with pytest.raises(TypeError, match="unknown options \\['dtype'\\] for mse_loss"):
        suites({"mse_loss": {"implementation": len, "dtype": ["float32"]}})
    with pytest.raises(TypeError, match="needs an 'implementation'"):
        suites({"mse_loss": {}})
    with pytest.raises(TargetError, match="needed is a mapping"):
        registry_at("math:pi")

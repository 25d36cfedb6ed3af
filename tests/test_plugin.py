"""The pytest plugin in somebody else's suite: one test a case, narrowed by options, failures that say all."""

from __future__ import annotations

import pytest

import oracle.cases.case  # noqa: F401  # pytester takes new modules out again, and NumPy is not to be loaded twice

pytest_plugins = ["pytester"]

SUITE = """
    import numpy as np
    import pytest

    def mse(input, target, reduction="mean", **ignored):
        squares = (input - target) ** 2
        return squares if reduction == "none" else getattr(squares, reduction)()

    def test_mine(oracle_case, oracle_judge):
        if set(oracle_case.inputs) - {{"input", "target", "reduction"}}:
            pytest.skip("mse has no weights")
        oracle_judge(oracle_case, {{"output": np.asarray({factor} * mse(**oracle_case.inputs))}}, outputs=["output"])

    def test_spec(oracle_spec):
        assert oracle_spec.parameters
"""
ARGUMENTS = ("--oracle-ops=mse_loss", "--oracle-dtypes=float32", "-p", "no:cacheprovider", "-W", "ignore",
             "-k", "regime or default or spec")


def test_a_right_implementation_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE.format(factor="np.float32(1)"))
    outcomes = pytester.runpytest_inprocess(*ARGUMENTS).parseoutcomes()
    assert outcomes["passed"] > 10
    assert "failed" not in outcomes


def test_a_wrong_one_fails_with_element_values_truth_bound_and_command(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE.format(factor="np.float32(1.001)"))
    result = pytester.runpytest_inprocess(*ARGUMENTS)
    assert result.parseoutcomes()["failed"] > 10
    result.stdout.fnmatch_lines([
        "EXCEEDS user on mse_loss/float32/default",
        "*output[[]]: got *, truth *, bound *; * ulp, * of the bound",
        "*oracle explain 'mse_loss/float32/default'*",
    ])
    assert "pytest_plugin.py" not in result.stdout.str(), "frames of the project are hidden"


def test_what_a_case_has_drawn_ends_with_its_test(pytester: pytest.Pytester) -> None:
    """Or a run of all of them takes gigabytes."""
    pytester.makepyfile("""
        import gc, weakref
        seen = []

        def test_mine(oracle_case):
            assert oracle_case.inputs and oracle_case.grad_output is not None
            seen.append(weakref.ref(oracle_case))

        def test_end():
            gc.collect()
            assert len(seen) > 10 and not any(case() for case in seen)
    """)
    assert "failed" not in pytester.runpytest_inprocess(*ARGUMENTS[:-1], "regime or default or end").parseoutcomes()


def test_an_unknown_op_is_one_clear_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(oracle_case): pass")
    result = pytester.runpytest_inprocess("--oracle-ops=mse")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unknown op 'mse'; known are*"])


def test_the_earlier_name_of_an_option_is_refused_with_the_new_one(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--oracle-target=mine:registry")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--oracle-target is now --oracle-registry*"])
    assert "oracle-target " not in pytester.runpytest_inprocess("--help").stdout.str()


def test_the_plugin_is_loaded_once_with_and_without_a_conftest(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["oracle.pytest_plugin"]')
    pytester.makepyfile("def test(): pass")
    result = pytester.runpytest_subprocess("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--oracle-ops=OPS*"])

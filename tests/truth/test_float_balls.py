"""Balls of floats enclose what flint's balls enclose, and are charged as these are."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec
from oracle.truth import float_rules
from oracle.truth.arithmetic import Arithmetic, Undecided, arithmetic
from oracle.truth.ball import balls, split
from oracle.truth.float_balls import FloatBalls, float_balls, long_balls, parts
from oracle.truth.float_rules import NoFloatBalls
from oracle.truth.proof import prove
from oracle.truth.quick import prove_quickly

LOSSES = [spec.name for spec in registry.specs().values() if isinstance(spec, LossSpec)]
UFUNCS = [np.exp, np.expm1, np.log, np.log1p, np.sqrt, np.square, np.reciprocal, np.absolute, np.negative]
NUMBERS = np.array([2.0**-140, 1e-30, 2.0**-20, 0.3, 0.999, 1.0, 1.5, 7.25, 80.0])


def _charged(dtype: str, lift: Any) -> Any:
    """Balls that are no points, in the active arithmetic."""
    return lift(NUMBERS) * lift(np.float64([1 + 2.0**-30]))


def _farthest(run: Any, operands: list[FloatBalls], unit: float, middle: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How far from a midpoint a monotone function's results can be with one rounding, in 400 bits."""
    ends = [[balls(m) + sign * balls(r) for sign in (-1, 1)] for m, r in map(parts, operands)]
    found = [run(*corner) * (1 + sign * unit) - balls(middle) for corner in itertools.product(*ends)
             for sign in (-1, 1)]
    return np.max([np.abs(split(one)[0]) for one in found], axis=0)


def _is_as_wide_as_it_has_to_be(run: Any, operands: list[FloatBalls], dtype: str) -> None:
    """A result holds every end; it is wider by a thousandth of the charge (errors of float64) and units of units."""
    with arithmetic(Arithmetic.of(dtype, limited=False)), np.errstate(all="ignore"):
        middle, radius = parts(run(*operands))
        unit = 0.0 if run in (np.absolute, np.negative) else Arithmetic.of(dtype).unit
    with arithmetic(Arithmetic.exact(400)), np.errstate(all="ignore"):
        needed = _farthest(run, operands, unit, middle)
    assert np.all(radius >= needed * (1 - 2.0**-52))
    assert np.all(radius <= needed * (1 + 2 * unit + 2.0**-40) + np.abs(middle) * unit / 1000)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_a_function_is_enclosed_and_charged(ufunc: Any, dtype: str) -> None:
    with arithmetic(Arithmetic.of(dtype, limited=False)):
        x = _charged(dtype, float_balls)
    _is_as_wide_as_it_has_to_be(ufunc, [x], dtype)


@pytest.mark.parametrize("operate", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_an_operation_is_enclosed_and_charged(operate: Any) -> None:
    with arithmetic(Arithmetic.of("float32", limited=False)):
        x = _charged("float32", float_balls)
    y = x[::-1].copy()
    _is_as_wide_as_it_has_to_be(operate, [x, y], "float32")


@pytest.mark.parametrize("run", [
    lambda x: np.sum(x.reshape(3, 3), 1), lambda x: np.max(x.reshape(3, 3), 0), lambda x: np.maximum(x, x[::-1]),
    lambda x: x.reshape(3, 3) @ x.reshape(3, 3), lambda x: np.where(x > 0.5, x * x, 0),
    lambda x: x**3], ids=["sum", "max", "maximum", "matmul", "where", "cube"])
def test_a_sum_or_a_choice_holds_what_flints_balls_hold(run: Any) -> None:
    found = []
    for lift, read in ((float_balls, parts), (balls, lambda b: (split(b)[0], split(b)[2]))):
        with arithmetic(Arithmetic.of("float32", limited=False)):
            found.append(read(run(_charged("float32", lift))))
    (middle, radius), (centre, width) = found
    assert np.all(np.abs(middle - centre) <= radius)
    assert np.all(radius * (1 + 2.0**-20) + np.abs(middle - centre) >= width)  # radii of flint's have 30 bits
    assert np.all(radius <= 2 * width + np.abs(centre) * 2.0**-50)


@pytest.mark.filterwarnings("ignore")  # of arguments that torch deprecates
@pytest.mark.parametrize("name", LOSSES)
def test_a_proof_of_a_loss_is_flints(name: str) -> None:
    """Of every 16th shipped case: every truth that flint's balls decide, and its bound."""
    spec = registry.get(name)
    decided = 0
    for case in cases(spec, "float32", around=False)[::16]:
        slow = prove(case)
        try:
            quick = prove_quickly(case)
        except (NoFloatBalls, Undecided):
            continue
        for output, truth in slow.items():
            clear = ~truth.special & np.isfinite(truth.bound) & np.isfinite(quick[output].bound)
            clear &= np.abs(truth.hi) > 1e-25
            decided += int(clear.sum())
            error = np.abs(quick[output].hi[clear] - truth.hi[clear])
            assert np.all(error <= 1e-12 * truth.scale[clear] + 1e-12 * np.abs(truth.hi[clear])), case.id
            ratio = quick[output].bound[clear] / truth.bound[clear]
            assert np.all(ratio > 0.98), (case.id, output, ratio)
            assert np.all(ratio < 1.02) or "kink" in case.id, (case.id, output, ratio)  # of two balls that overlap
            special = truth.special
            assert np.array_equal(quick[output].hi[special], truth.hi[special], equal_nan=True), case.id
    assert decided


def test_longdoubles_tell_more_than_float64() -> None:
    x = np.array([0.1])
    with arithmetic(Arithmetic.exact(200)):
        errors = [parts(np.exp(lift(x)))[1].item() for lift in (float_balls, long_balls)]
    assert 0 < errors[1] < errors[0] / 1000


def test_a_rule_without_its_own_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of functions would not pass if radii left out the midpoint's own error, or the charge."""
    monkeypatch.setattr("oracle.truth.float_balls.charged", lambda ufunc, middle, radius, inputs: radius)
    with pytest.raises(AssertionError):
        test_a_function_is_enclosed_and_charged(np.exp, "float32")


def test_a_straddled_branch_is_undecided() -> None:
    with arithmetic(Arithmetic.of("float32")):
        x = float_balls(np.array([1.0])) / 3 * 3 - 1
        assert np.isnan(parts(x > 0)[0]).all()
        with pytest.raises(Undecided):
            bool(x != 0)
    assert isinstance(x, FloatBalls)


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(NoFloatBalls, match="arctan2"):
        np.arctan2(float_balls(np.ones(2)), 1.0)
    assert np.arctan2 not in float_rules.RULES

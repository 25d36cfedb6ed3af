"""Balls enclose what they stand for, charge what they promise, and say where a branch is open."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.formats import FORMATS
from oracle.truth.arithmetic import Arithmetic, Undecided, arithmetic
from oracle.truth.ball import BallArray, balls, radius, split
from oracle.truth.scalar import Double

HALF_STEP = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
moderate = st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


def _exact(array: BallArray) -> Fraction:
    man, exp = array.view(np.ndarray).item().mid().man_exp()
    return Fraction(int(man)) * Fraction(2) ** int(exp)


def _radius(array: BallArray) -> Fraction:
    man, exp = array.view(np.ndarray).item().rad().man_exp()
    return Fraction(int(man)) * Fraction(2) ** int(exp)


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_the_formats_are_those_of_the_types(dtype: str) -> None:
    info = ml_dtypes.finfo(dtype)
    fmt = FORMATS[dtype]
    assert (fmt.tiny, fmt.max) == (float(info.tiny), float(info.max))
    assert fmt.quantum == float(info.smallest_subnormal)
    assert HALF_STEP[dtype] == 2.0**-fmt.bits


@given(moderate, moderate, st.sampled_from(["+", "-", "*", "/"]))
def test_one_operation_is_charged_one_unit_of_its_exact_value(x: float, y: float, op: str) -> None:
    if op == "/" and y == 0:
        return
    run = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}[op]
    with arithmetic(Arithmetic.of("float32")):
        result = run(balls(np.array(x)), balls(np.array(y)))
    exact = run(Fraction(x), Fraction(y))
    # arb's own radii are rounded up, by 2^-30 of themselves at most; midpoints have 128 bits
    assert abs(_exact(result) - exact) <= abs(exact) * Fraction(2) ** -126
    unit = abs(exact) * Fraction(2) ** -23
    assert unit <= _radius(result) <= unit * (1 + Fraction(2) ** -20)


def test_real_arithmetic_charges_nothing() -> None:
    with arithmetic(Arithmetic.exact(200)):
        hi, lo, radius = split(balls(np.array([1.0])) / balls(np.array([3.0])))
    assert hi[0] == 1 / 3
    assert Fraction(hi[0]) + Fraction(lo[0]) - Fraction(1, 3) < Fraction(2) ** -106
    assert 0 < radius[0] < 2.0**-200


@pytest.mark.parametrize("order", [list, reversed, lambda xs: sorted(xs, key=abs)])
def test_a_sum_holds_every_order_of_summation(order: object) -> None:
    xs = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    with arithmetic(Arithmetic.of("float32")):
        hi, _, radius = split(balls(xs).sum())
    total = np.float32(0)
    for x in order(list(xs)):  # type: ignore[operator]
        total += x
    assert abs(float(total) - math.fsum(xs)) <= radius
    assert abs(hi - math.fsum(xs)) <= 1e-15 * np.abs(xs).sum()
    units = radius / (2.0**-23 * np.abs(xs.astype(np.float64)).sum())
    assert 39 <= units < 39.001


def test_sums_of_half_types_are_accumulated_in_float32() -> None:
    with arithmetic(Arithmetic.of("bfloat16")):
        _, _, radius = split(balls(np.ones(40)).sum())
    assert 40 * 2.0**-8 <= radius < 40 * 2.0**-8 * 1.01


def test_matmul_is_charged_as_a_sum() -> None:
    with arithmetic(Arithmetic.of("float32")):
        _, _, radius = split(balls(np.ones((2, 5))) @ balls(np.ones((5, 3))))
    assert radius.shape == (2, 3)
    assert np.all((radius >= 4 * 5 * 2.0**-23) & (radius < 6 * 5 * 2.0**-23))


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "sqrt", "tanh", "sin", "cos"])
def test_functions_enclose_the_real_one(name: str) -> None:
    x = np.array([0.125, 0.5, 1.0, 3.0])
    with arithmetic(Arithmetic.exact(200)):
        hi, lo, radius = split(getattr(np, name)(balls(x)))
    with mpmath.workprec(200):
        exact = [getattr(mpmath, name)(mpmath.mpf(v)) for v in x]
        assert hi.tolist() == [float(v) for v in exact]
        assert all(abs(v - h - low) <= abs(v) * 2.0**-104 for v, h, low in zip(exact, hi, lo, strict=True))
    assert np.all(radius < 1e-55)


def test_below_the_range_a_product_is_charged_half_a_quantum() -> None:
    with arithmetic(Arithmetic.of("float32")):
        _, _, radius = split(balls(np.array(2.0**-100)) * balls(np.array(2.0**-45)))
        _, _, of_sum = split(balls(np.array(2.0**-148)) + balls(np.array(2.0**-149)))
    assert 2.0**-150 <= radius < 2.0**-150 * 1.001
    assert of_sum < 2.0**-160, "the sum of two subnormal numbers is exact"


def test_below_the_range_a_sum_with_a_scalar_is_charged() -> None:
    with arithmetic(Arithmetic.of("float16")):
        _, _, radius = split(balls(np.array(0.0)) + Double(1e-8))
    assert radius >= 2.0**-25, "1e-8 is not a float16"


def test_above_the_range_nothing_is_known() -> None:
    with arithmetic(Arithmetic.of("float16")):
        _, _, radius = split(balls(np.array(300.0)) * balls(np.array(300.0)))
    assert np.isinf(radius)
    with arithmetic(Arithmetic.of("float16", limited=False)):
        hi, _, radius = split(balls(np.array(300.0)) * balls(np.array(300.0)))
    assert hi == 9e4
    assert radius < 9e4 * 2.0**-10


def test_maximum_of_overlapping_balls_is_their_hull() -> None:
    with arithmetic(Arithmetic.of("float32")):
        third = balls(np.array(1.0)) / 3
        hi, _, radius = split(np.maximum(third, 1 / 3))
    assert hi - radius <= 1 / 3 <= hi + radius
    assert radius > 0


def test_an_open_branch_is_undecided_and_a_closed_one_is_not() -> None:
    with arithmetic(Arithmetic.of("float32")):
        x = balls(np.array([1.0, 2.0, 0.5])) / 3 - balls(np.array(1.0)) / 3
        hi, _, _ = split(np.where(x > 0, x, 0))
        with pytest.raises(Undecided):
            (x[0] > 0).any()
    assert np.isnan(hi[0]), "0 is within the first ball"
    assert hi[1] > 0 == hi[2]


def test_a_function_without_meaning_for_balls_says_so() -> None:
    with pytest.raises(TypeError, match=r"numpy\.logaddexp has no meaning for balls"):
        np.logaddexp(balls(np.array(1.0)), balls(np.array(1.0)))


def test_scalars_are_charged_as_doubles_are() -> None:
    with arithmetic(Arithmetic.of("bfloat16")):
        correction = 1 - Double(0.999) ** 2
        assert 0.001998 < correction < 0.002
        hi, _, radius = split(balls(np.array(1.0)) * correction)
    assert radius / hi < 2.0**-8 * 1.001


def test_a_scalar_on_the_edge_of_a_branch_is_undecided() -> None:
    with arithmetic(Arithmetic.of("float32")):
        inexact = Double(1.0) / 3 * 3
        with pytest.raises(Undecided):
            bool(inexact < 1)
        assert inexact < 2
        assert not inexact > 2
        assert Double(0.5) == 0.5
        assert Double(0.5) != 0.25


def test_views_and_functions_of_numpy_keep_balls_balls() -> None:
    x = balls(np.arange(6.0).reshape(2, 3))
    for y in (x[0], x[0, 0], x.T, np.concatenate([x, x]), np.broadcast_to(x, (2, 2, 3)), np.zeros_like(x),
              np.full_like(x, 2.0), np.where(np.ones((2, 3), bool), x, 0), np.stack([x, x]), x.copy(), np.copy(x),
              np.take_along_axis(x, np.array([[1], [2]]), 1), np.moveaxis(x, 0, 1), np.squeeze(x), x.sum(axis=0)):
        assert isinstance(y, BallArray)
        assert y.stands_for == np.float64


@pytest.mark.parametrize("order", ["C", "F"])
def test_every_layout_is_charged(order):
    """Results keep the layout of what they are made from; charges used to be lost on a copy of it."""
    x = np.asarray(np.random.default_rng(0).uniform(1, 2, (2, 3)).astype(np.float32), order=order)
    with arithmetic(Arithmetic.of("float32")):
        assert np.all(radius(balls(x) * balls(x)) >= 2.0**-24)
        assert np.all(radius(balls(x) @ balls(x).T) >= 2.0**-24)
        assert np.all(radius(balls(x).sum(0)) >= 2.0**-24)


def test_a_ball_of_no_axes_goes_into_one_element() -> None:
    with arithmetic(Arithmetic.exact(200)):
        x = balls(np.zeros(3))
        x[(np.asarray(1),)] = balls(np.asarray(2.0)) * 3
    assert split(x)[0].tolist() == [0.0, 6.0, 0.0]

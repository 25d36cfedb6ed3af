"""reference.precision: one rounding where the formula has one, and every outcome where it is undecided."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, radius, split
from reference import precision
from reference.precision import outcomes, rounded
from tests.optim.twin_optimizers import same


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounded_is_rounding_to_nearest_even(dtype):
    to = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.standard_normal(2000) * 10.0 ** rng.integers(-9, 5, 2000), 1 + np.arange(40) * 2.0**-12,
                        [0.0, -0.0, 1e30, np.inf, np.nan])).astype(np.float32)
    with np.errstate(all="ignore"):
        expected = x.astype(to).astype(np.float32)
        assert same(rounded(x, dtype).astype(np.float32), expected)
    finite = np.isfinite(expected)
    with arithmetic(Arithmetic.exact(200)):
        ball = balls(x[finite].astype(np.float64)).rounded(dtype)
    assert np.all(split(ball)[0] == expected[finite])
    assert np.all(radius(ball) == 0)


def test_outcomes_follow_both_sides_of_a_midpoint():
    """1 + 2^-8 lies between two bfloat16: once it has an error both are possible, and nothing in between is lost."""
    x = np.array([1 + 2.0**-8, 1.5], np.float32)
    seen = []

    def doubled(x):
        seen.append(split(rounded(x, "bfloat16"))[0].tolist())
        return rounded(x, "bfloat16") * 2

    with arithmetic(Arithmetic.of("float32")):
        ball = outcomes(doubled, "float32", balls(x) * balls(np.ones(2, np.float32)))
    assert {tuple(values) for values in seen} == {(1.0, 1.5), (1 + 2.0**-7, 1.5)}
    centre, _, spread = split(ball)
    assert centre[0] - spread[0] <= 2.0
    assert centre[0] + spread[0] >= 2 + 2.0**-6
    assert spread[1] <= 2.0**-20
    with arithmetic(Arithmetic.exact(200)):
        exact = outcomes(lambda x: rounded(x, "bfloat16"), "float32", balls(x))
    assert split(exact)[0].tolist() == [1.0, 1.5]  # a tie goes to the even one


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_once(dtype: type) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 2000)).astype(dtype)
    near = -(x * y) * (1 + rng.integers(-3, 4, 2000) * 2.0 ** -rng.integers(0, 60, 2000))  # cancels
    for z in (near.astype(dtype), rng.standard_normal(2000).astype(dtype)):
        for a, b, c, got in zip(x, y, z, precision.fma(x, y, z), strict=True):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            error = abs(exact - Fraction(float(got)))
            for side in (np.inf, -np.inf):
                assert error <= abs(exact - Fraction(float(np.nextafter(got, dtype(side)))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_subnormal_results_once(dtype: type) -> None:
    rng, n = np.random.default_rng(2), 3000
    digits, least = (24, -149) if dtype == np.float32 else (53, -1074)
    unit, half = Fraction(2) ** least, least // 2
    x = np.ldexp(rng.uniform(-1, 1, n), half + rng.integers(-3, digits, n)).astype(dtype)
    tie = rng.random(n) < 0.5  # or a whole number, or zero
    x[tie] = np.ldexp(np.rint(np.ldexp(x[tie], -half)), half)
    y = np.ldexp(np.where(tie, rng.choice([0.0, -0.5, 0.5, 1.0], n), rng.uniform(-1, 1, n)), least - half).astype(dtype)
    for z in (np.zeros(n), -np.zeros(n), np.ldexp(rng.integers(-4, 5, n).astype(dtype), least), -(x * y)):
        for a, b, c, got in zip(x, y, z.astype(dtype), precision.fma(x, y, z.astype(dtype)), strict=True):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            assert Fraction(float(got)) == round(exact / unit) * unit
            assert np.signbit(got) == (exact < 0 if exact else np.signbit(a) != np.signbit(b) and np.signbit(c))


def test_fma_of_products_that_overflow() -> None:
    rng, largest = np.random.default_rng(3), np.finfo(np.float64).max
    x, y = 2.0**1023 * rng.uniform(1, 1.7, 1000), rng.uniform(1, 1.7, 1000)
    z = -(2.0**1023) * rng.uniform(1.9, 2, 1000)
    with np.errstate(all="ignore"):
        for a, b, c, got in zip(x, y, z, precision.fma(x, y, z), strict=True):
            assert got == float(Fraction(a) * Fraction(b) + Fraction(c))
        special = np.array([[largest, largest, -np.inf], [largest, 2, -np.inf], [np.inf, 1e-320, 5.0],
                            [np.inf, 0, 1], [largest, -2, largest], [largest, 2, 0], [1e-320, 1e-320, largest]])
        np.testing.assert_array_equal(precision.fma(*special.T), [-np.inf, -np.inf, np.inf, np.nan, -largest, np.inf,
                                                                  largest])

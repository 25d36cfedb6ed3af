"""The ways that are called sound keep to the contract: what they give is checked against exact numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from oracle.formats import FORMATS
from oracle.proving import ways

TYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def numbers(dtype: str, n: int = 200, seed: int = 1) -> Any:
    chance = np.random.default_rng(seed)
    return (chance.uniform(0.5, 2, n) * chance.choice([-1, 1], n)).astype(TYPES[dtype])


def exact(x: Any) -> list[Fraction]:
    return [Fraction(float(one)) for one in np.ravel(x)]


# --- products and terms --------------------------------------------------------------------------

SHAPE = (((0, "Div", 1), "Mult", 2), "Div", 3)


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (2, 3, 0, 1), (0, 3, 2, 1)])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_product_is_that_of_its_factors(dtype: str, order: tuple[int, ...]) -> None:
    a, b, c, d = (numbers(dtype, seed=i) for i in range(4))
    got = ways.product(SHAPE, order, a, b, c, d)
    assert got.dtype == a.dtype
    unit = 2.0 ** (1 - FORMATS[dtype].bits)
    for value, w, x, y, z in zip(exact(got), *map(exact, (a, b, c, d)), strict=True):
        assert abs(value - w / x * y / z) <= 3 * unit * abs(value)


def test_another_order_is_taken() -> None:
    x, y, z = (numbers("float32", seed=i) for i in range(3))
    shape = ((0, "Mult", 1), "Mult", 2)
    assert np.any(ways.product(shape, (1, 2, 0), x, y, z) != x * y * z)
    np.testing.assert_array_equal(ways.product(shape, (1, 2, 0), x, y, z), y * z * x)


def test_an_order_that_overflows_is_not_taken() -> None:
    big = np.array([1e38, 1e38], np.float32)
    with np.errstate(over="ignore"):
        got = ways.product(((0, "Div", 1), "Mult", 2), (0, 2, 1), big, 100.0, 10.0)
    np.testing.assert_array_equal(got, big / np.float32(100) * np.float32(10))


def test_terms_are_added_in_another_order_where_that_cancels_no_more() -> None:
    a, b, c = (np.array(x, np.float32) for x in ([1e8, 1.0], [1e8, 1e-3], [1.0, 0.1]))
    shape = ((0, "Sub", 1), "Add", 2)
    got = ways.added(shape, (0, 2, 1), a, b, c)
    assert got[0] == 1  # 1e8 + 1 would have lost it
    assert got[1] == a[1] - b[1] + c[1]  # 1 + 0.1 is larger than 1 - 0.001
    turned = ways.added(((0, "Add", 1), "Sub", 2), (0, 2, 1), *(np.array([x], np.float32) for x in (1.0, 0.3, 0.1)))
    assert turned == np.float32(1) - np.float32(0.1) + np.float32(0.3)


def test_scalars_alone_are_left_to_python() -> None:
    assert ways.product(((0, "Mult", 1), "Mult", 2), (1, 2, 0), 0.1, 0.2, 0.3) == 0.1 * 0.2 * 0.3
    assert ways.operated("Sub", "up", 1, 0.999) == 1 - 0.999
    assert ways.product(((0, "Mult", 1), "Mult", 2), (1, 2, 0), 2, 3, np.array([4])).dtype == np.int64


# --- within a unit -------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("direction", ways.DIRECTIONS)
@pytest.mark.parametrize("name", ["Add", "Sub", "Mult", "Div"])
def test_an_operation_is_within_a_unit_on_its_side(name: str, direction: str, dtype: str) -> None:
    a, b = numbers(dtype, seed=3), numbers(dtype, seed=4)
    got, plain = exact(ways.operated(name, direction, a, b)), exact(ways._OPERATORS[name](a, b))
    moved = 0
    for value, nearest, x, y in zip(got, plain, exact(a), exact(b), strict=True):
        true = {"Add": x + y, "Sub": x - y, "Mult": x * y, "Div": x / y}[name]
        half = dtype in ("float16", "bfloat16")
        unit = 2.0 ** (-FORMATS[dtype].bits if half else 1 - FORMATS[dtype].bits) + (2.0**-23 if half else 0)
        assert abs(value - true) <= Fraction(unit) * abs(true)
        if not half:
            assert {"up": value >= true, "down": value <= true, "in": abs(value) <= abs(true),
                    "out": abs(value) >= abs(true)}[direction]
        moved += value != nearest
    assert moved or dtype in ("float16", "bfloat16")


@pytest.mark.parametrize("direction", ways.DIRECTIONS)
def test_a_function_is_moved_by_a_unit_at_most_and_nothing_else_is(direction: str) -> None:
    x = np.array([0.3, -1.7, 0.0, np.inf, -np.inf, np.nan, -100.0], np.float32)
    got, wide = ways.called(np.exp, direction, x), np.exp(x.astype(np.float64))
    assert np.all(np.abs(got[:2] - wide[:2]) <= 2.0**-23 * wide[:2])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got[2:], np.exp(x)[2:])  # exact, no number, or below the normal ones


def test_a_division_by_a_number_is_a_product() -> None:
    x = numbers("float32")
    np.testing.assert_array_equal(ways.divided(x, 3), x * np.float32(1 / 3))
    np.testing.assert_array_equal(ways.divided(x, x), x / x)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ways.divided(x, 0), x / 0)
        np.testing.assert_array_equal(ways.divided(x, 1e-40), x / 1e-40)  # the reciprocal overflows


@pytest.mark.parametrize("sign", [1, 0, -1])
def test_what_is_fused_is_rounded_once(sign: int) -> None:
    a, b, c = (numbers("float32", seed=i) for i in range(3))
    got = ways.fused(a, b, c, sign)
    plain = {1: a * b + c, 0: c - a * b, -1: a * b - c}[sign]
    assert np.any(got != plain)
    for value, x, y, z in zip(exact(got), *map(exact, (a, b, c)), strict=True):
        true = {1: x * y + z, 0: z - x * y, -1: x * y - z}[sign]
        assert abs(value - true) <= Fraction(2.0**-24) * abs(true) * (1 + Fraction(2.0**-20))


# --- sums ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("manner", ways.SUMS)
@pytest.mark.parametrize(("axis", "keepdims"), list(itertools.product((None, 0, -1, (0, 2)), (False, True))))
def test_a_sum_is_that_of_its_terms(manner: str, axis: Any, keepdims: bool) -> None:
    x = numbers("float32", 60).reshape(3, 4, 5)
    got = ways.total(np.sum, manner, x, axis=axis, keepdims=keepdims)
    true = np.sum(x.astype(np.float64), axis=axis, keepdims=keepdims)
    sizes = np.sum(np.abs(x.astype(np.float64)), axis=axis, keepdims=keepdims)
    assert np.shape(got) == true.shape
    assert got.dtype == np.float32
    assert np.all(np.abs(got - true) <= 60 * 2.0**-24 * sizes)


def test_a_sum_has_the_axis_of_the_function() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(ways.total(np.add.reduce, "reversed", x), x.sum(0))
    np.testing.assert_array_equal(ways.total(np.sum, "reversed", x), x.sum())
    np.testing.assert_array_equal(ways.total(np.add.reduce, "running", x, 1), x.sum(1))


def test_half_types_are_accumulated_in_float32() -> None:
    ones = np.full(4096, 1.0, np.float16)
    assert ways.total(np.sum, "running", ones) == 4096


@pytest.mark.parametrize("manner", ways.SUMS)
@pytest.mark.parametrize("shapes", [((3, 4), (4, 2)), ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (4,))])
def test_a_matrix_product_is_one(manner: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = (numbers("float64", int(np.prod(shape)), seed).reshape(shape) for seed, shape in enumerate(shapes))
    np.testing.assert_allclose(ways.matmul(manner, a, b), a @ b, rtol=1e-13, atol=1e-14)

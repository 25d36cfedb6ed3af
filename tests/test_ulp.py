"""Distances between floats: counted, never wrapped, never across classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.formats import FORMATS
from oracle.ulp import numpy_dtype, spacing, spacing_at, steps

DTYPES = list(FORMATS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_counts_what_nextafter_walks(dtype: str) -> None:
    t = numpy_dtype(dtype).type
    x = t(-FORMATS[dtype].quantum)
    walk = [x]
    for _ in range(4):
        walk.append(np.nextafter(walk[-1], t(1)))
    assert [int(steps(x, y)) for y in walk] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_does_not_wrap_from_end_to_end(dtype: str) -> None:
    big = numpy_dtype(dtype).type(FORMATS[dtype].max)
    fmt = FORMATS[dtype]
    assert int(steps(-big, big)) == 2 * ((fmt.high - fmt.low + 2) * 2 ** (fmt.bits - 1) - 1)


def test_steps_never_counts_across_classes() -> None:
    a = np.array([np.nan, np.nan, np.inf, np.inf, 1.0])
    b = np.array([np.nan, np.inf, -np.inf, 1.0, np.nan])
    assert [None if v is None else v > 0 for v in steps(a, b)] == [None, None, True, None, None]
    with pytest.raises(TypeError, match="one dtype, got float32 and float64"):
        steps(np.float32(1), np.float64(1))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_spacing_is_that_of_numpy(dtype: str, x: float) -> None:
    with np.errstate(over="ignore"):
        value = numpy_dtype(dtype).type(x)
    if abs(value) >= np.finfo(dtype).max:
        return  # numpy's spacing of the largest number overflows
    assert float(spacing(np.asarray(float(value)), dtype)) == float(np.spacing(np.abs(value)))


def test_spacing_of_bfloat16() -> None:
    assert float(spacing(np.asarray(1.0), "bfloat16")) == 2.0**-7
    assert float(spacing(np.asarray(0.0), "bfloat16")) == 2.0**-133


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_spacing_at_one_number_is_that_of_an_array(dtype: str) -> None:
    values = [0.0, -0.0, 5e-324, FORMATS[dtype].tiny, -FORMATS[dtype].quantum, FORMATS[dtype].max,
              *(sign * m * 2.0**e for e in range(-160, 160, 7) for m in (1.0, 1.5, 2 - 2.0**-52) for sign in (1, -1))]
    assert [spacing_at(v, dtype) for v in values] == spacing(np.array(values), dtype).tolist()

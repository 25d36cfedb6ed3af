"""Layouts hold what they are given; guards find who writes beside it; who ignores strides reads something else."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from oracle.cases.case import parse
from oracle.cases.surroundings.memory import LAYOUTS, Memory, Spot
from oracle.truth.evaluate import FLOATS, evaluate

Array = np.ndarray[Any, Any]

SHAPES = {name: (4, 3, 2, 5) if layout.least_axes > 2 else (6, 5) for name, layout in LAYOUTS.items()}


def values(name: str, dtype: Any = np.float32) -> Array:
    shape = SHAPES[name]
    numbers = np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)
    return numbers if LAYOUTS[name].writable else np.broadcast_to(numbers[:1], shape)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.complex64])
@pytest.mark.parametrize("name", LAYOUTS)
def test_an_array_is_itself_in_every_layout(name: str, dtype: Any) -> None:
    given = values(name, dtype)
    memory = Memory(name)
    placed = memory.place(given, "input")
    assert placed.dtype == given.dtype
    assert (placed == given).all()
    assert not np.shares_memory(placed, given)
    assert memory.overwritten() == 0


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in ("contiguous", "offset")])
def test_whoever_ignores_strides_reads_something_else(name: str) -> None:
    spot = Spot.of(values(name), LAYOUTS[name])
    as_contiguous = spot.buffer[spot.first:][:values(name).size].reshape(SHAPES[name])
    assert (as_contiguous != values(name)).any()


def test_whoever_ignores_the_offset_reads_something_else() -> None:
    spot, aligned = (Spot.of(values("offset"), LAYOUTS[name]) for name in ("offset", "contiguous"))
    assert spot.first == aligned.first + 1
    assert spot.buffer[aligned.first] != values("offset").flat[0]


@pytest.mark.parametrize("name", LAYOUTS)
def test_whoever_writes_beside_the_array_is_found(name: str) -> None:
    for before in (1, 8):
        memory = Memory(name)
        spot = memory.spot(values(name), "input")
        assert spot is not None
        places = np.flatnonzero(spot.holes())
        for place in (places[0], places[-1], spot.first - before):
            kept = spot.buffer[place].copy()
            if not spot.holes()[place]:
                continue
            spot.buffer[place] = 7
            assert memory.overwritten() == 1
            spot.buffer[place] = kept
    assert memory.overwritten() == 0


@pytest.mark.parametrize("name", LAYOUTS)
def test_writing_to_the_array_itself_is_no_fault(name: str) -> None:
    memory = Memory(name)
    placed = memory.place(values(name), "input")
    placed[...] = 7
    assert memory.overwritten() == 0


def test_a_nan_and_a_zero_of_another_sign_are_writes_too() -> None:
    memory = Memory("strided")
    spot = memory.spot(np.zeros(3, np.float32), "input")
    assert spot is not None
    spot.buffer[spot.first + 1] = np.nan
    assert memory.overwritten() == 1


def test_one_role_alone_is_laid_out() -> None:
    memory = Memory("strided:gradient")
    assert memory.place(np.arange(5.0), "gradient").strides == (16,)
    assert memory.place(np.arange(5.0), "parameter").strides == (8,)


def test_parameters_are_never_broadcast() -> None:
    assert Memory("broadcast").layout("parameter") is None
    assert Memory("broadcast").spot(np.ones((4, 3)), "parameter") is None


def test_lines_that_differ_are_not_broadcast() -> None:
    assert Memory("broadcast").spot(np.arange(12.0).reshape(4, 3), "input") is None


def test_arrays_in_tuples_are_placed_one_by_one() -> None:
    first, (second,), number = Memory("strided").place_all((np.arange(3.0), (np.arange(4.0),), 5), "tail")
    assert first.strides == second.strides == (16,)
    assert number == 5


@pytest.mark.parametrize("op", ["uniform_", "normal_", "trunc_normal_", "xavier_normal_"])
@pytest.mark.parametrize("layout", ["transposed", "channels_last"])
def test_initializers_draw_in_the_order_of_memory(op: str, layout: str) -> None:
    """So the exact value is another one."""
    size = "3x5x7x9" if layout == "channels_last" else "33x17"
    plain, other = (evaluate(case, FLOATS)["tensor"] for case in (
        parse(f"{op}/float32/default@size={size}"), parse(f"{op}/float32/default@size={size},memory={layout}")))
    assert (plain != other).mean() > 0.9

"""The shared primitives: special values as torch has them, exact values, and half types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre
from reference import blocks, numerics, reduction

INF, NAN = np.inf, np.nan
ROWS = np.array([[-INF, -INF], [INF, 0], [INF, INF], [-INF, 1], [NAN, 1], [-INF, INF], [0, 0], [1e4, -1e4]])
SPECIAL = np.array([INF, -INF, NAN, 0.0, -200.0, 1000.0, -1000.0])


def kinds(x: Any) -> list[str]:
    """What IEEE calls each element: a NaN, an infinity or a finite number."""
    return ["nan" if np.isnan(v) else str(v) if np.isinf(v) else "finite" for v in np.ravel(x)]


@pytest.mark.parametrize(("ours", "theirs"), [
    (numerics.logsumexp, torch.logsumexp), (numerics.log_softmax, torch.log_softmax),
    (numerics.softmax, torch.softmax)])
def test_rows_with_special_values(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    assert kinds(ours(ROWS, 1)) == kinds(theirs(torch.from_numpy(ROWS), 1))


@pytest.mark.parametrize(("ours", "theirs"), [
    (numerics.softplus, torch.nn.functional.softplus), (numerics.log_sigmoid, torch.nn.functional.logsigmoid),
    (numerics.sigmoid, torch.sigmoid), (numerics.relu, torch.relu)])
def test_elements_with_special_values(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    assert kinds(ours(SPECIAL)) == kinds(theirs(torch.from_numpy(SPECIAL)))


def test_xlogy_of_special_values() -> None:
    x, y = (a.ravel() for a in np.meshgrid([0.0, 1.0, -1.0, NAN, INF], [0.0, 1.0, -1.0, NAN, INF]))
    theirs = torch.xlogy(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    ours = numerics.xlogy(x, y)
    assert kinds(ours) == kinds(theirs)
    assert (ours[x == 0] == theirs[x == 0])[~np.isnan(y[x == 0])].all()


def test_values_known_exactly() -> None:
    zero, far = np.zeros(1), np.array([1000.0])
    assert numerics.sigmoid(zero) == 0.5
    assert numerics.sigmoid(far) == 1
    assert numerics.softplus(far) == 1000
    assert numerics.softplus(-far) == 0
    assert numerics.log_sigmoid(-far) == -1000
    assert numerics.softmax(np.full((1, 4), 7.0), 1).tolist() == [[0.25] * 4]
    assert numerics.logsumexp(np.array([[1e4, -1e4]]), 1) == 1e4
    assert (numerics.logsumexp(np.zeros((2, 1)), 1, keepdims=True) == np.zeros((2, 1))).all()


def test_a_naive_formula_would_be_seen() -> None:
    with np.errstate(all="ignore"):
        naive = np.log(np.sum(np.exp(ROWS), axis=1))
    assert kinds(naive) != kinds(numerics.logsumexp(ROWS, 1))


def test_sums_of_half_types_round_once() -> None:
    for dtype in (np.float16, ml_dtypes.bfloat16):
        many = np.ones(4096, dtype)
        assert numerics.total(many).dtype == dtype
        assert numerics.total(many) == 4096  # a running sum would stop at 2048 or 256
        assert reduction.reduce_losses(many * dtype(100), "mean") == 100  # whose sum float16 cannot hold


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble])
def test_dtypes_are_kept(dtype: Any) -> None:
    x = np.array([[0.5, -1.0, 2.0]], dtype)
    for primitive in (numerics.softplus, numerics.sigmoid, numerics.log_sigmoid, numerics.relu):
        assert primitive(x).dtype == dtype
    for over_rows in (numerics.logsumexp, numerics.log_softmax, numerics.softmax):
        assert over_rows(x, 1).dtype == dtype
    assert numerics.xlogy(x, x).dtype == dtype


def test_promotion_is_that_of_torch() -> None:
    names = ["float16", "bfloat16", "float32", "float64", "int64", "uint8"]
    for a in names:
        for b in names:
            if not {a, b} <= {"int64", "uint8"}:
                theirs = torch.promote_types(getattr(torch, a), getattr(torch, b))
                made = [np.zeros(1, getattr(ml_dtypes, n) if n == "bfloat16" else n) for n in (a, b)]
                assert f"torch.{numerics.result_type(*made).name}" == str(theirs)


def test_unbroadcast_is_the_adjoint_of_broadcasting() -> None:
    for shape in [(), (1,), (4,), (3, 1), (1, 4), (3, 4), (2, 3, 4), (2, 1, 1)]:
        like = np.zeros(shape)
        back = numerics.unbroadcast(np.ones((2, 3, 4)), like)
        assert back is not None
        assert back.shape == shape
        assert (back == 24 // like.size).all()
    assert numerics.unbroadcast(np.ones(3), np.zeros(3, np.int64)) is None


def test_balls_take_the_same_path() -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (4, 5))
    with arithmetic(Arithmetic.exact(200)):
        for primitive in (numerics.log_softmax, numerics.softmax, numerics.logsumexp):
            exact = centre(primitive(balls(x), 1))
            # max, difference, exponential, sum of 5, logarithm: 8 roundings at most of numbers below 16
            assert (np.abs(primitive(x, 1) - exact) <= 8 * 16 * 2.0**-53).all()
        assert (centre(numerics.softplus(balls(x))) > 0).all()
        assert (centre(numerics.xlogy(balls(np.zeros(2)), balls(np.zeros(2)))) == 0).all()


@pytest.mark.parametrize(("size_average", "reduce", "meant"), [
    (None, True, "mean"), (True, None, "mean"), (False, None, "sum"), (None, False, "none"), (True, False, "none"),
    (False, True, "sum")])
def test_older_arguments_of_reduction(size_average: bool | None, reduce: bool | None, meant: str) -> None:
    with pytest.warns(UserWarning, match=f"reduction='{meant}'"):
        assert reduction.resolve("none", size_average=size_average, reduce=reduce) == meant
    with pytest.warns(UserWarning, match=meant):
        assert torch.nn._reduction.legacy_get_string(size_average, reduce) == meant


def test_names_of_reductions() -> None:
    assert reduction.resolve("batchmean", extra=("batchmean",)) == "batchmean"
    with pytest.raises(ValueError, match="one of none, mean, sum, not 'batchmean'"):
        reduction.resolve("batchmean")
    with pytest.warns(UserWarning, match="called 'mean'"):
        assert reduction.resolve("elementwise_mean") == "mean"


def test_selection_by_bits_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    values = np.array([NAN, INF, -INF, 0.0, -0.0, 1.5, -1e-45])
    for dtype in (np.float16, np.float32, np.float64, np.longdouble, ml_dtypes.bfloat16, np.complex64, np.int64):
        with np.errstate(all="ignore"):
            x, y = (rng.choice(values, (3, 40)).astype(dtype) for _ in range(2))
        for condition in (rng.random((3, 40)) < 0.5, rng.random(40) < 0.5, np.True_, np.False_):
            for a, b in ((x, y), (x, 0), (x, -2), (1, y), (x, y[0]), (x[0, 0], y), (x[:, ::2][:, :1], y)):
                theirs, ours = np.where(condition, a, b), numerics.where(condition, a, b)
                assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
                np.testing.assert_array_equal(ours.astype(complex), theirs.astype(complex))
                signs = [np.signbit(a.real.astype(float)) for a in (ours, theirs)]
                np.testing.assert_array_equal(*signs)


def test_selection_among_balls_is_undecided_where_the_condition_is() -> None:
    with arithmetic(Arithmetic.exact(200)):
        x = balls(np.array([-1.0, 1.0]))
        assert centre(numerics.where(x > 0, x, 0)).tolist() == [0.0, 1.0]
        assert centre(numerics.indicator(x > 0, x.dtype)).tolist() == [0.0, 1.0]
        assert centre(numerics.clip(x * 3, -2.0, 1.0)).tolist() == [-2.0, 1.0]
        assert centre(np.maximum(np.log1p(balls(np.array([-1.0, 0.0]))), -100)).tolist() == [-100.0, 0.0]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble])
def test_clip_and_indicator_keep_the_dtype(dtype: Any) -> None:
    x = np.array([-3, -1, 0.5, 7, NAN], dtype)
    with np.errstate(invalid="ignore"):
        clipped, positive = numerics.clip(x, -1, 1), numerics.indicator(x > 0, x.dtype)
    assert clipped.dtype == positive.dtype == x.dtype
    np.testing.assert_array_equal(clipped.astype(float), [-1, -1, 0.5, 1, NAN])
    assert positive.astype(float).tolist() == [0, 0, 1, 1, 0]


SHAPES = [((10,),), ((3, 3), (3,)), ((10,), ()), ((10, 3), (3,)), ((10, 3), (10, 1)), ((1, 30), (10, 1)),
          ((30,), (2, 1, 1)), ((2, 30), (1, 30)), ((3, 2, 5), (2, 1)), ((1, 1, 30), (30,)), ((0, 3), (0, 3))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_blocks_are_the_whole(shapes: tuple[tuple[int, ...], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 6)
    rng = np.random.default_rng(1)
    arrays = [rng.integers(-9, 9, shape).astype(float) for shape in shapes]
    whole = sum(np.broadcast_arrays(*arrays))

    calls = []

    def f(*parts: Any) -> Any:
        calls.append(parts)
        return sum(np.broadcast_arrays(*parts))

    assert (blocks.map_blocks(f, *arrays) == whole).all()
    assert len(calls) == len(list(blocks.blocks(arrays)))
    assert (len(calls) > 1) == (len(whole) > 1 and max(a.size for a in arrays) > 6)
    pair = blocks.map_blocks(lambda *a: (f(*a), None, -f(*a)), *arrays)
    assert pair[1] is None
    assert (pair[2] == -whole).all()
    assert (reduction.reduce_blocks(f, arrays, "none") == whole).all()
    assert reduction.reduce_blocks(f, arrays, "sum") == whole.sum()
    np.testing.assert_equal(reduction.reduce_blocks(f, arrays, "mean", 4), whole.sum() / 4)
    if whole.size:
        assert reduction.reduce_blocks(f, arrays, "mean") == whole.sum() / whole.size


def test_blocks_of_half_types_round_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 512)
    for dtype in (np.float16, ml_dtypes.bfloat16):
        many = np.ones(4096 + 512, dtype)
        total = reduction.reduce_blocks(lambda x: x, [many], "sum")
        assert (total.dtype, total) == (dtype, 4608)  # whose sum block by block in bfloat16 is 4096
        assert reduction.reduce_blocks(np.sqrt, [many * dtype(100)], "mean") == 10

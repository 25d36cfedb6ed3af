"""The shared primitives: special values as torch has them, exact values, and half types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from oracle.ball import Arithmetic, arithmetic, balls, centre
from reference import numerics, reduction

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
        assert reduction.resolve("none", size_average, reduce) == meant
    with pytest.warns(UserWarning, match=meant):
        assert torch.nn._reduction.legacy_get_string(size_average, reduce) == meant


def test_names_of_reductions() -> None:
    assert reduction.resolve("batchmean", extra=("batchmean",)) == "batchmean"
    with pytest.raises(ValueError, match="one of none, mean, sum, not 'batchmean'"):
        reduction.resolve("batchmean")
    with pytest.warns(UserWarning, match="called 'mean'"):
        assert reduction.resolve("elementwise_mean") == "mean"

"""Samples of large arrays: a tail, a block or a single row that is wrong is among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oracle
from oracle.sound import judging
from oracle.sound.sampling import edges, places
from reference import losses

RNG = np.random.default_rng(1)
N = 200_003


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large here is small enough for a test."""
    monkeypatch.setattr(judging, "WHOLE", 10_000)


def _elements() -> dict[str, Any]:
    x, y, g = (RNG.standard_normal(N).astype(np.float32) for _ in range(3))
    got = losses.mse_loss(x, y, reduction="none")
    slope = losses.mse_loss_backward(g, x, y, reduction="none")[0]
    return {"got": got, "gradients": {"input": slope}, "grad_output": g, "input": x, "target": y, "reduction": "none"}


def _rows() -> dict[str, Any]:
    x, y, g = (RNG.standard_normal((3001, 20)).astype(np.float32), RNG.integers(0, 20, 3001),
               RNG.standard_normal(3001).astype(np.float32))
    got = losses.cross_entropy(x, y, reduction="none")
    slope = losses.cross_entropy_backward(g, x, y, reduction="none")[0]
    return {"got": got, "gradients": {"input": slope}, "grad_output": g, "input": x, "target": y, "reduction": "none"}


def test_a_sound_answer_says_how_many_were_looked_at() -> None:
    found = oracle.assert_sound("mse_loss", **_elements())
    assert found.of == 2 * N
    assert 500 < found.judged < 5_000
    assert "(edges, suspects and random ones)" in str(found)
    assert oracle.assert_sound("cross_entropy", **_rows()).of == 3001 * 21


@pytest.mark.parametrize("where", [np.s_[-3:], np.s_[1024 * 77:1024 * 78], np.s_[123_456], np.s_[:16]])
def test_a_wrong_element_is_found(where: Any) -> None:
    given = _elements()
    slope = given["gradients"]["input"]
    slope[where] *= np.float32(1 + 1e-5)
    place = np.arange(N)[where]
    with pytest.raises(AssertionError, match=r"EXCEEDS grad\.input") as failure:
        oracle.assert_sound("mse_loss", **given)
    index = int(str(failure.value).partition("grad.input[")[2].partition("]")[0])
    assert index in np.atleast_1d(place)


@pytest.mark.parametrize("where", [np.s_[-1], np.s_[1024:2048], np.s_[1234], np.s_[1234, 7]])
def test_a_wrong_row_is_found(where: Any) -> None:
    given = _rows()
    given["gradients"]["input"][where] *= np.float32(1 + 1e-4)
    with pytest.raises(AssertionError, match=r"EXCEEDS grad\.input.*of which .* were looked at"):
        oracle.assert_sound("cross_entropy", **given)


def test_a_number_that_is_none_is_found() -> None:
    given = _elements()
    given["got"][777] = np.nan
    with pytest.raises(AssertionError, match=r"output\[777\]: got nan"):
        oracle.assert_sound("mse_loss", **given)


def test_a_reduced_loss_is_judged_whole() -> None:
    x, y = RNG.standard_normal((2, N)).astype(np.float32)
    loss = losses.mse_loss(x, y)
    slope = losses.mse_loss_backward(np.float32(1), x, y)[0].copy()
    given: dict[str, Any] = {"input": x, "target": y}
    assert oracle.assert_sound("mse_loss", loss, gradients={"input": slope}, **given).judged == N + 1
    slope[N // 3] = 0
    with pytest.raises(AssertionError, match=rf"1 of {N:,} elements, in \[{N // 3}\]"):
        oracle.assert_sound("mse_loss", loss, gradients={"input": slope}, **given)


def test_a_weight_that_rows_could_be_taken_for_is_not_cut() -> None:
    """As many classes as rows: nobody can tell by its shape whether an array is one of rows."""
    x, y, w = RNG.standard_normal((120, 120)).astype(np.float32), RNG.integers(0, 120, 120), np.ones(120, np.float32)
    got = losses.cross_entropy(x, y, w, reduction="none")
    found = oracle.assert_sound("cross_entropy", got, input=x, target=y, weight=w, reduction="none")
    assert found.judged == 120


def test_places_hold_edges_suspects_and_one_of_each_block() -> None:
    n = 10_000
    at = places(n, np.array([5_555]), 10**6, np.random.default_rng(0))
    assert {*edges(n), 5_555} <= set(at.tolist())
    assert set(range(n // 1024)) <= {int(i) // 1024 for i in at}
    assert len(places(n, np.zeros(0, int), 0, np.random.default_rng(0))) < 200

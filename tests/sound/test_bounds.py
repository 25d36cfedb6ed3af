"""Truth and bound as arrays, and tolerances that let every sound answer through, and little else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oracle
from oracle.sound.bounds import _lowest_line, _up
from reference import losses

RNG = np.random.default_rng(2)
X, Y = RNG.standard_normal((2, 50)).astype(np.float32)


def test_a_bound_holds_the_reference_and_is_no_wider_than_it_has_to_be() -> None:
    found = oracle.bound("mse_loss", input=X, target=Y, reduction="none")
    got = losses.mse_loss(X, Y, reduction="none").astype(np.float64)
    assert found.dtype == "float32"
    assert np.all(np.abs(got - found.truth) <= found.bound)
    assert np.all(found.bound <= 8 * 2.0**-23 * found.truth + 1e-40)


def test_gradients_and_another_type() -> None:
    found = oracle.bound("mse_loss", dtype="bfloat16", gradients=["input", "target"], input=X, target=Y)
    assert set(found.others) == {"grad.input", "grad.target"}
    assert found.others["grad.input"].dtype == "bfloat16"
    with pytest.raises(ValueError, match="has no gradient of 'weight' here; it has those of input, target"):
        oracle.bound("mse_loss", gradients=["weight"], input=X, target=Y)


def test_what_is_no_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="op needs a loss; AdamW is none"):
        oracle.bound("AdamW", input=X)
    with pytest.raises(ValueError, match="dtype needs one of"):
        oracle.bound("mse_loss", dtype="int8", input=X, target=Y)
    with pytest.raises(ValueError, match="expected needs implementation or truth; 'torch' came"):
        oracle.tolerance("mse_loss", expected="torch", input=X, target=Y)


@pytest.mark.parametrize("of", ["output", "input"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_no_sound_answer_fails_on_a_tolerance(of: str, reduction: str) -> None:
    """The two that are furthest apart, at the far ends of their bounds, pass; a little further off they do not."""
    given: dict[str, Any] = {"input": X, "target": Y, "reduction": reduction}
    grad = np.ones(50 if reduction == "none" else (), np.float32)
    allowed = oracle.tolerance("mse_loss", of=of, grad_output=grad, **given)
    found = oracle.bound("mse_loss", gradients=["input"], grad_output=grad, **given)
    one = found if of == "output" else found.others["grad.input"]
    expected = np.sign(one.truth) * (np.abs(one.truth) - one.bound)
    differs = 2 * one.bound
    limit = allowed.atol + allowed.rtol * np.abs(expected)
    assert np.all(differs <= limit * (1 + 1e-12))
    assert np.max(differs / limit) > 0.8, "it is no looser than two digits make it"
    half = oracle.tolerance("mse_loss", of=of, grad_output=grad, expected="truth", **given)
    assert half.rtol <= allowed.rtol
    assert half.atol <= allowed.atol


def test_it_can_be_pasted_into_a_test() -> None:
    line = str(oracle.tolerance("mse_loss", input=X, target=Y, reduction="none"))
    call = f"dict({line.partition('  # ')[0]})"
    found = eval(call)
    np.testing.assert_allclose(losses.mse_loss(X, Y, reduction="none"), (X - Y) ** 2, **found)
    assert "  # mse_loss in float32: output[" in line


def test_where_nothing_is_enough_that_is_said() -> None:
    x, y = np.float16([[3e4, 3e4]]), np.float16([[-3e4, 3e4]])
    with pytest.raises(ValueError, match=r"no tolerance is enough for output"):
        oracle.tolerance("mse_loss", input=x * np.float16(0.01), target=y * np.float16(0.01), reduction="sum",
                         accuracy="storage")


def test_the_lowest_line_lies_above_all_points() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes, differs = rng.exponential(1, 30), rng.exponential(1e-6, 30)
        rtol, atol = _lowest_line(sizes, differs)
        assert np.all(atol + rtol * sizes >= differs * (1 - 1e-12))
        for other in np.geomspace(1e-9, 1e-4, 60):
            rest = max(float((differs - other * sizes).max()), 0.0)
            assert rtol * sizes.mean() + atol <= 1.25 * (other * sizes.mean() + rest), "two digits cost a quarter"


def test_two_digits_are_rounded_up() -> None:
    for x in (1.01e-7, 9.99e-7, 1e-300, 3.0, 1.0000001):
        assert x <= _up(x) <= 1.1 * x

"""Adafactor: worked values, and where torch does otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference.optim import Adafactor, Parameter
from tests.optim.twin_optimizers import U, to_torch


def test_adafactor_by_hand():
    """Row means 2.5 and 10, column means 10 and 2.5 of g²; V = R C / 6.25 is g² itself for a matrix of rank 1."""
    p = Parameter(np.full((2, 2), 2.0))
    p.grad = np.array([[2.0, 1.0], [4.0, 2.0]])
    optimizer = Adafactor([p], lr=0.5, weight_decay=0.5)
    optimizer.step()
    assert optimizer.state[p]["row_var"].tolist() == [[2.5], [10.0]]
    assert optimizer.state[p]["col_var"].tolist() == [[10.0, 2.5]]
    # RMS(θ) = 2 from before the decay, U = 1 throughout: 2 · (1 - 0.25) - 0.5 · 2
    # V: 4 roundings; U: 4; its RMS: 10; the step and the difference: 6, of numbers up to 2
    assert p.data == pytest.approx(np.full((2, 2), 0.5), abs=(4 + 4 + 10 + 6) * 2 * U)


def test_adafactor_clips_by_the_rms_of_the_update():
    """From the second step on fresh is 2^-0.5: a gradient of 0, then of 3, gives U = 3 / √(9 · 2^-0.5) = 2^0.25."""
    for d, u in ((1.0, 1.0), (1.125, 1.125), (2.0, 2**0.25)):
        p = Parameter(np.zeros(1))
        optimizer = Adafactor([p], lr=0.5, beta2_decay=-0.5, eps=(0.0, 1.0), d=d)
        p.grad = np.full(1, 1e-30)
        optimizer.step()
        before = p.data.item()
        p.grad = np.full(1, 3.0)
        optimizer.step()
        assert before - p.data.item() == pytest.approx(0.5 * u, abs=(4 + 4 + 10 + 6) * 2 * U)  # as above


def test_an_empty_parameter_only_counts_where_torch_divides_by_zero():
    p = Parameter(np.ones((0, 2)))
    p.grad = p.data.copy()
    optimizer = Adafactor([p])
    optimizer.step()
    assert optimizer.state[p]["step"] == 1
    theirs = to_torch(p)
    theirs.grad = torch.zeros_like(theirs)
    with pytest.raises(ZeroDivisionError):
        torch.optim.Adafactor([theirs]).step()


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e10), (np.float16, 32.0)])
def test_large_gradients_of_a_matrix_move_it_and_not_torchs(dtype, size):
    p = Parameter(np.ones((2, 2), dtype))
    p.grad = np.full((2, 2), size, dtype)
    theirs = to_torch(p)
    theirs.grad = torch.from_numpy(p.grad)
    Adafactor([p], lr=0.5).step()
    torch.optim.Adafactor([theirs], lr=0.5).step()
    assert p.data.tolist() == [[0.5, 0.5]] * 2
    assert theirs.tolist() == [[1.0, 1.0]] * 2

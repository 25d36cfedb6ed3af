"""SparseAdam: by hand, and its state through torch and back."""

from __future__ import annotations

import numpy as np
import torch

from oracle.targets.pytorch import to_gradient
from reference.optim import Parameter, SparseAdam, SparseGrad
from tests.optim.twin_optimizers import same, sparse_draws, to_numpy, to_torch


def test_sparse_adam_by_hand():
    """Betas of a half: m and v of what is there only; an empty gradient counts as a step."""
    p = Parameter(np.zeros(2))
    optimizer = SparseAdam([p], lr=1.0, betas=(0.5, 0.75), eps=1.0)
    p.grad = SparseGrad([[0, 0]], np.array([1.0, 3.0]), (2,))
    optimizer.step()
    assert optimizer.state[p]["exp_avg"].tolist() == [2.0, 0.0]
    assert optimizer.state[p]["exp_avg_sq"].tolist() == [4.0, 0.0]
    assert p.data.tolist() == [-1.0 * 0.5 / 0.5 * 2 / (2 + 1), 0.0]
    before = p.data.copy()
    p.grad = SparseGrad(np.zeros((1, 0)), np.zeros(0), (2,))
    optimizer.step()
    assert same(p.data, before)
    assert optimizer.state[p]["step"] == 2


def test_sparse_adams_state_goes_both_ways():
    ours, theirs = Parameter(np.ones((4, 2))), torch.nn.Parameter(torch.ones(4, 2).double())
    a, b = SparseAdam([ours]), torch.optim.SparseAdam([theirs])
    for seed in range(3):
        ours.grad, theirs.grad = sparse_draws(seed), to_gradient(sparse_draws(seed))
        a.step()
        b.step()
    a.load_state_dict(to_numpy(b.state_dict()))
    assert same(a.state_dict(), to_numpy(b.state_dict()))
    assert type(a.state[ours]["step"]) is int
    b.load_state_dict(to_torch(a.state_dict()))
    assert same(a.state_dict(), to_numpy(b.state_dict()))

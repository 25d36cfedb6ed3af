"""ASGD: in mpmath, and where torch does otherwise."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from reference.optim import ASGD, Parameter
from tests.optim.twin_optimizers import U, at, path, same, to_torch


def test_asgd_by_hand():
    p = at(0)
    optimizer = ASGD([p], lr=1.0, lambd=3.0, alpha=0.5, t0=1)
    means = []
    thetas = []
    for _ in range(5):
        p.grad = np.ones(1)
        optimizer.step()
        thetas.append(p.data.item())
        means.append(optimizer.state[p]["ax"].item())
    theta, exact = mpmath.mpf(0), []
    for t in range(1, 6):
        eta = 1 / mpmath.sqrt(1 + 3 * (t - 1))
        theta = (1 - 3 * eta) * theta - eta
        exact.append(theta)
    assert all(abs(x - e) <= 60 * U * 2 for x, e in zip(thetas, exact, strict=True))
    assert means[:3] == thetas[:3]  # n = 1 up to step t0 + 2
    # a mean is moved by a difference, a quotient and a sum, of numbers of one sign; ``expected`` rounds twice or thrice
    assert means[3] == pytest.approx((thetas[2] + thetas[3]) / 2, rel=4 * U)
    assert means[4] == pytest.approx(sum(thetas[2:]) / 3, rel=8 * U)


def test_before_the_average_starts_it_is_the_parameter_to_the_last_bit():
    """A sum with the last mean would lose what is small beside it."""
    p = at(0)
    optimizer = ASGD([p], lr=1.0, lambd=1.0, alpha=0.0)  # a parameter is minus the gradient
    for gradient in (1.0, 1e-30):
        p.grad = np.array([gradient])
        optimizer.step()
        assert optimizer.state[p]["ax"].item() == p.data.item() == -gradient


def test_asgd_learning_rates_change_one_step_late():
    p = at(0)
    q = to_torch(p)
    ours, theirs = ASGD([p], lr=0.5, lambd=0.0), torch.optim.ASGD([q], lr=0.5, lambd=0.0)
    seen = []
    for _ in range(4):
        p.grad, q.grad = np.ones(1), torch.ones(1).double()
        ours.step()
        theirs.step()
        assert p.data.item() == q.item()
        seen.append(p.data.item())
        for optimizer in (ours, theirs):
            optimizer.param_groups[0]["lr"] /= 2
    assert seen == [-0.5, -1.0, -1.25, -1.375]


def test_asgd_of_doubles_steps_by_a_double_but_torch_by_a_float32():
    p = at(0)
    q = to_torch(p)
    theirs = torch.optim.ASGD([q], lr=0.1)
    q.grad = torch.ones(1).double()
    theirs.step()
    assert path(ASGD([p], lr=0.1), p, (1,)) == [-0.1]
    assert q.item() == -np.float32(0.1)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_asgd_loads_its_rates_as_they_are(dtype):
    p = Parameter(np.ones(1, dtype))
    optimizer = ASGD([p], lr=0.1)
    p.grad = np.ones(1, dtype)
    optimizer.step()
    other = ASGD([p])
    other.load_state_dict(optimizer.state_dict())
    assert same(dict(other.state[p]), dict(optimizer.state[p]))
    assert other.state[p]["eta"].dtype == np.float32

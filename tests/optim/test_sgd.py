"""SGD: by hand, against torch step by step, and with sparse gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from reference.optim import SGD, Parameter
from tests.optim.twin_optimizers import CLASSES, U, pair, run, sparse_draws, to_numpy, to_torch


@pytest.mark.parametrize(("options", "expected"), [
    ({}, [0.5, 0.0]),
    ({"momentum": 0.5}, [0.5, -0.25]),
    ({"momentum": 0.5, "dampening": 0.5}, [0.5, 0.0]),  # the first step has no dampening
    ({"momentum": 0.5, "nesterov": True}, [0.25, -0.625]),
    ({"weight_decay": 0.5}, [0.25, -0.3125]),
    ({"momentum": 0.5, "weight_decay": 0.5}, [0.25, -0.6875]),  # the buffer has the decay in it
    ({"maximize": True}, [1.5, 2.0]),
    ({"maximize": True, "weight_decay": 0.5}, [1.25, 1.4375]),  # decay shrinks all the same
])
def test_sgd_by_hand(options, expected):
    p = Parameter(np.ones(1))
    optimizer = SGD([p], lr=0.5, **options)
    seen = []
    for _ in expected:
        p.grad = np.ones(1)
        optimizer.step()
        seen.append(p.data.item())
    assert seen == expected


@pytest.mark.parametrize(("momentum", "dampening", "nesterov"),
                         [(0, 0, False), (0.9, 0, False), (0.9, 0.5, False), (0.9, 0, True), (0, 0.5, False)])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("lr", [1e-3, 0.1])
def test_sgd_steps_as_torch_does(lr, weight_decay, maximize, momentum, dampening, nesterov):
    """At most 9 operations a side stand in a step, each within U of the sum of absolute values: 18 U."""
    options = {"lr": lr, "weight_decay": weight_decay, "maximize": maximize, "momentum": momentum,
               "dampening": dampening, "nesterov": nesterov}
    ours, theirs, params, torch_params = pair(CLASSES[0], options)
    for t in range(1, 12):
        for p, q in zip(params, torch_params, strict=True):
            q.data.copy_(torch.from_numpy(p.data))
        theirs.load_state_dict(to_torch(copy.deepcopy(ours.state_dict())))
        before = copy.deepcopy([(p.data, ours.state.get(p, {}).get("momentum_buffer", 0.0)) for p in params])
        run(ours, params, [t])
        run(theirs, torch_params, [t])
        for (theta, b), p, q in zip(before, params, torch_params, strict=True):
            size = abs(p.grad) + weight_decay * abs(theta)
            d_b = 18 * U * (momentum * abs(b) + size)
            state, other = ours.state.get(p, {}), to_numpy(theirs.state.get(q, {}))
            assert state.keys() == other.keys() == ({"momentum_buffer"} if momentum else set())
            assert all(np.all(abs(state[k] - other[k]) <= d_b) for k in state)
            assert np.all(abs(p.data - to_numpy(q)) <= 18 * U * abs(theta) + lr * (d_b + 18 * U * size) * 2)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sparse_momentum_is_dense_momentum_on_what_was_touched(nesterov):
    dense, sparse = (Parameter(np.ones((4, 2))) for _ in range(2))
    a, b = (SGD([p], lr=0.1, momentum=0.5, nesterov=nesterov) for p in (dense, sparse))
    for seed in range(4):
        sparse.grad = sparse_draws(seed)
        dense.grad = sparse.grad.to_dense()
        a.step()
        b.step()
        assert np.all(abs(dense.data - sparse.data) <= 64 * U)
        assert np.all(abs(a.state[dense]["momentum_buffer"] - b.state[sparse]["momentum_buffer"].to_dense()) <= 64 * U)
    dense.grad = sparse_draws(9)  # a dense buffer takes a sparse gradient
    a.step()
    sparse.grad = np.ones((4, 2))
    with pytest.raises(RuntimeError, match="sparse gradient"):
        b.step()


@pytest.mark.parametrize("foreach", [False, True])
def test_nesterovs_gradient_stays_but_in_torchs_foreach(foreach):
    """torch's foreach adds the look-ahead to ``p.grad`` itself, as SGD's docstring says."""
    theirs = torch.nn.Parameter(torch.ones(2))
    theirs.grad = torch.full((2,), 2.0)
    ours = Parameter(np.ones(2, np.float32))
    ours.grad = np.full(2, 2, np.float32)
    for _ in range(2):
        torch.optim.SGD([theirs], 0.1, 0.9, nesterov=True, foreach=foreach).step()
        SGD([ours], 0.1, 0.9, nesterov=True).step()
    assert theirs.grad.tolist() == ([pytest.approx(7.22)] * 2 if foreach else [2, 2])
    assert ours.grad.tolist() == [2, 2]

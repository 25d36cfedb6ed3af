"""Adam: in fractions, against torch step by step, and with older states."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch

from reference.optim import Adam, Parameter, adam
from tests.optim.twin_optimizers import CLASSES, U, pair, run, same, to_numpy, to_torch


def test_first_steps_of_adam_are_the_formulas():
    """From 0 the first step is -lr·g/(|g| + eps). Thirteen roundings stand in it, each at most U."""
    for g, eps in product((4.0, -0.25, 1e-8, 1e-30, 1e100), (1e-8, 1e-3)):
        p = Parameter(np.zeros(1))
        p.grad = np.full(1, g)
        Adam([p], lr=0.1, eps=eps).step()
        exact = -Fraction(0.1) * Fraction(g) / (abs(Fraction(g)) + Fraction(eps))
        # 1 - beta2 is a double away from 1 - 0.999: it divides out up to two roundings, as beta1's does.
        assert abs(Fraction(p.data.item()) - exact) <= 13 * Fraction(U) * abs(exact)


def test_second_step_of_adam_in_fractions():
    """Decay rates of a half and three quarters: all is exact but the second step's root."""
    g1, g2 = Fraction(3), Fraction(-1)
    m = (g1 / 2 + g2) / 2
    v = (g1**2 * Fraction(3, 4) + g2**2) / 4
    one = np.ones(1)
    options = {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.0}
    first = adam.adam(one, 3 * one, 0 * one, 0 * one, None, t=1, **options)
    _, m2, v2, _ = adam.adam(first[0], -one, *first[1:], t=2, **options)
    assert first[0].item() == 0.5  # 1 - lr · sign(g)
    assert (Fraction(m2.item()), Fraction(v2.item())) == (m, v)


def test_amsgrad_keeps_the_largest_uncorrected_moment():
    one, zero = np.ones(1), np.zeros(1)
    *_, v_max = adam.adam(one, zero, one, one, one, t=3, lr=0.5, betas=(0.5, 0.5), eps=0.0, amsgrad=True)
    theta, _, v, _ = adam.adam(one, zero, one, one, one, t=1, amsgrad=True, lr=0.5, betas=(0.5, 0.75),
                               eps=0.0)
    assert v_max.item() == 1
    assert v.item() == 0.75
    assert theta.item() == 1 - 0.5 / 0.5 * 0.5 / 2  # the root is 1 / sqrt(1 - 0.75), not sqrt(0.75) / 0.5


def adam_bound(theta, g, m, v_max, new, *, t, lr, betas, eps, weight_decay, decoupled):
    """What two float64 evaluations of a step may differ by: in theta, m and v.

    Each rounding is at most U of its result, and each result at most what absolute values would give.
    m and v: two sound orders of at most 6 operations each. theta: m's error through the division; the
    divisor's 12 operations (v's share halved by the root, powers of beta counted as two); decay and sum.
    """
    size = abs(g) if decoupled else abs(g) + abs(weight_decay * theta)
    b1, b2 = betas
    d_m = 12 * U * (b1 * abs(m) + 2 * (1 - b1) * (size + abs(m)))
    d_v = 16 * U * (new["v"] + (1 - b2) * size**2)
    root = np.sqrt(new["v_max"])
    step = lr / (1 - b1**t) / (root / np.sqrt(1 - b2**t) + eps)
    d_denominator = d_v / np.maximum(root, 1e-300) ** 2
    d_theta = step * (d_m + abs(new["m"]) * (24 * U + d_denominator)) + 8 * U * (abs(theta) + abs(new["p"]))
    return d_theta, d_m, d_v


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize(("lr", "betas", "eps"), [(1e-3, (0.9, 0.999), 1e-8), (0.1, (0.5, 0.0), 1e-3)])
def test_adam_steps_as_torch_does(lr, betas, eps, weight_decay, maximize, amsgrad, decoupled):
    options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
               "amsgrad": amsgrad, "decoupled_weight_decay": decoupled}
    ours, theirs, params, torch_params = pair(CLASSES[1], options)
    for t in range(1, 12):
        for p, q in zip(params, torch_params, strict=True):  # the same state: errors do not add up
            q.data.copy_(torch.from_numpy(p.data))
        theirs.load_state_dict(to_torch(copy.deepcopy(ours.state_dict())))
        before = copy.deepcopy([(p.data, ours.state.get(p, {}).get("exp_avg", 0.0)) for p in params])
        run(ours, params, [t])
        run(theirs, torch_params, [t])
        for (theta, m), p, q in zip(before, params, torch_params, strict=True):
            state, other = ours.state[p], to_numpy(theirs.state[q])
            assert state.keys() == other.keys()
            assert same(state["step"], other["step"])
            v_max = state["max_exp_avg_sq" if amsgrad else "exp_avg_sq"]
            new = {"p": p.data, "m": state["exp_avg"], "v": state["exp_avg_sq"], "v_max": v_max}
            d_theta, d_m, d_v = adam_bound(theta, p.grad, m, v_max, new, t=t, lr=lr, betas=betas, eps=eps,
                                           weight_decay=weight_decay, decoupled=decoupled)
            assert np.all(abs(p.data - to_numpy(q)) <= d_theta)
            assert np.all(abs(state["exp_avg"] - other["exp_avg"]) <= d_m)
            for name in state.keys() - {"step", "exp_avg"}:
                assert np.all(abs(state[name] - other[name]) <= d_v)


def test_old_states_load():
    """A step count that is a number, and groups without the options that came later."""
    p = Parameter(np.ones(2))
    optimizer = Adam([p])
    zeros = np.zeros(2)
    optimizer.load_state_dict({
        "state": {0: {"step": 3, "exp_avg": zeros, "exp_avg_sq": zeros}},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0, "params": [0]}]})
    p.grad = zeros
    optimizer.step()
    assert same(optimizer.state[p]["step"], np.array(4, np.float32))
    assert optimizer.param_groups[0]["amsgrad"] is False


def test_betas_may_be_arrays():
    p, q = Parameter(np.ones(2)), Parameter(np.ones(2))
    p.grad = q.grad = np.ones(2)
    Adam([p], betas=(np.array(0.5), np.array(0.25))).step()
    Adam([q], betas=(0.5, 0.25)).step()
    assert same(p.data, q.data)


def test_the_step_count_is_a_float32_as_torchs():
    """So it stays at 2**24, in torch as here."""
    ours, theirs, params, torch_params = pair(CLASSES[1], {})
    run(ours, params, [1])
    run(theirs, torch_params, [1])
    for state in (ours.state[params[0]], theirs.state[torch_params[0]]):
        state["step"] += 2.0**24
    run(ours, params, [2])
    run(theirs, torch_params, [2])
    assert ours.state[params[0]]["step"] == theirs.state[torch_params[0]]["step"].item() == 2**24

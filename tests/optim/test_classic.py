"""AdamW, RMSprop, Adagrad, Adadelta, Adamax, Rprop and ASGD: worked values, and where torch does otherwise."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch

from reference.optim import ASGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Parameter, RMSprop, Rprop, SparseGrad
from tests.optim.test_optimizer import same, to_numpy, to_torch

U = 2.0**-53  # unit roundoff of float64


def path(optimizer, p, gradients):
    """The parameter after each step."""
    seen = []
    for g in gradients:
        p.grad = np.full_like(p.data, g)
        optimizer.step()
        seen.append(p.data.item())
    return seen


def at(start):
    return Parameter(np.full(1, float(start)))


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({"weight_decay": 0.5}, (0, 0), [0.75, 0.5625]),  # 1 - 0.5 · 0.5, twice
    ({"weight_decay": 0.5, "maximize": True}, (0,), [0.75]),
    ({"weight_decay": 0.5, "eps": 0.0}, (4,), [0.25]),  # and 0.5 less for a first step
    ({"weight_decay": 0, "eps": 1.0, "betas": (0.0, 0.0)}, (3,), [0.625]),  # 1 - 0.5 · 3/4
])
def test_adamw_by_hand(options, gradients, expected):
    p = at(1)
    assert path(AdamW([p], lr=0.5, **options), p, gradients) == expected


def test_adamw_is_adam_with_decoupled_decay():
    p, q = at(1), at(1)
    g = (1.0, -0.5, 0.25)
    assert path(AdamW([p], amsgrad=True), p, g) == path(
        Adam([q], amsgrad=True, weight_decay=1e-2, decoupled_weight_decay=True), q, g)


def test_adamw_goes_on_decoupled_with_a_state_of_adam():
    p = at(1)
    theirs = torch.optim.AdamW([to_torch(p)])
    saved = Adam([p]).state_dict()
    theirs.load_state_dict(to_torch(saved))
    ours = AdamW([p])
    ours.load_state_dict(saved)
    assert ours.param_groups[0]["decoupled_weight_decay"] is theirs.param_groups[0]["decoupled_weight_decay"] is True
    assert saved["param_groups"][0]["decoupled_weight_decay"] is False


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (4, 0), [-2, -2]),  # 1 / √(1-0.75)
    ({"momentum": 0.5}, (4, 0), [-2, -3]),
    ({"eps": 2.0}, (4,), [-1]),  # 4 / (2 + 2): eps outside the root
    ({"maximize": True}, (4,), [2]),
    ({"alpha": 0.0, "weight_decay": 1.0}, (4, 0), [-1, 0]),  # the sign of g + θ
    ({"centered": True, "alpha": 0.5}, (4,), [-2]),  # 4 / √(8 - 2²)
    ({"centered": True, "alpha": 0.5, "momentum": 0.5}, (4, 4), [-2, -2 - 1 - 4 / 3**0.5]),  # 12 - 3²
])
def test_rmsprop_by_hand(options, gradients, expected):
    p = at(0)
    got = path(RMSprop([p], lr=1.0, **{"alpha": 0.75, "eps": 0.0, **options}), p, gradients)
    # moments are exact; root, quotient, buffer and difference round here, root, quotient and two sums in ``expected``
    assert np.allclose(got, expected, rtol=8 * U, atol=0)


def test_rmsprop_of_a_steady_gradient_is_no_nan():
    """Its variance vanishes, and rounding makes it negative: torch's step is NaN after 139 of them."""
    p = Parameter(np.ones(1, np.float32))
    options = {"alpha": 0.9, "centered": True}
    q = to_torch(p)
    ours, theirs = RMSprop([p], **options), torch.optim.RMSprop([q], **options)
    for _ in range(200):
        p.grad, q.grad = np.full(1, 0.7, np.float32), torch.full((1,), 0.7)
        ours.step()
        theirs.step()
    assert np.isfinite(p.data).all()
    assert np.isnan(to_numpy(q)).all()


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (3, 4), [-1, Fraction(-9, 5)]),
    ({"lr_decay": 1.0}, (3, 4), [-1, Fraction(-7, 5)]),  # not at the first step
    ({"initial_accumulator_value": 16.0}, (3, -12), [Fraction(-3, 5), Fraction(-3, 5) + Fraction(12, 13)]),
    ({"eps": 3.0}, (3, 4), [Fraction(-1, 2), Fraction(-1)]),
    ({"weight_decay": 4.0}, (3, 8), [-1, Fraction(-9, 5)]),  # 3, then 8 - 4 = 4
    ({"maximize": True}, (3,), [1]),
])
def test_adagrad_in_fractions(options, gradients, expected):
    p = at(0)
    got = path(Adagrad([p], lr=1.0, **{"eps": 0.0, **options}), p, gradients)
    assert all(abs(Fraction(x) - e) <= 6 * Fraction(U) * 2 for x, e in zip(got, expected, strict=True))


def test_adagrad_has_its_state_before_the_first_step():
    p = Parameter(np.ones(2))
    optimizer, theirs = (cls([x], initial_accumulator_value=0.5) for cls, x in
                         ((Adagrad, p), (torch.optim.Adagrad, to_torch(p))))
    assert same(optimizer.state_dict()["state"], to_numpy(theirs.state_dict()["state"]))


def test_adagrad_starts_both_parts_of_a_complex_sum():
    p = Parameter(np.ones(2, complex))
    theirs = torch.optim.Adagrad([to_torch(p)], initial_accumulator_value=0.5)
    assert same(Adagrad([p], initial_accumulator_value=0.5).state[p]["sum"],
                to_numpy(theirs.state_dict()["state"][0]["sum"]))


def test_a_groups_start_of_adagrad_counts_but_not_in_torch():
    p = Parameter(np.ones(1))
    groups = [{"params": [p], "initial_accumulator_value": 4.0}]
    assert Adagrad(groups).state[p]["sum"] == 4
    q = to_torch(p)
    assert torch.optim.Adagrad([{**groups[0], "params": [q]}]).state[q]["sum"] == 0


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_adagrad_changes_what_a_sparse_gradient_has():
    """The same places twice add up before they are squared; a step without any place counts."""
    p = Parameter(np.ones((4, 2)))
    q = to_torch(p)
    options = {"lr": 1.0, "lr_decay": 0.5, "initial_accumulator_value": 0.25}
    ours, theirs = Adagrad([p], **options), torch.optim.Adagrad([q], **options)
    for places, values in (([1, 1, 3], [[1.0, 2.0], [1.0, 2.0], [0.0, 3.0]]), ([], np.zeros((0, 2))),
                           ([3], [[1.0, 1.0]])):
        p.grad = SparseGrad([places], np.array(values), (4, 2))
        q.grad = torch.sparse_coo_tensor(torch.tensor([places], dtype=torch.int64), torch.tensor(values), (4, 2),
                                         dtype=torch.float64, check_invariants=True)
        ours.step()
        theirs.step()
    assert np.all(abs(p.data - to_numpy(q)) <= 16 * U)
    assert same(dict(ours.state[p]), to_numpy(dict(theirs.state[q])))
    assert same(p.data[::2], np.ones((2, 2)))


def test_adagrad_refuses_decay_of_a_sparse_gradient():
    p = Parameter(np.ones(2))
    p.grad = SparseGrad([[0]], np.ones(1), (2,))
    with pytest.raises(RuntimeError, match="weight_decay"):
        Adagrad([p], weight_decay=0.5).step()


def test_adadelta_in_mpmath():
    p = at(0)
    got = path(Adadelta([p], lr=0.5, rho=0.25, eps=1e-3, weight_decay=0.5), p, (2.0, -1.0, 1e-3))
    with mpmath.workdps(50):
        theta = v = u = mpmath.mpf(0)
        rho, eps = mpmath.mpf(0.25), mpmath.mpf(1e-3)
        for x, gradient in zip(got, (2.0, -1.0, 1e-3), strict=True):
            g = mpmath.mpf(gradient) + theta / 2
            v = rho * v + (1 - rho) * g**2
            delta = mpmath.sqrt(u + eps) / mpmath.sqrt(v + eps) * g
            u = rho * u + (1 - rho) * delta**2
            theta -= delta / 2
            assert abs(x - theta) <= 100 * U * 2  # three steps of a dozen operations, none above 2


def test_adadelta_by_hand():
    p = at(0)
    assert path(Adadelta([p], rho=0.25, eps=1.0), p, (2.0,)) == [-1.0]


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (4, 0), [-1, -1 - Fraction(1, 3) / Fraction(1, 2)]),  # m = 1 of 3/4, u = 2
    ({"eps": 4.0}, (4,), [Fraction(-1, 2)]),
    ({"eps": 2.0}, (4, 0), [Fraction(-2, 3), Fraction(-2, 3) - Fraction(4, 3) / 3]),  # u = 6, then 3
    ({"maximize": True}, (4,), [1]),
    ({"weight_decay": 1.0}, (4, 5), [-1, -2]),  # m = 2 + 4 halves, of 5 - 1
])
def test_adamax_in_fractions(options, gradients, expected):
    p = at(0)
    got = path(Adamax([p], lr=1.0, **{"betas": (0.5, 0.5), "eps": 0.0, **options}), p, gradients)
    assert all(abs(Fraction(x) - e) <= 12 * Fraction(U) * 2 for x, e in zip(got, expected, strict=True))


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (1, 1, 1), [-1, -3, -7]),
    ({}, (9, 1e-300, -1, -1, -1), [-1, -3, -3, -2, 0]),  # a turn is no step, and the next starts anew
    ({}, (1, 0, 1), [-1, -1, -2]),
    ({"step_sizes": (0.25, 3)}, (1, 1, 1), [-1, -3, -6]),
    ({"step_sizes": (0.75, 3)}, (1, -1, -1), [-1, -1, -0.25]),
    ({"step_sizes": (2, 3)}, (1,), [-2]),  # also the first
    ({"step_sizes": (0.25, 0.5)}, (1,), [-0.5]),
    ({"maximize": True}, (1, 1), [1, 3]),
])
def test_rprop_by_hand(options, gradients, expected):
    p, q = at(0), at(0)
    assert path(Rprop([p], lr=1.0, etas=(0.5, 2.0), **options), p, gradients) == expected
    theirs, changed = to_torch(q), to_torch(q)
    optimizer = torch.optim.Rprop([theirs], lr=1.0, etas=(0.5, 2.0), **options)
    for g in gradients:
        theirs.grad = torch.full_like(changed, g)
        optimizer.step()
    assert theirs.item() == expected[-1]


def test_rprop_sees_gradients_whose_product_underflows_but_torch_does_not():
    p = at(0)
    q = to_torch(p)
    theirs = torch.optim.Rprop([q], lr=1.0, etas=(0.5, 2.0))
    for _ in range(2):
        q.grad = torch.full_like(q, 1e-200)
        theirs.step()
    assert path(Rprop([p], lr=1.0, etas=(0.5, 2.0)), p, (1e-200, 1e-200)) == [-1, -3]
    assert q.item() == -2


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

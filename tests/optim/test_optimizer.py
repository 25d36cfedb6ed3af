"""The shared machinery of optimizers, SGD and Adam: by hand, against torch, and back and forth with it."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from itertools import product

import ml_dtypes
import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.spec import Limits
from reference.optim import SGD, Adam, Parameter, SparseGrad, adam

CLASSES = [(SGD, torch.optim.SGD), (Adam, torch.optim.Adam)]
SPECS = [registry.get("SGD"), registry.get("Adam")]
U = 2.0**-53  # unit roundoff of float64
STATEFUL = {SGD: {"momentum": 0.9}, Adam: {"amsgrad": True}}
SHAPES = ((2, 3), (), (0,), (4,))


def to_torch(x):
    """Arrays, also inside dicts, lists and tuples, as tensors; parameters as parameters."""
    match x:
        case Parameter():
            return torch.nn.Parameter(to_torch(x.data))
        case np.ndarray():
            return torch.from_numpy(x.copy())
        case dict():
            return {key: to_torch(value) for key, value in x.items()}
        case list() | tuple():
            return type(x)(map(to_torch, x))
    return x


def to_numpy(x):
    match x:
        case torch.Tensor():
            return x.detach().numpy().copy()
        case dict():
            return {key: to_numpy(value) for key, value in x.items()}
        case list() | tuple():
            return type(x)(map(to_numpy, x))
    return x


def same(a, b):
    """Equal structures of arrays equal bit for bit."""
    if isinstance(a, np.ndarray):
        return type(a) is type(b) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def draws(seed, shapes=SHAPES, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def run(optimizer, params, seeds):
    """Steps of either library, with the gradients of these seeds."""
    for seed in seeds:
        for p, g in zip(params, draws(seed), strict=True):
            p.grad = g if isinstance(p, Parameter) else torch.from_numpy(g)
        optimizer.step()


def pair(classes, options, seed=0):
    """A reference and a torch optimizer over the same values, and the parameters of both."""
    ours = [Parameter(a) for a in draws(seed)]
    theirs = [to_torch(p) for p in ours]
    return classes[0](ours, **options), classes[1](theirs, **options), ours, theirs


# By hand


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


# Against torch, one step at a time from the same state


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


# The state goes both ways


@pytest.mark.parametrize("classes", CLASSES)
def test_torch_continues_undisturbed_after_a_trip_through_the_reference(classes):
    options = STATEFUL[classes[0]]
    _, undisturbed, _, params = pair(classes, options)
    ours, theirs, _mine, torch_params = pair(classes, options)
    run(undisturbed, params, range(1, 4))
    run(theirs, torch_params, range(1, 4))
    ours.load_state_dict(to_numpy(theirs.state_dict()))
    assert same(ours.state_dict(), to_numpy(theirs.state_dict()))  # foreach, fused and others are kept
    fresh = classes[1](torch_params)
    fresh.load_state_dict(to_torch(ours.state_dict()))
    run(undisturbed, params, range(4, 7))
    run(fresh, torch_params, range(4, 7))
    assert same(to_numpy(params), to_numpy(torch_params))
    assert same(to_numpy(undisturbed.state_dict()), to_numpy(fresh.state_dict()))


@pytest.mark.parametrize("classes", CLASSES)
def test_the_reference_continues_undisturbed_after_a_trip_through_torch(classes):
    options = STATEFUL[classes[0]]
    undisturbed, _, params, _ = pair(classes, options)
    ours, theirs, mine, _ = pair(classes, options)
    run(undisturbed, params, range(1, 4))
    run(ours, mine, range(1, 4))
    theirs.load_state_dict(to_torch(ours.state_dict()))
    fresh = classes[0](mine)
    fresh.load_state_dict(to_numpy(theirs.state_dict()))
    run(undisturbed, params, range(4, 7))
    run(fresh, mine, range(4, 7))
    assert same([p.data for p in params], [p.data for p in mine])
    assert same(undisturbed.state_dict()["state"], fresh.state_dict()["state"])


@pytest.mark.parametrize("classes", CLASSES)
def test_groups_names_and_layout_of_the_state_are_torchs(classes):
    def groups(params):
        a, b, c, d = zip("abcd", params, strict=True)
        return [{"params": [a, b]}, {"params": [c], "lr": 0.5, "weight_decay": 0.25}, {"params": [d]}]

    params = [Parameter(a) for a in draws(0)]
    ours = classes[0](groups(params), **STATEFUL[classes[0]])
    theirs = classes[1](groups([to_torch(p) for p in params]), **STATEFUL[classes[0]])
    run(ours, params, [1])
    saved, other = ours.state_dict(), theirs.state_dict()
    assert list(saved["state"]) == [0, 1, 2, 3]
    for group, torch_group in zip(saved["param_groups"], other["param_groups"], strict=True):
        extra = torch_group.keys() - group.keys()
        assert extra <= {"foreach", "fused", "capturable", "differentiable"}
        assert group == {k: v for k, v in torch_group.items() if k not in extra}
    theirs.load_state_dict(to_torch(saved))
    theirs.step()


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_groups_have_options_of_their_own(cls):
    params, alone = ([Parameter(a) for a in draws(0)] for _ in range(2))
    together = cls([{"params": params[:2]},
                    {"params": params[2:], "lr": 0.5, "weight_decay": 0.25}], lr=0.125)
    apart = [cls(alone[:2], lr=0.125), cls(alone[2:], lr=0.5, weight_decay=0.25)]
    for t in range(1, 4):
        for p, q, g in zip(params, alone, draws(t), strict=True):
            p.grad = q.grad = g
        for optimizer in (together, *apart):
            optimizer.step()
    assert same([p.data for p in params], [p.data for p in alone])


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_loading_copies_and_casts_all_but_the_step(cls):
    p, half = Parameter(np.ones(3)), Parameter(np.ones(3, np.float16))
    optimizer, other = cls([p], **STATEFUL[cls]), cls([half])
    p.grad = np.ones(3)
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    for name, value in other.state[half].items():
        assert value.dtype == (np.float32 if name == "step" else np.float16)
        assert not np.shares_memory(value, optimizer.state[p][name])
    assert other.param_groups[0]["params"] == [half]


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


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize(("change", "raises", "match"), [
    (lambda s: s["param_groups"].append(s["param_groups"][0]), ValueError, r"sizes \[1\], got \[1, 1\]"),
    (lambda s: s["param_groups"][0]["params"].append(1), ValueError, r"sizes \[1\], got \[2\]"),
    (lambda s: s.pop("param_groups"), KeyError, "param_groups"),
    (lambda s: s.pop("state"), KeyError, "state"),
    (lambda s: s["param_groups"][0].pop("lr"), KeyError, "lr"),
])
def test_states_of_other_optimizers_are_refused(classes, change, raises, match):
    p = Parameter(np.ones(2))
    ours, theirs = classes[0]([p]), classes[1]([to_torch(p)])
    saved, other = ours.state_dict(), theirs.state_dict()
    change(saved)
    change(other)
    with pytest.raises(raises, match=match):
        ours.load_state_dict(saved)

    def load_and_step():  # torch misses an option only when it steps
        theirs.load_state_dict(other)
        theirs.param_groups[0]["params"][0].grad = torch.ones(2).double()
        theirs.step()

    with pytest.raises(raises):
        load_and_step()


@pytest.mark.parametrize("cls", [SGD, Adam])
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_independent_and_complete(cls, clone):
    params = [Parameter(a) for a in draws(0)]
    optimizer = cls(params, **STATEFUL[cls])
    run(optimizer, params, [1])
    other = clone(optimizer)
    run(other, other.param_groups[0]["params"], [2])
    run(optimizer, params, [2])
    assert same(optimizer.state_dict(), other.state_dict())
    assert same([p.data for p in params], [p.data for p in other.param_groups[0]["params"]])


# Refusals


REFUSALS = [(classes, refusal) for classes, spec in zip(CLASSES, SPECS, strict=True)
            for refusal in spec.refusals]


@pytest.mark.parametrize(("classes", "refusal"), REFUSALS,
                         ids=[f"{c[0].__name__}-{r.why.replace(' ', '-')}" for c, r in REFUSALS])
def test_refused_here_and_by_torch(classes, refusal):
    arguments = {"params": [Parameter(np.ones(2))], **refusal.arguments}
    with pytest.raises(refusal.raises, match=refusal.match):
        classes[0](**arguments)
    with pytest.raises(refusal.torch_raises or refusal.raises):
        classes[1](**to_torch(arguments))


P = Parameter(np.ones(2))


@pytest.mark.parametrize(("params", "raises", "match"), [
    (P, TypeError, "params .* got Parameter"),
    (3, TypeError, "params .* got int"),
    (None, TypeError, "params .* got NoneType"),
    ({"a": P}, TypeError, "params .* got str"),
    ([{"params": [P]}, {"params": P}], ValueError, "in another"),
    ([{"params": {P}}], TypeError, "got a set"),
    ([{"params": [P]}, [P]], TypeError, "param_group .* got list"),
    ([("a", P), Parameter(np.ones(2))], ValueError, "1 names for 2"),
    ([{"params": [("a", P)]}, {"params": [Parameter(np.ones(2))]}], ValueError, "groups of both kinds"),
    ([["a", P]], TypeError, "got list"),
])
def test_parameters_refused_here_and_by_torch(params, raises, match):
    theirs = torch.nn.Parameter(torch.ones(2))

    def convert(x):
        match x:
            case Parameter():
                return theirs if x is P else to_torch(x)
            case dict():
                return {k: convert(v) for k, v in x.items()}
            case list() | tuple() | set():
                return type(x)(map(convert, x))
        return x

    with pytest.raises(raises, match=match):
        SGD(params)
    with pytest.raises(raises):
        torch.optim.SGD(convert(params))


def test_a_parameter_twice_in_a_group_is_warned_of_and_updated_twice():
    p = Parameter(np.ones(1))
    with pytest.warns(UserWarning, match="twice"):
        optimizer = SGD([p, p], lr=0.25)
    p.grad = np.ones(1)
    optimizer.step()
    assert p.data.item() == 0.5


@pytest.mark.parametrize("make", [
    lambda: Parameter(np.ones(2, int)),
    lambda: setattr(Parameter(np.ones(2)), "grad", np.ones(3)),
    lambda: setattr(Parameter(np.ones(2)), "grad", np.ones(2, np.float32)),
])
def test_parameters_and_gradients_that_do_not_fit(make):
    with pytest.raises(RuntimeError, match="got"):
        make()


# Closures, missing gradients, memory


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_the_closure_is_called_once_and_first(cls):
    p = Parameter(np.zeros(1))
    optimizer = cls([p])
    calls = []

    def closure():
        calls.append(p.data.copy())
        p.grad = np.ones(1)
        return "loss"

    assert optimizer.step(closure) == "loss"
    assert same(calls, [np.zeros(1)])
    assert p.data.item() < 0
    assert optimizer.step() is None


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_no_gradient_no_state_no_count(cls):
    p, q = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = cls([p, q], weight_decay=0.5, **STATEFUL[cls])
    p.grad = np.ones(1)
    optimizer.step()
    assert list(optimizer.state_dict()["state"]) == [0]
    assert q.data.item() == 1
    before, data = copy.deepcopy(optimizer.state_dict()), p.data.copy()
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert same(optimizer.state_dict(), before)
    assert same(p.data, data)


def test_zero_grad_in_place():
    p = Parameter(np.ones(2))
    p.grad = g = np.ones(2)
    SGD([p]).zero_grad(set_to_none=False)
    assert p.grad is g
    assert same(g, np.zeros(2))


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_memory(cls):
    """The data is changed in place, the gradient never, and no state shares memory with either."""
    data, g = np.ones(3), np.array([1.0, -2.0, 3.0])
    g.flags.writeable = False
    p = Parameter(data)
    optimizer = cls([p], **STATEFUL[cls])
    for _ in range(2):
        p.grad = g
        optimizer.step()
    assert p.data is data
    assert not same(data, np.ones(3))
    for value in optimizer.state[p].values():
        assert not np.shares_memory(value, g)
        assert not np.shares_memory(value, data)


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_layouts_give_the_same_values(cls):
    """Transposed, strided, reversed, 0-dim., and larger than a block of the elementwise mechanism."""
    rng = np.random.default_rng(0)
    base, g = rng.standard_normal((200, 220)), rng.standard_normal((200, 220))
    views = [lambda a: a.T, lambda a: a[::2, ::-3], lambda a: a[3], lambda a: a[3:4, 4:5].reshape(()),
             lambda a: a]
    for view in views:
        whole, part = Parameter(base.copy()), base.copy()
        strided = Parameter(view(part))
        optimizer, other = (cls([p], **STATEFUL[cls]) for p in (whole, strided))
        for _ in range(2):
            whole.grad, strided.grad = g, view(g)
            optimizer.step()
            other.step()
        assert same(np.array(view(whole.data)), np.array(strided.data))
        if view(part).ndim:
            assert same(np.array(view(part)), np.array(strided.data))  # in place
        for name in optimizer.state[whole].keys() - {"step"}:
            assert same(np.array(view(optimizer.state[whole][name])), np.array(other.state[strided][name]))


@pytest.mark.parametrize("cls", [SGD, Adam])
@pytest.mark.parametrize("strided", [False, True])
def test_complex_numbers_are_pairs_of_reals(cls, strided):
    pairs, g = draws(0, ((4, 2),) * 2)
    reals, complexes = Parameter(pairs.copy()), Parameter(pairs.copy().view(complex)[:, 0])
    if strided:
        complexes = Parameter(np.stack([complexes.data] * 2, 1)[:, 0])
        assert not complexes.data.flags.c_contiguous
    for p, gradient in ((reals, g), (complexes, g.view(complex)[:, 0])):
        optimizer = cls([p], weight_decay=0.1, **STATEFUL[cls])
        for _ in range(3):
            p.grad = gradient
            optimizer.step()
    assert same(complexes.data.copy(), reals.data.view(complex)[:, 0].copy())


# Arrays for numbers, and narrow types


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("shape", [(), (1,)])
def test_learning_rates_may_be_arrays_and_change_in_place(classes, shape):
    lr = np.full(shape, 0.5)
    p, q = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer, other = classes[0]([p], lr=lr), classes[0]([q], lr=0.5)
    classes[1]([to_torch(p)], lr=to_torch(lr))  # torch takes it too
    p.grad = q.grad = np.ones(2)
    for rate in (0.5, 0.25):
        lr[...] = rate
        other.param_groups[0]["lr"] = rate
        optimizer.step()
        other.step()
    assert same(p.data, q.data)
    assert optimizer.param_groups[0]["lr"] is lr


def test_betas_may_be_arrays():
    p, q = Parameter(np.ones(2)), Parameter(np.ones(2))
    p.grad = q.grad = np.ones(2)
    Adam([p], betas=(np.array(0.5), np.array(0.25))).step()
    Adam([q], betas=(0.5, 0.25)).step()
    assert same(p.data, q.data)


@pytest.mark.parametrize("cls", [SGD, Adam])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_types_compute_in_float32_and_round_once(cls, dtype):
    """Not in the type itself: 0.999 in bfloat16 is 1, and a second moment would never decay."""
    data, g = draws(0, ((5,), (5,)), dtype)
    half, single = Parameter(data.copy()), Parameter(data.astype(np.float32))
    half.grad, single.grad = g, g.astype(np.float32)
    optimizer, other = (cls([p], **STATEFUL[cls]) for p in (half, single))
    optimizer.step()
    other.step()
    assert same(half.data, single.data.astype(dtype))
    for name in other.state[single].keys() - {"step"}:
        assert same(optimizer.state[half][name], other.state[single][name].astype(dtype))


@pytest.mark.parametrize("cls", [SGD, Adam])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex64, np.complex128])
def test_dtypes_stay(cls, dtype):
    p = Parameter(np.ones(2, dtype))
    p.grad = np.ones(2, dtype)
    optimizer = cls([p], lr=np.array(0.5), weight_decay=0.1, **STATEFUL[cls])
    optimizer.step()
    assert p.data.dtype == dtype
    assert {v.dtype for k, v in optimizer.state[p].items() if k != "step"} == {np.dtype(dtype)}


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


# The specs


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("limits", [Limits("float32", 2.0**-23, 2.0**-126, 3.4028234663852886e38),
                                    Limits("float16", 2.0**-10, 2.0**-14, 65504.0)], ids=lambda x: x.dtype)
def test_every_axis_value_draws_a_trajectory_that_runs(spec, limits):
    for axis in spec.axes:
        for value in axis.values:
            options = {**spec.defaults, axis.name: value}
            drawn = spec.draw(options, np.random.default_rng(0), limits)
            groups = [{"params": [Parameter(p.copy()) for p in g.params], **g.options} for g in drawn.groups]
            params = [p for group in groups for p in group["params"]]
            assert len(params) == 2
            assert all(p.data.size <= 6 for p in params)
            assert len(drawn.gradients) == options["steps"]
            if not spec.allowed({**options, "steps": 1}, limits.dtype):
                continue
            optimizer = spec.optimizer(groups, **drawn.defaults)
            for gradients in drawn.gradients:
                for p, g in zip(params, gradients, strict=True):
                    p.grad = g
                    g = g.to_dense() if isinstance(g, SparseGrad) else g
                    assert g is None or not g.size or 1.5 * abs(g).max() ** 2 <= limits.max
                optimizer.step()
            assert all(np.all(np.isfinite(p.data)) for p in params)

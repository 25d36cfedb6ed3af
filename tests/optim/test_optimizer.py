"""What all optimizers share, on SGD and Adam: parameters, groups, closures, layouts, types, refusals."""

from __future__ import annotations

import copy

import ml_dtypes
import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.spec import Limits
from reference.optim import SGD, Adam, Parameter, SparseGrad
from tests.optim.twin_optimizers import CLASSES, STATEFUL, draws, same, to_torch

SPECS = [registry.get("SGD"), registry.get("Adam")]


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

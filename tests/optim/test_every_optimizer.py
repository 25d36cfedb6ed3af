"""What every optimizer has to do as torch's does, whatever its rule: state both ways, groups, closures, layouts."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.spec import OptimSpec
from oracle.targets.pytorch_calls import implementation, resolve
from reference.optim import Parameter, SparseGrad
from tests.optim.twin_optimizers import draws, same, to_numpy, to_torch

SPECS = [spec for spec in registry.specs().values() if isinstance(spec, OptimSpec)]
#: Those that need a closure, sparse gradients or matrices have tests of their own.
DENSE = [spec for spec in SPECS if spec.name not in ("LBFGS", "SparseAdam", "Muon")]
#: Options with which an optimizer has all the state that it can have.
WHOLE = {"SGD": {"momentum": 0.9}, "Adam": {"amsgrad": True}, "AdamW": {"amsgrad": True},
         "RMSprop": {"momentum": 0.9, "centered": True}, "ASGD": {"t0": 2}, "Adafactor": {}}

#: Those whose rule works element by element: others sum, in the order of memory.
ELEMENTWISE = [spec for spec in DENSE if spec.name != "Adafactor"]

every = pytest.mark.parametrize("spec", DENSE, ids=lambda spec: spec.name)


def torch_class(spec):
    return resolve(spec.torch_names[0])


def pair(spec, dtype=np.float32, shapes=((2, 3), (), (4,))):
    """A reference and a torch optimizer (for-loop) over the same values, and the parameters of both."""
    ours = [Parameter(a) for a in draws(0, shapes, dtype)]
    theirs = [to_torch(p) for p in ours]
    options = WHOLE.get(spec.name, {})
    return (spec.optimizer(ours, **options), torch_class(spec)(theirs, **options, **implementation(spec, "eager")),
            ours, theirs)


def run(optimizer, params, seeds):
    for seed in seeds:
        shapes = [tuple(p.data.shape) for p in params]
        for p, g in zip(params, draws(seed, shapes, np.float32), strict=True):
            p.grad = g.astype(p.data.dtype) if isinstance(p, Parameter) else torch.from_numpy(g).to(p.dtype)
        optimizer.step()


@pytest.mark.parametrize(("spec", "refusal"), [(s, r) for s in SPECS for r in s.refusals],
                         ids=[f"{s.name}-{r.why.replace(' ', '-')}" for s in SPECS for r in s.refusals])
def test_refused_here_and_by_torch(spec, refusal):
    arguments = {"params": [Parameter(np.ones((2, 2)))], **refusal.arguments}
    with pytest.raises(refusal.raises, match=refusal.match):
        spec.optimizer(**arguments)
    with pytest.raises(refusal.torch_raises or refusal.raises):
        torch_class(spec)(**to_torch(arguments))


@every
def test_torch_continues_undisturbed_after_a_trip_through_the_reference(spec):
    _, undisturbed, _, params = pair(spec)
    ours, theirs, _, torch_params = pair(spec)
    run(undisturbed, params, range(1, 4))
    run(theirs, torch_params, range(1, 4))
    ours.load_state_dict(to_numpy(theirs.state_dict()))
    assert same(ours.state_dict(), to_numpy(theirs.state_dict()))
    fresh = torch_class(spec)(torch_params)
    fresh.load_state_dict(to_torch(ours.state_dict()))
    run(undisturbed, params, range(4, 7))
    run(fresh, torch_params, range(4, 7))
    assert same(to_numpy(params), to_numpy(torch_params))
    assert same(to_numpy(undisturbed.state_dict()), to_numpy(fresh.state_dict()))


@every
def test_the_reference_continues_undisturbed_after_a_trip_through_torch(spec):
    undisturbed, _, params, _ = pair(spec)
    ours, theirs, mine, _ = pair(spec)
    run(undisturbed, params, range(1, 4))
    run(ours, mine, range(1, 4))
    theirs.load_state_dict(to_torch(ours.state_dict()))
    fresh = spec.optimizer(mine)
    fresh.load_state_dict(to_numpy(theirs.state_dict()))
    run(undisturbed, params, range(4, 7))
    run(fresh, mine, range(4, 7))
    assert same([p.data for p in params], [p.data for p in mine])
    assert same(undisturbed.state_dict()["state"], fresh.state_dict()["state"])


@every
def test_layout_of_the_state_is_torchs(spec):
    def groups(params):
        a, b, c = zip("abc", params, strict=True)
        return [{"params": [a, b]}, {"params": [c], "lr": 0.5}]

    params = [Parameter(a) for a in draws(0, ((2, 3), (), (4,)), np.float32)]
    ours = spec.optimizer(groups(params), **WHOLE.get(spec.name, {}))
    theirs = torch_class(spec)(groups([to_torch(p) for p in params]), **WHOLE.get(spec.name, {}))
    for optimizer in (ours, theirs):
        run(optimizer, [p for group in optimizer.param_groups for p in group["params"]], [1])
    saved, other = ours.state_dict(), theirs.state_dict()
    for i, state in saved["state"].items():
        expected = to_numpy(other["state"][i])
        assert list(state) == list(expected)
        assert {k: (v.dtype, v.shape) for k, v in state.items() if isinstance(v, np.ndarray)} == {
            k: (v.dtype, v.shape) for k, v in expected.items() if isinstance(v, np.ndarray)}
    for group, torch_group in zip(saved["param_groups"], other["param_groups"], strict=True):
        extra = torch_group.keys() - group.keys()
        assert extra <= {"foreach", "fused", "capturable", "differentiable"}
        assert group == {k: v for k, v in torch_group.items() if k not in extra}


@every
def test_options_that_a_saved_state_lacks_are_torchs(spec):
    p = Parameter(np.ones(2, np.float32))
    saved = spec.optimizer([p]).state_dict()
    for name in spec.optimizer([p]).defaults:
        lacking = {**saved, "param_groups": [{k: v for k, v in saved["param_groups"][0].items() if k != name}]}
        theirs = torch_class(spec)([to_torch(p)])
        theirs.load_state_dict(to_torch(copy.deepcopy(lacking)))
        ours = spec.optimizer([p])
        if name in theirs.param_groups[0]:
            ours.load_state_dict(lacking)
            assert ours.param_groups[0][name] == theirs.param_groups[0][name]
        else:
            with pytest.raises(KeyError, match=name):
                ours.load_state_dict(lacking)


@every
def test_groups_have_options_of_their_own(spec):
    params, alone = ([Parameter(a) for a in draws(0)] for _ in range(2))
    together = spec.optimizer([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], lr=0.125)
    apart = [spec.optimizer(alone[:2], lr=0.125), spec.optimizer(alone[2:], lr=0.5)]
    for t in range(1, 4):
        for p, q, g in zip(params, alone, draws(t), strict=True):
            p.grad = q.grad = g
        for optimizer in (together, *apart):
            optimizer.step()
    assert same([p.data for p in params], [p.data for p in alone])


@every
def test_groups_that_come_later(spec):
    p, q, r = (Parameter(a) for a in draws(0, ((3,), (2, 2), (3,))))
    r.data[...] = p.data
    optimizer, alone = spec.optimizer([p]), spec.optimizer([r])
    optimizer.add_param_group({"params": [q]})
    for x, g in zip((p, q), draws(1, ((3,), (2, 2))), strict=True):
        x.grad = g
    r.grad = p.grad
    optimizer.step()
    alone.step()
    assert same(p.data, r.data)
    assert optimizer.state[q]["step"] == 1 if "step" in optimizer.state[q] else True


@every
def test_the_closure_is_called_once_and_first(spec):
    p = Parameter(np.zeros(1))
    optimizer = spec.optimizer([p])
    calls = []

    def closure():
        calls.append(p.data.copy())
        p.grad = np.ones(1)
        return "loss"

    assert optimizer.step(closure) == "loss"
    assert same(calls, [np.zeros(1)])
    assert p.data.item() < 0
    assert optimizer.step() is None


@every
def test_without_a_gradient_nothing_changes(spec):
    p, q = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = spec.optimizer([p, q], **WHOLE.get(spec.name, {}))
    p.grad = np.ones(1)
    optimizer.step()
    theirs = torch_class(spec)([to_torch(p), to_torch(q)], **WHOLE.get(spec.name, {}))
    theirs.param_groups[0]["params"][0].grad = torch.ones(1).double()
    theirs.step()
    assert list(optimizer.state_dict()["state"]) == list(theirs.state_dict()["state"])
    assert q.data.item() == 1
    before, data = copy.deepcopy(optimizer.state_dict()), p.data.copy()
    optimizer.zero_grad()
    optimizer.step()
    assert same(optimizer.state_dict(), before)
    assert same(p.data, data)


@every
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_independent_and_complete(spec, clone):
    optimizer, _, params, _ = pair(spec)
    run(optimizer, params, [1])
    other = clone(optimizer)
    run(other, other.param_groups[0]["params"], [2])
    run(optimizer, params, [2])
    assert same(optimizer.state_dict(), other.state_dict())
    assert same([p.data for p in params], [p.data for p in other.param_groups[0]["params"]])


@every
def test_memory(spec):
    """The data is changed in place, the gradient never, and no state shares memory with either."""
    data, g = np.ones(3), np.array([1.0, -2.0, 3.0])
    g.flags.writeable = False
    p = Parameter(data)
    optimizer = spec.optimizer([p], **WHOLE.get(spec.name, {}))
    for _ in range(2):
        p.grad = g
        optimizer.step()
    assert p.data is data
    assert not same(data, np.ones(3))
    for value in optimizer.state[p].values():
        if isinstance(value, np.ndarray):
            assert not np.shares_memory(value, g)
            assert not np.shares_memory(value, data)


@pytest.mark.parametrize("spec", ELEMENTWISE, ids=lambda spec: spec.name)
@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[::2, ::-3], lambda a: a[3:4, 4:5].reshape(())])
def test_layouts_give_the_same_values(spec, view):
    rng = np.random.default_rng(0)
    base, g = rng.standard_normal((200, 220)), rng.standard_normal((200, 220))
    tight, strided = Parameter(view(base).copy()), Parameter(view(base.copy()))
    optimizer, other = (spec.optimizer([p], **WHOLE.get(spec.name, {})) for p in (tight, strided))
    for _ in range(2):
        tight.grad, strided.grad = view(g).copy(), view(g)
        optimizer.step()
        other.step()
    assert same(np.array(tight.data), np.array(strided.data))
    for name, value in optimizer.state[tight].items():
        assert same(np.array(value), np.array(other.state[strided][name]))


@every
@pytest.mark.parametrize("strided", [False, True])
def test_complex_numbers_are_pairs_of_reals(spec, strided):
    pairs, g = draws(0, ((4, 2),) * 2)
    reals, complexes = Parameter(pairs.copy()), Parameter(pairs.copy().view(complex)[:, 0])
    theirs = to_torch(Parameter(complexes.data))
    theirs.grad = torch.from_numpy(g.view(complex)[:, 0])
    try:
        torch_class(spec)([theirs], **WHOLE.get(spec.name, {})).step()
    except RuntimeError:
        pytest.skip("torch refuses complex parameters")
    if strided:
        complexes = Parameter(np.stack([complexes.data] * 2, 1)[:, 0])
    for p, gradient in ((reals, g), (complexes, g.view(complex)[:, 0])):
        optimizer = spec.optimizer([p], **WHOLE.get(spec.name, {}))
        for _ in range(3):
            p.grad = gradient
            optimizer.step()
    assert same(complexes.data.copy(), reals.data.view(complex)[:, 0].copy())


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_dtypes_stay(spec, dtype):
    p = Parameter(np.ones((2, 2), dtype))
    optimizer = spec.optimizer([p], lr=np.array(0.5), **WHOLE.get(spec.name, {}))
    for _ in range(2):
        p.grad = np.ones((2, 2), dtype)
        optimizer.step()
    assert p.data.dtype == dtype
    assert {v.dtype for v in optimizer.state[p].values() if isinstance(v, np.ndarray) and v.ndim} <= {np.dtype(dtype)}


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("spec", [s for s in DENSE if not s.optimizer.takes_sparse], ids=lambda spec: spec.name)
def test_sparse_gradients_are_refused_here_and_by_torch(spec):
    p = Parameter(np.ones(2))
    q = to_torch(p)
    p.grad = SparseGrad([[1]], np.ones(1), (2,))
    q.grad = torch.sparse_coo_tensor([[1]], [1.0], (2,), dtype=torch.float64)
    with pytest.raises(RuntimeError, match=f"{spec.name} needs dense gradients"):
        spec.optimizer([p]).step()
    with pytest.raises(RuntimeError):
        torch_class(spec)([q]).step()

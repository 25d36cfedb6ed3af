"""States of SGD and Adam go to torch and back, are copied, and are refused where they do not fit."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from reference.optim import SGD, Adam, Parameter
from tests.optim.twin_optimizers import CLASSES, STATEFUL, draws, pair, run, same, to_numpy, to_torch


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

"""Hooks of optimizers, and the count of their steps: called as torch calls its own."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from reference.optim import LBFGS, SGD, Adam, Parameter


def _ours():
    return SGD([Parameter(np.zeros(1))], lr=0.5)


def _theirs():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


SIDES = pytest.mark.parametrize("make", [_ours, _theirs])


def _closure():
    return 5.0


def _log_of_a_session(optimizer):
    """Every hook, twice, the later one first where it may, and what each is called with."""
    log = []

    def hook(name):
        def called(*args):
            log.append((name, *("optimizer" if x is optimizer else _without(x, optimizer) for x in args)))
        return called

    handles = []
    for kind in ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre",
                 "load_state_dict_post"):
        register = getattr(optimizer, f"register_{kind}_hook")
        handles += [register(hook(f"{kind} first")), register(hook(f"{kind} second"))]
        if "state" in kind:
            handles.append(register(hook(f"{kind} prepended"), prepend=True))
    log.append(optimizer.step(_closure))
    log.append(optimizer.step(closure=_closure))
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    for handle in handles[::2]:
        handle.remove()
        handle.remove()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    with optimizer.register_step_post_hook(hook("for a while")):
        optimizer.step()
    optimizer.step()
    return log


def _without(x, optimizer):
    if isinstance(x, tuple):
        return tuple("optimizer" if y is optimizer else y for y in x)
    return sorted(x) if "param_groups" in x else x


def test_hooks_are_called_in_torchs_order_with_torchs_arguments():
    mine, theirs = _log_of_a_session(_ours()), _log_of_a_session(_theirs())
    assert mine == theirs
    assert len(mine) > 30


@SIDES
def test_what_hooks_return_takes_the_place_of_what_they_got(make):
    optimizer = make()
    with optimizer.register_step_pre_hook(lambda opt, args, kwargs: (args[:1], {"closure": lambda: 7.0})):
        assert optimizer.step(_closure) == 7.0
    assert optimizer.step(_closure) == 5.0
    optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "more": 1})
    saved = optimizer.state_dict()
    assert saved["more"] == 1
    seen = []
    optimizer.register_load_state_dict_pre_hook(lambda opt, state: seen.append(state is saved))
    optimizer.register_load_state_dict_pre_hook(lambda opt, state: {**state, "param_groups": [
        {**group, "lr": 0.125} for group in state["param_groups"]]})
    optimizer.load_state_dict(saved)
    assert seen == [False]  # a shallow copy
    assert optimizer.param_groups[0]["lr"] == 0.125


@SIDES
@pytest.mark.parametrize("answer", [3, (1, 2, 3)])
def test_a_step_hook_that_returns_no_arguments_is_refused(make, answer):
    optimizer = make()
    optimizer.register_step_pre_hook(lambda *args: answer)
    with pytest.raises(RuntimeError, match=r"return None or a tuple"):
        optimizer.step()


@SIDES
def test_copies_have_no_hooks(make):
    optimizer = make()
    called = []
    optimizer.register_step_pre_hook(lambda *args: called.append(1))
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin.step()
        twin.register_step_post_hook(lambda *args: None)
    assert not called


def test_steps_are_counted_once_each_and_in_every_class():
    class Inner(SGD):
        def step(self, closure=None):
            return super().step(closure)

    for cls in (SGD, Adam, Inner):
        p = Parameter(np.zeros(1))
        optimizer = cls([p], lr=0.5)
        called = []
        optimizer.register_step_post_hook(lambda *args, called=called: called.append(1))
        optimizer.step()
        optimizer.step()
        assert (optimizer._step_count, called) == (2, [1, 1])
    p = Parameter(np.ones(1))

    def closure():
        p.grad = p.data.copy()
        return 0.5

    optimizer = LBFGS([p])
    optimizer.step(closure)
    assert optimizer._step_count == 1


def test_torch_calls_hooks_twice_where_a_subclass_steps_by_its_parent():
    class Inner(torch.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    optimizer, called = Inner([torch.nn.Parameter(torch.zeros(1))], lr=0.5), []
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)  # whose making wraps the parent's step
    optimizer.register_step_pre_hook(lambda *args: called.append(1))
    optimizer.step()
    assert called == [1, 1]


def test_a_step_that_fails_leaves_the_next_one_counted():
    optimizer = _ours()

    def fails():
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        optimizer.step(fails)
    optimizer.step()
    assert optimizer._step_count == 2

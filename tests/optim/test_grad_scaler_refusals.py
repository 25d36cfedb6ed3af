"""What the loss scale refuses: as torch does, and with torch's kinds of errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reference.optim import SGD
from reference.optim.grad_scaler import GradScaler
from tests.optim.twin_gradients import array, ours
from tests.optim.twin_scalers import loss, one, torch_scaler

#: What is refused: why, the call (of a maker of scalers), kind of error, message, and torch's kind where it is another.
REFUSALS = [
    ("it has to grow", lambda m: m(growth_factor=1.0), AssertionError, r"growth_factor .* got 1\.0", None),
    ("it has to shrink", lambda m: m(backoff_factor=1.0), AssertionError, r"backoff_factor .* got 1\.0", None),
    ("a factor that is no number", lambda m: m(growth_factor="2"), TypeError, "growth_factor .* str", None),
    ("a scale that is no number", lambda m: m(init_scale="x").scale(loss(m)), TypeError, "init_scale .* str", None),
    ("an interval that is not whole", lambda m: _stepped(m, growth_interval=1.5).update(), TypeError,
     "growth_interval .* 1.5", None),
    ("numbers are no outputs", lambda m: m().scale(2.0), ValueError, "outputs .* float", None),
    ("nothing is no output", lambda m: m().scale(None), ValueError, "outputs .* NoneType", None),
    ("a list of numbers", lambda m: m().scale([1.0]), ValueError, "outputs .* float", None),
    ("nothing scaled, unscaled", lambda m: m().unscale_(one(m)[0]), AssertionError, "unscale_ .* scale", None),
    ("nothing scaled, stepped", lambda m: m().step(one(m)[0]), AssertionError, "step .* scale", None),
    ("nothing scaled, updated", lambda m: m().update(), AssertionError, "update .* scale", None),
    ("nothing scaled, set", lambda m: m().update(5.0), AssertionError, "update .* scale", None),
    ("no optimizer", lambda m: _scaled(m).update(), AssertionError, "update .* optimizer", None),
    ("no gradients", lambda m: _scaled(m).step(_without(m)), AssertionError, "step .* gradients", None),
    ("unscaled without gradients", lambda m: _twice(m, "unscale_", "update", of=_without), AssertionError,
     "update .* optimizer", None),
    ("a float16", lambda m: _scaled(m).unscale_(one(m, 1.0, "float16")[0]), ValueError, "unscale_ .* float16", None),
    ("a float16, stepped", lambda m: _scaled(m).step(one(m, 1.0, "float16")[0]), ValueError, "unscale_ .* float16",
     None),
    ("unscaled twice", lambda m: _twice(m, "unscale_", "unscale_"), RuntimeError, "unscale_", None),
    ("unscaled after the step", lambda m: _twice(m, "step", "unscale_"), RuntimeError, "unscale_.* step", None),
    ("stepped twice", lambda m: _twice(m, "step", "step"), RuntimeError, "step", None),
    ("a closure", lambda m: _scaled(m).step(one(m)[0], closure=lambda: 1), RuntimeError, "step .* closure", None),
    ("several new scales", lambda m: _scaled(m).update(_pair(m)), AssertionError, "new_scale", None),
    ("a new scale that is no number; torch asks it for a device", lambda m: _scaled(m).update("7"), TypeError,
     "new_scale .* str", AttributeError),
    ("an empty state", lambda m: m().load_state_dict({}), RuntimeError, "state", None),
    ("half a state", lambda m: m().load_state_dict({"scale": 2.0}), KeyError, "growth_factor", None),
]


def _scaled(make, **settings):
    scaler = make(**settings)
    scaler.scale(loss(make))
    return scaler


def _stepped(make, **settings):
    scaler = _scaled(make, **settings)
    scaler.step(one(make)[0])
    return scaler


def _without(make):
    optimizer, p = one(make)
    p.grad = None
    return optimizer


def _twice(make, first, second, of=lambda m: one(m)[0]):
    scaler, optimizer = _scaled(make), of(make)
    for method in (first, second):
        getattr(scaler, method)(*[optimizer][:method != "update"])


def _pair(make):
    return np.ones(2) if make is GradScaler else torch.ones(2)


@pytest.mark.parametrize(("why", "call", "raises", "match", "torch_raises"), REFUSALS)
def test_refusals(why, call, raises, match, torch_raises):
    with pytest.raises(raises, match=match):
        call(GradScaler)
    with pytest.raises(torch_raises or raises):
        call(torch_scaler)


@pytest.mark.parametrize(("settings", "match"), [
    ({"growth_interval": 0}, "growth_interval .* got 0"), ({"growth_factor": math.nan}, "growth_factor .* nan"),
    ({"backoff_factor": math.nan}, "backoff_factor .* nan"), ({"init_scale": math.nan}, "init_scale .* nan")])
def test_what_torch_takes_and_the_reference_refuses(settings, match):
    torch_scaler(**settings)
    with pytest.raises(ValueError, match=match):
        GradScaler(**settings)


def test_a_refused_gradient_leaves_all_as_it_was():
    scaler = _scaled(GradScaler)
    p, q = ours([array([4.0]), array([1.0], "float16")])
    with pytest.raises(ValueError, match="float16"):
        scaler.step(SGD([p, q]))
    assert p.grad == 4
    scaler.step(SGD([p], lr=1.0))

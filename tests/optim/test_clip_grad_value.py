"""Clipping of each element: torch's, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch.nn import utils

from oracle.truth.ball import balls, centre
from reference.optim import Parameter, SparseGrad
from reference.optim.clip_grad import by_value, clip_grad_value_
from tests.optim.twin_gradients import DTYPES, array, bits, doubles, drawn, ours, theirs, to_array

SHAPES = ((2, 3), (), (7,), (301,))
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, -0.1, 1.0]
VALUES = [0.1, 1, "0.5", 0, 1e-300, -1.0, math.inf, np.array([0.25])]


def differ(dtype, clip_value):
    """Does anything differ from torch's, but the bits of NaN?"""
    gradients = [*drawn(1, SHAPES, dtype), array(SPECIAL, dtype)]
    mine, other = ours(gradients), theirs(gradients)
    kept = [p.grad for p in mine]
    clip_grad_value_(mine, clip_value)
    utils.clip_grad_value_(other, clip_value.item() if isinstance(clip_value, np.ndarray) else clip_value)
    assert all(p.grad is g for p, g in zip(mine, kept, strict=True))  # in place
    for p, q in zip(mine, other, strict=True):
        unknown = np.isnan(doubles(p.grad))
        if (unknown != np.isnan(doubles(q.grad))).any() or bits(p.grad[~unknown]) != bits(to_array(q.grad)[~unknown]):
            return True
    return False


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_value", VALUES)
def test_values_are_clipped_as_by_torch_bit_for_bit(dtype, clip_value):
    assert not differ(dtype, clip_value)


def test_of_a_sparse_gradient_places_are_summed_before_their_values_are_clipped():
    p = Parameter(np.zeros(3))
    p.grad = given = SparseGrad([[0, 2, 0]], np.array([1.0, -2.0, 4.0]), (3,))
    clip_grad_value_(p, 3.0)
    assert p.grad is given
    assert p.grad.to_dense().tolist() == [3, 0, -2]


def test_the_rule_runs_on_balls():
    p = Parameter(balls(np.zeros(3)))
    p.grad = balls(np.array([-3.0, 0.25, 9.0]))
    clip_grad_value_(p, 0.5)
    assert centre(p.grad).tolist() == [-0.5, 0.25, 0.5]


#: Mistakes: what is made of a gradient and a value.
MISTAKES = {
    "only from above": lambda g, v: np.minimum(g, g.dtype.type(v)),
    "only from below": lambda g, v: np.maximum(g, g.dtype.type(-v)),
    "NaN becomes a bound": lambda g, v: np.where(g < v, np.where(g > -v, g, g.dtype.type(-v)), g.dtype.type(v)),
    "the whole is scaled": lambda g, v: g * g.dtype.type(v / max(np.nanmax(np.abs(g), initial=0), v)),
    "too large becomes 0": lambda g, v: np.where(np.abs(g) > v, g.dtype.type(0), g),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_mistakes_are_found(mistake, monkeypatch):
    monkeypatch.setattr(by_value, "clip_elements", MISTAKES[mistake])
    assert differ("float32", 0.5)


def test_places_that_are_not_summed_are_found(monkeypatch):
    monkeypatch.setattr(SparseGrad, "coalesce", lambda self: self)
    p = Parameter(np.zeros(3))
    p.grad = SparseGrad([[0, 0]], np.array([1.0, 4.0]), (3,))
    clip_grad_value_(p, 3.0)
    monkeypatch.undo()
    assert p.grad.to_dense().tolist() != [3, 0, 0]

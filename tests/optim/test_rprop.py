"""Rprop: by hand, against torch, and where torch does otherwise."""

from __future__ import annotations

import pytest
import torch

from reference.optim import Rprop
from tests.optim.twin_optimizers import at, path, to_torch


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

"""RMSprop: by hand, and where torch does otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference.optim import Parameter, RMSprop
from tests.optim.twin_optimizers import U, at, path, to_numpy, to_torch


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

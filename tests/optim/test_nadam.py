"""NAdam: worked values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reference.optim import NAdam, Parameter
from tests.optim.twin_optimizers import U


def test_two_steps_of_nadam_in_fractions():
    """Without a schedule μ is a half of beta1, here 1/4; of 50 roundings each is at most U of a sum below 4."""
    p = Parameter(np.zeros(1))
    optimizer = NAdam([p], lr=1.0, betas=(0.5, 0.75), eps=0.0, momentum_decay=0)
    mu, product, m, v, theta = Fraction(1, 4), Fraction(1), Fraction(0), Fraction(0), 0.0
    for t, g in enumerate((Fraction(3), Fraction(-1)), 1):
        p.grad = np.full(1, float(g))
        optimizer.step()
        product *= mu
        m, v = m / 2 + g / 2, v * Fraction(3, 4) + g * g / 4
        bar = (1 - mu) * g / (1 - product) + mu * m / (1 - product * mu)
        theta -= float(bar) / float(v / (1 - Fraction(3, 4)**t)) ** 0.5
        assert abs(p.data.item() - theta) <= 200 * U
        assert optimizer.state[p]["mu_product"] == float(product)  # a power of two


def test_nadams_product_is_a_float32_that_loading_keeps():
    p = Parameter(np.ones(1))
    p.grad = np.ones(1)
    optimizer, other = NAdam([p]), NAdam([Parameter(np.ones(1, np.float16))])
    optimizer.step()
    assert optimizer.state[p]["mu_product"] == np.float32(0.9 * (1 - 0.5 * 0.96**0.004))
    other.load_state_dict(optimizer.state_dict())
    assert next(iter(other.state.values()))["mu_product"].dtype == np.float32

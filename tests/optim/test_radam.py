"""RAdam: from which step on it is rectified."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reference.optim import Parameter, RAdam, radam
from tests.optim.twin_optimizers import U


def test_radam_is_momentum_up_to_the_fifth_step_and_adaptive_from_the_sixth():
    """With a gradient of 1 all means are 1, so that steps are lr, and then lr · r with eps = 0."""
    p = Parameter(np.zeros(1))
    optimizer = RAdam([p], lr=1.0, eps=0.0)
    last, steps = 0.0, []
    for _ in range(6):
        p.grad = np.ones(1)
        optimizer.step()
        steps.append(last - p.data.item())
        last = p.data.item()
    # 18 roundings of the mean, 6 of the correction 1 - 0.9^t, where they count tenfold, and of numbers up to 6 the last
    assert steps[:5] == pytest.approx([1.0] * 5, abs=(18 + 6 * 10 + 4 * 6) * U)
    beta, limit = Fraction(0.999), 2 / (1 - Fraction(0.999)) - 1
    rho = limit - 2 * 6 * beta**6 / (1 - beta**6)
    r = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    assert rho > 5 >= limit - 2 * 5 * beta**5 / (1 - beta**5)
    # β^6 errs by 8 units, 1 - β^6 by as much over itself, ρ by that times 12 β^6 / (1 - β^6) and by units of its limit
    lost = 8 * U / (1 - beta**6)
    of_rho = 12 * beta**6 / (1 - beta**6) * lost + 4 * limit * U
    relative = float(of_rho * (1 / (rho - 4) + 1 / (rho - 2) + 1 / rho) + lost) + (18 + 6 * 10 + 20) * U
    assert steps[5] == pytest.approx(float(r) ** 0.5, abs=relative * float(r) ** 0.5 + 4 * 6 * U)


@pytest.mark.parametrize("beta2", [0.5, 0.6])
def test_radam_is_never_rectified_with_a_small_beta2(beta2):
    one = np.ones(1)
    for t in (1, 10, 1000):
        theta, *_ = radam.radam(0 * one, one, one, one, t=t, lr=0.5, betas=(0.0, beta2), eps=1e3)
        assert theta.item() == -0.5

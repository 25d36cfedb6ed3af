"""Adadelta: in mpmath and by hand."""

from __future__ import annotations

import mpmath

from reference.optim import Adadelta
from tests.optim.twin_optimizers import U, at, path


def test_adadelta_in_mpmath():
    p = at(0)
    got = path(Adadelta([p], lr=0.5, rho=0.25, eps=1e-3, weight_decay=0.5), p, (2.0, -1.0, 1e-3))
    with mpmath.workdps(50):
        theta = v = u = mpmath.mpf(0)
        rho, eps = mpmath.mpf(0.25), mpmath.mpf(1e-3)
        for x, gradient in zip(got, (2.0, -1.0, 1e-3), strict=True):
            g = mpmath.mpf(gradient) + theta / 2
            v = rho * v + (1 - rho) * g**2
            delta = mpmath.sqrt(u + eps) / mpmath.sqrt(v + eps) * g
            u = rho * u + (1 - rho) * delta**2
            theta -= delta / 2
            assert abs(x - theta) <= 100 * U * 2  # three steps of a dozen operations, none above 2


def test_adadelta_by_hand():
    p = at(0)
    assert path(Adadelta([p], rho=0.25, eps=1.0), p, (2.0,)) == [-1.0]

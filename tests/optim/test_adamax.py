"""Adamax: in fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reference.optim import Adamax
from tests.optim.twin_optimizers import U, at, path


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (4, 0), [-1, -1 - Fraction(1, 3) / Fraction(1, 2)]),  # m = 1 of 3/4, u = 2
    ({"eps": 4.0}, (4,), [Fraction(-1, 2)]),
    ({"eps": 2.0}, (4, 0), [Fraction(-2, 3), Fraction(-2, 3) - Fraction(4, 3) / 3]),  # u = 6, then 3
    ({"maximize": True}, (4,), [1]),
    ({"weight_decay": 1.0}, (4, 5), [-1, -2]),  # m = 2 + 4 halves, of 5 - 1
])
def test_adamax_in_fractions(options, gradients, expected):
    p = at(0)
    got = path(Adamax([p], lr=1.0, **{"betas": (0.5, 0.5), "eps": 0.0, **options}), p, gradients)
    assert all(abs(Fraction(x) - e) <= 12 * Fraction(U) * 2 for x, e in zip(got, expected, strict=True))

"""Draws of losses between three points."""

from __future__ import annotations

import numpy as np

from reference.numerics import Array

__all__ = ["draw_kinks"]


def draw_kinks(rng: np.random.Generator, squared: bool) -> list[Array]:
    """Anchor, positive and negative, (4, 5), for a margin of 1: two losses just 0, one that counts, one that does not.

    All are whole numbers, and so are the distances: each lies along one axis or, where those of squares have to be the
    same, along as many axes as it is long.
    """
    a = np.asarray(rng.integers(-3, 4, (4, 5)).astype(np.float64))
    d_pos, d_neg = np.array([[1], [3], [1], [2]]), np.array([[2], [2], [4], [3]])
    axes, toward = np.arange(5), np.array([[1], [1], [-1], [-1]])
    if squared:
        return [a, a + toward * (axes < d_pos), a + (axes < d_neg)]
    return [a, a + toward * d_pos * (axes == 1), a + d_neg * (axes == 1)]

"""Draws of losses between three points: an anchor, a positive and a negative example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.numerics import Array

__all__ = ["TRIPLET", "draw_kinks", "draw_triplet"]

#: The arguments of such a loss.
TRIPLET = ("anchor", "positive", "negative")


def draw_triplet(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]], scale: float, *, swap: bool,
                 equal: bool) -> list[Array]:
    """Anchor, positive and negative, of which either the positive or the negative is far away from the anchor.

    Args:
        rng: source of the values.
        shapes: of the three.
        scale: how far away.
        swap: let some be far away both, and near to each other.
        equal: let the positive be the anchor itself.
    """
    a, q, n = (rng.uniform(-scale, scale, s) for s in shapes)
    far = rng.random((*shapes[1][:-1], 1)) < 0.7
    far[-1:] = True
    a, q, n = 0.1 * a, q * np.where(far, 1.0, 0.2), n * np.where(far, 0.2, 1.0)
    if swap and n.shape[-1:] == q.shape[-1:]:
        every_second = (np.arange(len(n)) % 2 == 0).reshape(-1, *(1,) * (n.ndim - 1))
        n = np.where(far & every_second, q + n, n)
    if equal:
        q[..., :] = a[:len(q)]
    return [a, q, n]


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

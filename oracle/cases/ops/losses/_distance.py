"""Draws of losses between three points (an anchor, a positive and a negative example), and distances between two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.losses._distance import floating_type
from reference.losses._pairs import sign
from reference.numerics import Array, cast, sum_to, widen

__all__ = ["TRIPLET", "Manhattan", "Skewed", "Squared", "draw_kinks", "draw_triplet"]

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


@dataclass(frozen=True)
class Squared:
    """Σ (x - y)², for arrays and for any framework whose arrays have operators."""

    def __call__(self, x: Any, y: Any) -> Any:
        return _along_last(lambda x, y: ((x - y) ** 2).sum(-1), x, y)

    def backward(self, grad_output: Array, x: Array, y: Array) -> tuple[Array, Array]:
        slope = grad_output[..., None] * (2 * (widen(x) - widen(y)))
        return sum_to(slope, x.shape), -sum_to(slope, y.shape)

    def __repr__(self) -> str:
        return "lambda x, y: ((x - y) ** 2).sum(-1)"


@dataclass(frozen=True)
class Manhattan:
    """Σ |x - y|, for arrays and for any framework whose arrays have operators."""

    def __call__(self, x: Any, y: Any) -> Any:
        return _along_last(lambda x, y: abs(x - y).sum(-1), x, y)

    def backward(self, grad_output: Array, x: Array, y: Array) -> tuple[Array, Array]:
        slope = grad_output[..., None] * sign(widen(x) - widen(y))
        return sum_to(slope, x.shape), -sum_to(slope, y.shape)

    def __repr__(self) -> str:
        return "lambda x, y: abs(x - y).sum(-1)"


@dataclass(frozen=True)
class Skewed:
    """Σ (2x - y)², for arrays of any framework: it shows which argument stands first."""

    def __call__(self, x: Any, y: Any) -> Any:
        return _along_last(lambda x, y: ((2 * x - y) ** 2).sum(-1), x, y)

    def backward(self, grad_output: Array, x: Array, y: Array) -> tuple[Array, Array]:
        slope = grad_output[..., None] * (2 * (2 * widen(x) - widen(y)))
        return 2 * sum_to(slope, x.shape), -sum_to(slope, y.shape)

    def __repr__(self) -> str:
        return "lambda x, y: ((2 * x - y) ** 2).sum(-1)"


def _along_last(formula: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    """Half types are summed in float32, as frameworks do."""
    if not isinstance(x, np.ndarray):
        return formula(x, y)
    return cast(formula(widen(x), widen(y)), floating_type(x, y))

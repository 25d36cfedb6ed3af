"""What the triplet losses share: distances between vectors with their gradients, and the loss over three of them.

A distance is a callable of two arrays that gives one number for each pair of vectors (along the last axis),
and has ``backward(grad_output, x, y)``: the gradients of x and y, in their shapes.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, is_floating, isfinite, relu, result_type, row_sum, sum_to, vecdot, widen
from ._pairs import sign

__all__ = ["Distance", "PairwiseDistance", "check_triplet", "floating_type", "triplet_gradients", "triplet_losses"]

Distance = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class PairwiseDistance:
    """‖x - y + ε‖_p. Since ε has a sign, it is not symmetric."""

    p: Any = 2
    eps: Any = 1e-6

    def __call__(self, x: Array, y: Array) -> Array:
        return cast(_norm(self._difference(x, y), self.p), floating_type(x, y))

    def backward(self, grad_output: Array, x: Array, y: Array) -> tuple[Array, Array]:
        """By d = x - y + ε: sign(d) (|d|/‖d‖)^(p-1), and 0 where d or ‖d‖ is 0; p = ∞ shares ties equally."""
        slope = _norm_slope(self._difference(x, y), self.p)
        slope = slope * grad_output[..., None]
        return sum_to(slope, x.shape), -sum_to(slope, y.shape)

    def _difference(self, x: Array, y: Array) -> Array:
        d = widen(x) - widen(y)
        return np.asanyarray(np.add(d, self.eps, out=d if is_floating(d) else None))


def floating_type(*arrays: Array) -> np.dtype[Any]:
    """The common dtype, float32 for integers."""
    dtype = result_type(*arrays)
    return np.dtype(np.float32) if dtype.kind in "iu" else dtype


def _norm(d: Array, p: Any) -> Array:
    """(Σ |d|^p)^(1/p) over the last axis; vectors of extreme size are scaled, so that no power overflows."""
    if p == 2:
        squares = vecdot(d, d)
        if not ((squares < 2.0**-40) | (squares > 2.0**40)).any():
            return np.asanyarray(np.sqrt(squares))
    size = np.abs(d)
    if p == math.inf:
        return np.asanyarray(np.max(size, -1))
    if p == 0:
        return np.asanyarray(np.sum(np.where(size == 0, 0, 1) + 0 * size, -1))
    if p == 1:
        return row_sum(size)[..., 0]
    largest = np.max(size, -1, keepdims=True, initial=0)
    extreme = ((largest < 2.0**-20) & (largest > 0)) | ((largest > 2.0**20) & isfinite(largest))
    scale = np.where(extreme, largest, 1)
    powers = np.sum((size / scale) ** p, -1)
    if p != 2:
        powers = np.where(powers == 0, 0, np.where(powers == 0, 1, powers) ** (1 / p))
    return np.asanyarray((np.sqrt(powers) if p == 2 else powers) * scale[..., 0])


def _norm_slope(d: Array, p: Any) -> Array:
    if p == 2:
        norm = _norm(d, p)
        return np.asanyarray(d / np.where(norm == 0, 1, norm)[..., None])
    size, direction = np.abs(d), sign(d)
    if p in (0, 1):
        return direction * int(p == 1)
    if p == math.inf:
        index = np.arange(d.shape[-1])
        exceeded = np.where(index[:, None] == index, 0, size[..., None, :] > size[..., :, None])
        hits = 1 - np.max(exceeded, -1)
        return np.asanyarray(direction * hits / np.sum(hits, -1, keepdims=True))
    norm = _norm(d, p)[..., None]
    share = np.where((size == 0) | (norm == 0), 1, size / np.where(norm == 0, 1, norm))
    return np.asanyarray(direction * share ** (p - 1))


def check_triplet(anchor: Array, positive: Array, negative: Array, margin: Any, *, broadcast: bool) -> None:
    """Refuse what no triplet loss takes.

    Raises:
        TypeError: an argument is no array, or ``margin`` no number. ValueError: ``margin`` is not positive.
        RuntimeError: the arrays differ in dimension, hold truth values, or (if they have to) do not broadcast.
        NotImplementedError: an array is complex.
    """
    arrays = {"anchor": array("anchor", anchor), "positive": array("positive", positive),
              "negative": array("negative", negative)}
    if not isinstance(margin, numbers.Real):
        raise TypeError(f"margin must be a number, not {type(margin).__name__}")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, not {margin}")
    shapes = [a.shape for a in arrays.values()]
    for name, a in arrays.items():
        if a.ndim != anchor.ndim or a.ndim == 0:
            raise RuntimeError(f"anchor, positive and negative must have as many dimensions, one at least, "
                               f"not shapes {shapes}")
        if a.dtype == np.bool_:
            raise RuntimeError(f"{name} must hold numbers, not bool")
        if a.dtype.kind == "c":
            raise NotImplementedError(f"{name} must be real, not {a.dtype}")
    if broadcast:
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            raise RuntimeError(f"anchor, positive and negative must broadcast, not shapes {shapes}") from None


def triplet_losses(distance: Distance, anchor: Array, positive: Array, negative: Array, margin: Any,
                   swap: bool) -> Array:
    """max(0, margin + d(a, p) - d(a, n)); with ``swap``, the smaller of d(a, n) and d(p, n) counts."""

    def of_rows(anchor: Array, positive: Array, negative: Array) -> Array:
        d_pos, d_neg = distance(anchor, positive), distance(anchor, negative)
        if swap:
            d_neg = np.minimum(d_neg, distance(positive, negative))
        return cast(relu(margin + d_pos - d_neg), floating_type(d_pos, d_neg))

    return np.asanyarray(_by_rows(distance, of_rows, anchor, positive, negative))


def triplet_gradients(grad_output: Array, distance: Any, anchor: Array, positive: Array, negative: Array,
                      margin: Any, swap: bool) -> tuple[Array, Array, Array]:
    """Gradients of the three; the kink counts in full, and a tie of distances is shared by halves."""

    def of_rows(anchor: Array, positive: Array, negative: Array, *grad_outputs: Array) -> tuple[Array, ...]:
        d_pos, d_neg = distance(anchor, positive), distance(anchor, negative)
        d_swap = distance(positive, negative) if swap else d_neg
        z = margin + d_pos - (np.minimum(d_neg, d_swap) if swap else d_neg)
        g = np.where(z >= 0, grad_outputs[0][..., 0] if grad_outputs else grad_output, 0)
        by_anchor, by_positive = distance.backward(sum_to(g, d_pos.shape), anchor, positive)
        share = np.where(d_swap < d_neg, 0, np.where(d_neg < d_swap, 1, 0.5)) if swap else 1
        a, by_negative = distance.backward(sum_to(-g * share, d_neg.shape), anchor, negative)
        by_anchor = by_anchor + a
        if swap:
            p, n = distance.backward(sum_to(-g * (1 - share), d_swap.shape), positive, negative)
            by_positive, by_negative = by_positive + p, by_negative + n
        return by_anchor, by_positive, by_negative

    each = (grad_output[..., None],) if grad_output.ndim else ()
    by_anchor, by_positive, by_negative = _by_rows(distance, of_rows, anchor, positive, negative, *each)
    return by_anchor, by_positive, by_negative


def _by_rows(distance: Any, f: Callable[..., Any], *arrays: Array) -> Any:
    """``f(*arrays)``, block by block where the distance is known to be one of rows, and rows meet rows."""
    rows = [a.shape[:-1] for a in arrays]
    alike = isinstance(distance, PairwiseDistance) and () != rows[0] == rows[1] == rows[2] == rows[-1]
    return map_blocks(f, *arrays) if alike else f(*arrays)

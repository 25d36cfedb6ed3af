"""What losses over classes share: the class axis, targets that are class indices, and the softmax over classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, exactly, row_max, row_sum, total

__all__ = ["check_indices", "check_weights", "class_axis", "class_weights", "drop_rows", "first_outside",
           "log_partition", "pick", "places", "row_weights", "scaled_softmax", "split_ignored"]

_INDEX_TYPES = frozenset(map(np.dtype, (np.int64, np.uint8)))


def class_axis(input: Array) -> int:
    """The axis of classes: the second, or the only one.

    Raises:
        IndexError: there is none.
    """
    if input.ndim == 0:
        raise IndexError("input must have a dimension of classes, not shape ()")
    return min(input.ndim - 1, 1)


def check_indices(input: Array, target: Array) -> None:
    """Refuse a target that does not hold one class index for each row of the input.

    Raises:
        ValueError: the batches differ in size. RuntimeError: another dimension, or the dtype does not fit.
    """
    axis = class_axis(input)
    needed = input.shape[:axis] + input.shape[axis + 1:]
    if target.shape != needed and not (needed == () and target.shape == (1,)):
        kind = ValueError if target.shape[:1] != (needed or (1,))[:1] else RuntimeError
        raise kind(f"target must have shape {needed} for input of shape {input.shape}, not {target.shape}")
    if target.dtype not in _INDEX_TYPES:
        raise RuntimeError(f"target must be class indices of dtype int64 or uint8, not {target.dtype}")


def split_ignored(target: Array, ignore_index: int, input: Array) -> tuple[Array, Array]:
    """Which rows count, and their class indices, with 0 in the rows that do not count.

    Raises:
        IndexError: a row that counts has no such class.
    """
    axis = class_axis(input)
    target, classes = target.reshape(input.shape[:axis] + input.shape[axis + 1:]), input.shape[axis]
    if not 0 <= ignore_index < classes and first_outside(target, 0, classes) is None:
        return np.ones(target.shape, np.bool_), target
    kept = np.asarray(target != ignore_index)
    wrong = first_outside(target[kept], 0, classes)
    if wrong is not None:
        raise IndexError(f"target must be in 0..{classes - 1} or ignored, not {wrong}")
    return kept, np.where(kept, target, 0)


def first_outside(index: Array, low: int, high: int) -> Any:
    """The first of the indices that is not in low..high-1, or None."""
    if not index.size or (index.min() >= low and index.max() < high):
        return None
    return index[(index < low) | (index >= high)].flat[0]


def check_weights(weight: Array | None, x: Array) -> None:
    """Refuse weights that are not one for each class.

    Raises:
        RuntimeError: they are not.
    """
    axis = class_axis(x)
    classes = x.shape[axis:axis + 1]
    if weight is not None and weight.shape != classes:
        raise RuntimeError(f"weight must have shape {classes}, one for each class, not {weight.shape}")


def row_weights(weight: Array, kept: Array, index: Array) -> Array:
    """The weight of each row's class; 0 where the row does not count, which none does where there are no classes."""
    return np.where(kept, weight[index], 0) if weight.size else np.zeros(kept.shape, weight.dtype)


def class_weights(weight: Array | None, x: Array) -> Array:
    """The weight of each element's class, in the shape and dtype of the input; ones without weights."""
    if weight is None:
        return np.ones_like(x)
    column = cast(weight, x.dtype).reshape(-1, *(1,) * (x.ndim - class_axis(x) - 1))
    return np.broadcast_to(column, x.shape, subok=True)


def places(index: Array, axis: int) -> tuple[Array, ...]:
    """Where each row has its class: what indexes an array with the axis of classes, to read or to write there."""
    rows = [np.arange(n).reshape(-1, *(1,) * (index.ndim - 1 - i)) for i, n in enumerate(index.shape)]
    return *rows[:axis], index, *rows[axis:]


def pick(x: Array, index: Array, axis: int) -> Array:
    """The element of each row at its class index; 0 where there are no classes, hence no row that counts."""
    if not x.shape[axis]:
        return np.zeros(index.shape, x.dtype)
    return np.asanyarray(x[places(index, axis)])


def drop_rows(gradient: Array, kept: Array, axis: int) -> None:
    """Write 0 into the rows of an array that do not count."""
    if not kept.all():
        np.moveaxis(gradient, axis, -1)[~kept] = 0


def _exponentials(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """exp(x - max x), max x, and the sum of the exponentials over the axis, which is kept."""
    rows = axis == x.ndim - 1
    largest = exactly(row_max(x) if rows else np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    exps = x - largest
    np.exp(exps, out=exps)
    return exps, largest, row_sum(exps) if rows else total(exps, axis, keepdims=True)


def log_partition(x: Array, axis: int) -> tuple[Array, Array]:
    """m = max x and log Σ exp(x - m) over the classes, without their axis: log p_c is x_c - m less the logarithm."""

    def of_block(x: Array) -> tuple[Array, Array]:
        _, largest, sums = _exponentials(x, axis)
        return largest, np.log(sums)

    largest, logs = of_block(x) if axis == 0 else map_blocks(of_block, x)
    return np.squeeze(largest, axis), np.squeeze(logs, axis)


def scaled_softmax(x: Array, scale: Any, axis: int) -> Array:
    """softmax(x) over the classes, times a number for each row: an array without their axis, or one of shape ()."""

    def of_block(x: Array, scale: Array) -> Array:
        exps, _, sums = _exponentials(x, axis)
        exps *= scale / sums
        return exps

    scale = np.asanyarray(np.expand_dims(scale, axis) if np.ndim(scale) else scale)
    return np.asanyarray(of_block(x, scale) if axis == 0 else map_blocks(of_block, x, scale))

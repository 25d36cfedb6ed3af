"""What losses over classes share: where the class axis is, and targets that are class indices."""

from __future__ import annotations

import numpy as np

from ..numerics import Array, cast

__all__ = ["check_indices", "class_axis", "class_weights", "pick", "split_ignored"]


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
    if target.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"target must be class indices of dtype int64 or uint8, not {target.dtype}")


def split_ignored(target: Array, ignore_index: int, input: Array) -> tuple[Array, Array]:
    """Which rows count, and their class indices, with 0 in the rows that do not count.

    Raises:
        IndexError: a row that counts has no such class.
    """
    axis = class_axis(input)
    target = target.reshape(input.shape[:axis] + input.shape[axis + 1:])
    kept = np.asarray(target != ignore_index)
    outside = kept & ((target < 0) | (target >= input.shape[axis]))
    if outside.any():
        raise IndexError(f"target must be in 0..{input.shape[axis] - 1} or ignored, not {target[outside][0]}")
    return kept, np.where(kept, target, 0).astype(np.int64)


def class_weights(weight: Array | None, x: Array) -> Array:
    """The weight of each element's class, in the shape and dtype of the input; ones without weights.

    Raises:
        RuntimeError: there is not one weight for each class.
    """
    axis = class_axis(x)
    if weight is None:
        return np.ones_like(x)
    if weight.shape != x.shape[axis:axis + 1]:
        raise RuntimeError(f"weight must have shape {x.shape[axis:axis + 1]}, one for each class, "
                           f"not {weight.shape}")
    column = cast(weight, x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))
    return np.broadcast_to(column, x.shape, subok=True)


def pick(x: Array, index: Array, axis: int) -> Array:
    """The element of each row at its class index."""
    return np.squeeze(np.take_along_axis(x, np.expand_dims(index, axis), axis), axis)

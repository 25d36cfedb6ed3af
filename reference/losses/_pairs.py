"""What losses between two arrays that broadcast share: checks of arguments, and signs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..numerics import REAL, Array, array, common_shape

__all__ = ["broadcast_pair", "check_weight", "number", "sign"]


def broadcast_pair(input: Any, target: Any, stacklevel: int | None = None) -> tuple[int, ...]:
    """The common shape of two arrays; with a ``stacklevel`` a warning where their own shapes differ.

    Raises:
        TypeError: one is no array.
        RuntimeError: the shapes do not broadcast.
    """
    input, target = array("input", input), array("target", target)
    if stacklevel is not None and input.shape != target.shape:
        warnings.warn(f"target has shape {target.shape}, but input has {input.shape}; they are broadcast, "
                      "which is seldom what is meant", UserWarning, stacklevel=stacklevel)
    try:
        return common_shape(input, target)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None


def check_weight(weight: Any, input: Array) -> None:
    """Refuse weights that are no array (TypeError) or have not the shape of the input (ValueError)."""
    if weight is not None and array("weight", weight).shape != input.shape:
        raise ValueError(f"weight must have the shape of input, {input.shape}, not {weight.shape}")


def number(name: str, value: Any) -> Any:
    """An argument that has to be a real number, as one that widens no array.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, REAL):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    return value.item() if isinstance(value, np.generic) else value


def sign(d: Array) -> Array:
    """-1, 0 or 1, or d/|d| of complex numbers; 0 where d is 0, and where it is NaN."""
    if d.dtype.kind == "c":
        return np.divide(d, np.abs(d), out=np.zeros_like(d), where=np.abs(d) > 0)
    if d.dtype == object:
        return np.where(d > 0, 1, np.where(d < 0, -1, 0))
    return ((d > 0).view(np.int8) - (d < 0).view(np.int8)).astype(d.dtype)

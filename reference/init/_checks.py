"""What every initializer refuses: a tensor that is no array of numbers, or that cannot be filled."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_tensor"]


def check_tensor(tensor: Any) -> None:
    """Refuse what cannot be filled in place.

    Raises:
        TypeError: it is no array, or not one of numbers (balls have a class of their own).
        ValueError: it is read-only.
    """
    if not isinstance(tensor, np.ndarray):
        raise TypeError(f"tensor must be a NumPy array, which is filled in place, not {type(tensor).__name__}")
    if tensor.dtype.kind not in "fciub" and (
            type(tensor) is np.ndarray and (tensor.dtype.kind in "OSUMm" or tensor.dtype.names is not None)):
        raise TypeError(f"tensor must be an array of numbers, got dtype {tensor.dtype}")
    if not tensor.flags.writeable:
        raise ValueError("tensor must be writable, got a read-only array")

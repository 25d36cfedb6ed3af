"""What initializers share: the fans of a weight array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["calculate_correct_fan", "calculate_fan_in_and_fan_out"]

Array = np.ndarray[Any, Any]


def calculate_fan_in_and_fan_out(tensor: Array) -> tuple[int, int]:
    """Count the inputs and outputs that one weight array connects, kernel positions included.

    Args:
        tensor: weights of shape (out, in, *kernel).

    Returns:
        ``(fan_in, fan_out)``.

    Raises:
        ValueError: for fewer than two dimensions.

    >>> calculate_fan_in_and_fan_out(np.zeros((8, 3, 2, 2)))
    (12, 32)
    """
    if not isinstance(tensor, np.ndarray):
        raise TypeError(f"tensor must be a NumPy array, not {type(tensor).__name__}")
    if tensor.ndim < 2:
        raise ValueError(f"tensor needs at least 2 dimensions to have fans, got {tensor.ndim}")
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def calculate_correct_fan(tensor: Array, mode: str) -> int:
    """Return the fan that a mode names, in upper or lower case; ValueError for any other mode.

    >>> calculate_correct_fan(np.zeros((8, 3)), "fan_out")
    8
    """
    if not isinstance(mode, str):
        raise AttributeError(f"mode must be 'fan_in' or 'fan_out', got {type(mode).__name__}")
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]

"""What initializers share: fan-in and fan-out, and how their specs write shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["calculate_fan_in_and_fan_out", "parse_shape"]


def calculate_fan_in_and_fan_out(tensor: np.ndarray[Any, Any]) -> tuple[int, int]:
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
    if tensor.ndim < 2:
        raise ValueError(f"tensor needs at least 2 dimensions to have fans, got {tensor.ndim}")
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def parse_shape(text: str) -> tuple[int, ...]:
    """Read a shape as specs write it.

    >>> parse_shape("3x5"), parse_shape("()")
    ((3, 5), ())
    """
    return () if text == "()" else tuple(int(n) for n in text.split("x"))

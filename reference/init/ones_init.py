"""Initialization with ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import check_tensor

__all__ = ["ones_"]

Array = np.ndarray[Any, Any]


def ones_(tensor: Array) -> Array:
    r"""Fill an array with ones: :math:`x = 1`, the scale of a normalization that changes nothing.

    Args:
        tensor: array of any dtype and shape, filled in place.

    Returns:
        ``tensor``.

    >>> ones_(np.zeros(2, np.int8))
    array([1, 1], dtype=int8)

    Source: documentation of torch.nn.init.
    """
    check_tensor(tensor)
    tensor[...] = 1
    return tensor

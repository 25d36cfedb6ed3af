"""Initialization with zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import check_tensor

__all__ = ["zeros_"]

Array = np.ndarray[Any, Any]


def zeros_(tensor: Array) -> Array:
    r"""Fill an array with zeros: :math:`x = 0`, the usual bias.

    Args:
        tensor: array of any dtype and shape, filled in place.

    Returns:
        ``tensor``.

    >>> zeros_(np.ones(2, np.int8))
    array([0, 0], dtype=int8)

    Source: documentation of torch.nn.init.
    """
    check_tensor(tensor)
    tensor[...] = 0
    return tensor

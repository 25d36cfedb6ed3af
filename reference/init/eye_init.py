"""Initialization with the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import check_tensor

__all__ = ["eye_"]

Array = np.ndarray[Any, Any]


def eye_(tensor: Array) -> Array:
    r"""Fill a matrix with the identity, so that a linear layer passes on as many inputs as it can.

    .. math:: x_{ij} = \delta_{ij}

    Args:
        tensor: array of any dtype with two axes, not necessarily square, filled in place.

    Returns:
        ``tensor``.

    Raises:
        ValueError: for another number of axes.

    >>> eye_(np.ones((2, 3)))
    array([[1., 0., 0.],
           [0., 1., 0.]])

    Source: Q. Le, N. Jaitly, G. Hinton, A simple way to initialize recurrent networks of rectified linear
    units, arXiv:1504.00941.
    """
    check_tensor(tensor)
    if tensor.ndim != 2:
        raise ValueError(f"tensor must have 2 dimensions, got {tensor.ndim}")
    tensor[...] = 0
    diagonal = np.arange(min(tensor.shape))
    tensor[diagonal, diagonal] = 1
    return tensor

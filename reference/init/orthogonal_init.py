"""Initialization with orthogonal matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from .._storage import HALF, check_numbers, storage_of
from ._checks import check_tensor
from ._orthonormal import orthonormal_columns

__all__ = ["orthogonal_"]

Array = np.ndarray[Any, Any]


def orthogonal_(tensor: Array, gain: float = 1, generator: random.Generator | None = None) -> Array:
    r"""Fill an array with an orthogonal matrix, uniformly distributed among all, so that lengths survive.

    .. math:: X^\top X = g^2 I \quad (m \ge n), \qquad X X^\top = g^2 I \quad (m < n)

    where the m rows belong to outputs, and the n columns to all that one output sees. A matrix of normal
    numbers (n by m, where m < n, and then transposed) is factored into Q and R, with the signs of Q's
    columns such that R has a positive diagonal: only then is Q uniform.

    Args:
        tensor: float32 or float64 array of shape (out, in, *kernel), filled in place.
        gain: g, a factor for the activation that follows.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``; as it was where it has no elements.

    Raises:
        ValueError: for fewer than two dimensions. NotImplementedError: for other dtypes. RuntimeError: for
        strides under which the axes after the first cannot be seen as one. TypeError: where gain is no
        number or generator no generator.

    >>> x = orthogonal_(np.zeros((2, 3)), 2.0, random.Generator().manual_seed(0))
    >>> (x @ x.T).round(12) + 0.0
    array([[4., 0.],
           [0., 4.]])

    Source: A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks, ICLR 2014; F. Mezzadri, How to generate random matrices from the
    classical compact groups, Notices AMS 54 (2007), 592-604, for the signs.

    Deviations: without the signs (older Keras and many ports) the distribution depends on the QR routine.
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    if tensor.ndim < 2:
        raise ValueError(f"tensor must have at least 2 dimensions, got {tensor.ndim}")
    if not tensor.size:
        return tensor
    check_numbers(gain=gain)
    if tensor.dtype.kind == "c" or storage_of(tensor, "orthogonal_").name in HALF:
        raise NotImplementedError(f"orthogonal_ needs a float32 or float64 array, got {tensor.dtype.name}")
    rows, columns = len(tensor), tensor.size // len(tensor)
    normals = np.empty_like(tensor, shape=(rows, columns), order="C")
    generator.normal_(normals)
    wide = rows < columns
    q = orthonormal_columns(normals.T if wide else normals)
    view = tensor.reshape(rows, columns)
    if not np.shares_memory(view, tensor):
        raise RuntimeError(f"tensor must have strides by which its last axes are one, got {tensor.strides}")
    view[...] = gain * (q.T if wide else q)
    return tensor

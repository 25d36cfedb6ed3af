"""Initialization of matrices with few numbers in each column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import random
from .._storage import check_numbers
from ._checks import check_tensor

__all__ = ["sparse_"]

Array = np.ndarray[Any, Any]


def sparse_(tensor: Array, sparsity: float, std: float = 0.01, generator: random.Generator | None = None) -> Array:
    r"""Fill a matrix with normal numbers, and then a fixed number of each column's with zeros.

    .. math:: x_{ij} \sim \mathcal{N}(0, \sigma^2), \qquad x_{ij} = 0 \text{ for } \lceil s m \rceil
              \text{ of the } m \text{ rows } i \text{ of each column } j

    Args:
        tensor: floating or complex array of shape (m, n), filled in place.
        sparsity: s, the share of zeros in each column.
        std: :math:`\sigma`, not negative.
        generator: source of the normal numbers; the default generator where it is None.

    Returns:
        ``tensor``.

    Raises:
        ValueError: for another number of axes, or a sparsity of NaN. OverflowError: for an infinite one.
        RuntimeError: where std is negative or NaN. NotImplementedError: for a dtype that is neither
        floating nor complex, unless the array is empty. TypeError: where sparsity or std is no number, or
        generator no generator.

    >>> _ = random.manual_seed(0)
    >>> (sparse_(np.zeros((4, 6)), 0.5) == 0).sum(axis=0)
    array([2, 2, 2, 2, 2, 2])

    Source: J. Martens, Deep learning via Hessian-free optimization, ICML 2010, section 5.

    Deviations: the rows come from the default generator, in torch as here, even where another is given.
    A sparsity above 1 gives zeros only, one below 0 is counted from the other end: as a slice takes it.
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    if tensor.ndim != 2:
        raise ValueError(f"tensor must have 2 dimensions, got {tensor.ndim}")
    check_numbers(sparsity=sparsity, std=std)
    if not math.isfinite(sparsity):
        raise (ValueError if math.isnan(sparsity) else OverflowError)(f"sparsity must be finite, got {sparsity}")
    rows, columns = tensor.shape
    zeros = math.ceil(float(sparsity) * rows)
    generator.normal_(tensor, 0.0, std)
    for column in range(columns):
        tensor[random.default_generator.randperm(rows)[:zeros], column] = 0
    return tensor

"""Initialization of matrices with few numbers in each column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import random
from .._storage import check_numbers
from ..spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, draw, matrix
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


def _sized(n: int) -> dict[str, Any]:
    return {**matrix(n), "sparsity": 0.5}


SPEC = InitSpec(
    name="sparse_",
    torch_names=("torch.nn.init.sparse_", "torch.nn.init.sparse"),
    axes=(
        Axis("shape", ("5x3", "3x5", "1x1", "16x4", "4x4", "0x3", "3x0", "20x2"), "of the matrix"),
        LAYOUT,
        Axis("sparsity", (0.5, 0.1, 0.0, 1.0, 1.5, -0.3), "share of zeros"),
        Axis("std", (0.01, 1.0, 0.0), "scale of the others"),
        SEED,
        GENERATOR,
    ),
    function=sparse_,
    draw=draw,
    slower=f"{NORMALS}; and each column's permutation takes Python's exchanges, at 0.1 µs each, or a sort, where torch "
           "exchanges element by element in C++",
    sized=_sized,
    refusals=(
        Refusal("one axis", {"tensor": np.zeros(3), "sparsity": 0.5}, ValueError, "2 dimensions, got 1"),
        Refusal("three axes", {"tensor": np.zeros((2, 2, 2)), "sparsity": 0.5}, ValueError, "2 dimensions, got 3"),
        Refusal("no share", {"tensor": np.zeros((3, 2)), "sparsity": float("nan")}, ValueError, "sparsity .* got nan"),
        Refusal("no share either", {"tensor": np.zeros((3, 2)), "sparsity": float("inf")}, OverflowError, "got inf"),
        Refusal("a word", {"tensor": np.zeros((3, 2)), "sparsity": "half"}, TypeError, "sparsity must be.*str"),
        Refusal("no scale is negative", {"tensor": np.zeros((3, 2)), "sparsity": 0.5, "std": -1.0},
                RuntimeError, "std must be"),
        Refusal("integers cannot", {"tensor": np.zeros((3, 2), np.int32), "sparsity": 0.5},
                NotImplementedError, "got int32"),
    ),
)

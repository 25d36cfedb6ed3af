"""Initialization with uniform numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ._checks import check_tensor

__all__ = ["uniform_"]

Array = np.ndarray[Any, Any]


def uniform_(tensor: Array, a: float = 0.0, b: float = 1.0, generator: random.Generator | None = None) -> Array:
    r"""Fill an array with numbers uniform on :math:`[a, b)`.

    .. math:: x = u (b - a) + a, \qquad \operatorname{var} x = \frac{(b - a)^2}{12}

    Args:
        tensor: floating or complex array of any shape, filled in place.
        a, b: bounds of the interval, a <= b.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``.

    Raises:
        RuntimeError: where a > b, or the interval leaves the dtype's range. NotImplementedError: for a
        dtype that is neither floating nor complex. TypeError: where a or b is no number, or generator no
        generator.

    >>> uniform_(np.zeros(3), -1.0, 1.0, generator=random.Generator().manual_seed(1))
    array([-0.87789345, -0.55089099, -0.53149497])

    Source: documentation of torch.nn.init; for the bits, :mod:`reference.random`.

    Deviations: torch turns a number that rounding lifts to b into a, so that b never occurs. NumPy and
    JAX take other bits of the words.
    """
    check_tensor(tensor)
    return random.check_generator(generator).uniform_(tensor, a, b)

"""Initialization with normal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ._checks import check_tensor

__all__ = ["normal_"]

Array = np.ndarray[Any, Any]


def normal_(tensor: Array, mean: float = 0.0, std: float = 1.0,
            generator: random.Generator | None = None) -> Array:
    r"""Fill an array with normal numbers.

    .. math:: x = \mu + \sigma z, \qquad z \sim \mathcal{N}(0, 1)

    Args:
        tensor: floating or complex array of any shape, filled in place.
        mean: :math:`\mu`.
        std: :math:`\sigma`, not negative.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``.

    Raises:
        RuntimeError: where std is negative or NaN. NotImplementedError: for a dtype that is neither
        floating nor complex, unless the array is empty. TypeError: where mean or std is no number, or
        generator no generator.

    >>> normal_(np.zeros((2, 2)), 10.0, generator=random.Generator().manual_seed(0))
    array([[11.54099611,  9.70657109],
           [ 7.82121062, 10.56843128]])

    Source: G. Box, M. Muller, A note on the generation of random normal deviates, Ann. Math. Stat. 29
    (1958), 610-611.

    Deviations: the same seed gives other numbers elsewhere (NumPy: ziggurat or polar method; JAX: the
    inverse error function). In torch they also depend on dtype and contiguity, and a complex array gets
    its mean in the imaginary parts as well.
    """
    check_tensor(tensor)
    return random.check_generator(generator).normal_(tensor, mean, std)

"""Xavier (Glorot) initialization, normal."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from .._storage import check_numbers
from ._checks import check_tensor
from ._fans import calculate_fan_in_and_fan_out
from ._gain import as_exact_as, root

__all__ = ["xavier_normal_"]

Array = np.ndarray[Any, Any]


def xavier_normal_(tensor: Array, gain: float = 1.0, generator: random.Generator | None = None) -> Array:
    r"""Fill an array with normal numbers whose variance survives a layer both ways, as far as it can.

    .. math:: x \sim \mathcal{N}(0, \sigma^2), \qquad \sigma = g \sqrt{\frac{2}{\text{fan}_{in} + \text{fan}_{out}}}

    The forward pass keeps variances with 1/fan_in, the backward pass with 1/fan_out; this is the
    harmonic mean of the two.

    Args:
        tensor: floating or complex array of shape (out, in, *kernel), filled in place.
        gain: g, a factor for the activation that follows, not negative.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``.

    Raises:
        ValueError: for fewer than two dimensions. ZeroDivisionError: where both fans are 0.
        RuntimeError: where gain is negative or NaN. NotImplementedError: for a dtype that is neither
        floating nor complex. TypeError: where gain is no number or generator no generator.

    >>> xavier_normal_(np.zeros((2, 2)), generator=random.Generator().manual_seed(0))
    array([[ 1.0896488 , -0.20748557],
           [-1.54063675,  0.40194161]])

    Source: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, equation 12.

    Deviations: Keras and JAX keep weights as (*kernel, in, out), and truncate at two standard deviations.
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    fan_in, fan_out = calculate_fan_in_and_fan_out(tensor)
    if fan_in + fan_out == 0:
        raise ZeroDivisionError(f"tensor needs a fan in or fan out above 0, got shape {tensor.shape}")
    check_numbers(gain=gain)
    return generator.normal_(tensor, 0.0, gain * root(as_exact_as(gain, 2.0) / (fan_in + fan_out)))

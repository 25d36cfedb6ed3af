"""Xavier (Glorot) initialization, uniform."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from .._storage import check_numbers
from ._checks import check_tensor
from ._fans import calculate_fan_in_and_fan_out
from ._gain import as_exact_as, root

__all__ = ["xavier_uniform_"]

Array = np.ndarray[Any, Any]


def xavier_uniform_(tensor: Array, gain: float = 1.0, generator: random.Generator | None = None) -> Array:
    r"""Fill an array with numbers uniform on :math:`[-a, a)`, so that variances survive a layer both ways.

    .. math:: a = g \sqrt{3} \sqrt{\frac{2}{\text{fan}_{in} + \text{fan}_{out}}}, \qquad
              \operatorname{var} x = \frac{a^2}{3} = \frac{2 g^2}{\text{fan}_{in} + \text{fan}_{out}}

    The forward pass keeps variances with 1/fan_in, the backward pass with 1/fan_out; this is the
    harmonic mean of the two.

    Args:
        tensor: floating or complex array of shape (out, in, *kernel), filled in place.
        gain: g, a factor for the activation that follows.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``.

    Raises:
        ValueError: for fewer than two dimensions. ZeroDivisionError: where both fans are 0.
        RuntimeError: where gain is negative, NaN, or so large that the interval leaves the dtype's range.
        NotImplementedError: for a dtype that is neither floating nor complex. TypeError: where gain is no
        number or generator no generator.

    >>> xavier_uniform_(np.zeros((2, 2)), generator=random.Generator().manual_seed(0))
    array([[ 1.15139001,  0.50905263],
           [-0.09949106,  1.03061714]])

    Source: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, equation 16.

    Deviations: Keras and JAX keep weights as (*kernel, in, out). The paper's interval is closed; torch
    turns a number that rounding lifts to a into -a, in bfloat16 about one number in 500.
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    fan_in, fan_out = calculate_fan_in_and_fan_out(tensor)
    if fan_in + fan_out == 0:
        raise ZeroDivisionError(f"tensor needs a fan in or fan out above 0, got shape {tensor.shape}")
    check_numbers(gain=gain)
    std = gain * root(as_exact_as(gain, 2.0) / (fan_in + fan_out))
    a = root(as_exact_as(gain, 3.0)) * std
    return generator.uniform_(tensor, -a, a)

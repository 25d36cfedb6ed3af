"""Kaiming (He) initialization, normal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import random
from ._checks import check_tensor
from ._fans import calculate_correct_fan
from ._gain import as_exact_as, calculate_gain, root

__all__ = ["kaiming_normal_"]

Array = np.ndarray[Any, Any]


def kaiming_normal_(tensor: Array, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: random.Generator | None = None) -> Array:
    r"""Fill an array with normal numbers, so that a rectified layer keeps variances.

    .. math:: x \sim \mathcal{N}(0, \sigma^2), \qquad \sigma = \frac{g}{\sqrt{\text{fan}}}

    A rectifier halves the second moment, and :func:`calculate_gain` makes up for it. With fan_in the
    activations keep their variance on the way forward, with fan_out the gradients on the way back.

    Args:
        tensor: floating or complex array of shape (out, in, *kernel), filled in place.
        a: slope of a leaky rectifier on the negative side, for "leaky_relu" only.
        mode: "fan_in" or "fan_out".
        nonlinearity: a name that :func:`calculate_gain` knows.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``; with a warning, and as it was, where it has no elements.

    Raises:
        ValueError: for fewer than two dimensions, another mode or nonlinearity, or an a that is no number.
        RuntimeError: where a is NaN. NotImplementedError: for a dtype that is neither floating nor complex.
        AttributeError: where mode is no string. TypeError: where generator is no generator.

    >>> kaiming_normal_(np.zeros((2, 2)), generator=random.Generator().manual_seed(0))
    array([[ 1.54099611, -0.29342891],
           [-2.17878938,  0.56843128]])

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015, equations 10, 14 and 15.

    Deviations: Keras and JAX keep weights as (*kernel, in, out), and truncate.
    ``nn.Linear`` and ``nn.Conv2d`` start with a = √5, which is a gain of √(1/3).
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    if 0 in tensor.shape:
        warnings.warn("an array without elements is left as it is", UserWarning, stacklevel=2)
        return tensor
    fan = calculate_correct_fan(tensor, mode)
    gain = calculate_gain(nonlinearity, a)
    std = gain / root(as_exact_as(gain, fan))
    return generator.normal_(tensor, 0.0, std)

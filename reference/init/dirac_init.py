"""Initialization of convolutions that pass on what comes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import check_tensor

__all__ = ["dirac_"]

Array = np.ndarray[Any, Any]


def dirac_(tensor: Array, groups: int = 1) -> Array:
    r"""Fill the kernels of a convolution with a 1 at the centre, from each input channel to its own output.

    With G groups of m output channels each, and kernels of K positions along an axis,

    .. math:: x_{gm + c, c, \lfloor K_1/2 \rfloor, \dots} = 1 \quad (c < \min(m, C_{in})), \qquad
              x = 0 \text{ elsewhere}

    Args:
        tensor: array of any dtype of shape (out, in, *kernel) with 3, 4 or 5 axes, filled in place.
        groups: G, a divisor of the number of output channels; in counts one group's inputs.

    Returns:
        ``tensor``.

    Raises:
        ValueError: for another number of axes, or where groups does not divide the output channels.
        ZeroDivisionError: for 0 groups. IndexError: for kernels without positions. TypeError: where groups
        is no integer.

    >>> dirac_(np.ones((2, 1, 3)), groups=2)[:, 0]
    array([[0., 1., 0.],
           [0., 1., 0.]])

    Source: S. Zagoruyko, N. Komodakis, DiracNets, arXiv:1706.00388, section 3.

    Deviations: kernels of even size have no middle; torch takes the later one. A negative number of
    groups gives zeros in torch, as here.
    """
    check_tensor(tensor)
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"tensor must have 3, 4 or 5 dimensions, got {tensor.ndim}")
    if not isinstance(groups, int | np.integer):
        raise TypeError(f"groups must be an integer, got {type(groups).__name__}")
    if groups == 0:
        raise ZeroDivisionError("groups must not be 0, got 0")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups:
        raise ValueError(f"groups must divide the {outputs} output channels, got {groups}")
    size = outputs // groups
    tensor[...] = 0
    for group in range(groups):
        for channel in range(min(size, inputs)):
            tensor[(group * size + channel, channel, *(k // 2 for k in kernel))] = 1
    return tensor

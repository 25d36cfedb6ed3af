"""Initialization with normal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, draw, two_axes_where_transposed

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
    return random.check_generator(generator).normal_(tensor, mean, std)


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,)}


SPEC = InitSpec(
    name="normal_",
    torch_names=("torch.nn.init.normal_", "torch.nn.init.normal"),
    axes=(
        Axis("shape", ("3x5", "()", "0", "1", "2", "7", "15", "16", "17", "31", "40", "4x4", "16x4",
                       "5x4x3x2"),
             "below 16 elements, and above"),
        LAYOUT,
        Axis("mean", (0.0, 1.0, -3.5, 1e4), "location"),
        Axis("std", (1.0, 0.02, 1e3, 0.0), "scale"),
        SEED,
        GENERATOR,
    ),
    allowed=two_axes_where_transposed,
    function=normal_,
    draw=draw,
    slower=NORMALS,
    sized=_sized,
    refusals=(
        Refusal("no scale is negative", {"tensor": np.zeros(3), "std": -1.0}, RuntimeError, "std.*got -1.0"),
        Refusal("if all is empty", {"tensor": np.zeros(0), "std": -1.0}, RuntimeError, "std.*at least 0"),
        Refusal("nor is it NaN", {"tensor": np.zeros(3), "std": float("nan")}, RuntimeError, "std.*got nan"),
        Refusal("integers cannot", {"tensor": np.zeros(3, np.int32)}, NotImplementedError, "got int32"),
        Refusal("nor can booleans", {"tensor": np.zeros((4, 5), bool)}, NotImplementedError, "got bool"),
        Refusal("mean is a number", {"tensor": np.zeros(3), "mean": "0"}, TypeError, "mean must be.*got str"),
        Refusal("std is a number", {"tensor": np.zeros(3), "std": None}, TypeError, "std must be.*NoneType"),
    ),
)

"""Initialization with uniform numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, SEED, draw, two_axes_where_transposed

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
    return random.check_generator(generator).uniform_(tensor, a, b)


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,)}


SPEC = InitSpec(
    name="uniform_",
    torch_names=("torch.nn.init.uniform_", "torch.nn.init.uniform"),
    axes=(
        Axis("shape", ("3x5", "()", "0", "1", "7", "16", "40", "16x4", "5x4x3x2"), "any"),
        LAYOUT,
        Axis("a", (0.0, -1.0, 0.1, -1000.0), "lower bound"),
        Axis("b", (1.0, 0.1, 0.2, 1000.0), "upper bound"),
        SEED,
        GENERATOR,
    ),
    extra=({"shape": "91x91"},),  # an odd number of words, and more than the engine gives one at a time
    allowed=lambda options, dtype: two_axes_where_transposed(options, dtype) and options["a"] <= options["b"],
    function=uniform_,
    draw=draw,
    sized=_sized,
    refusals=(
        Refusal("an empty interval", {"tensor": np.zeros(3), "a": 1.0, "b": 0.0}, RuntimeError, "got low=1.0"),
        Refusal("NaN bounds nothing", {"tensor": np.zeros(3), "b": float("nan")}, RuntimeError, "high=nan"),
        Refusal("nor does infinity", {"tensor": np.zeros(3), "b": float("inf")}, RuntimeError, "high=inf"),
        Refusal("wider than float32", {"tensor": np.zeros(3, np.float32), "a": -3e38, "b": 3e38},
                RuntimeError, "high - low must be.*float32"),
        Refusal("integers cannot", {"tensor": np.zeros(3, np.int32)}, NotImplementedError, "got int32"),
        Refusal("a is a number", {"tensor": np.zeros(3), "a": None}, TypeError, "low must be.*NoneType"),
        Refusal("b is a number", {"tensor": np.zeros(3), "b": "1"}, TypeError, "high must be.*str"),
    ),
)

"""What is asked of ``trunc_normal_``: its axes, draws and refusals.

Intervals are such that at least one number in five is accepted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference._storage import HALF
from reference.init.trunc_normal_init import normal_mass, trunc_normal_

from ...spec import Axis, InitSpec, Options, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, draw, two_axes_where_transposed

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,)}


def _allowed(options: Options, dtype: str) -> bool:
    """Only where at least one number in five is accepted, so that a case stays small.

    Far from the mean half types decide nothing: what is compared is then a difference of large logarithms.
    """
    mean, std, a, b = (options[name] for name in ("mean", "std", "a", "b"))
    if not two_axes_where_transposed(options, dtype) or a >= b:
        return False
    if normal_mass((a - mean) / std, (b - mean) / std) > 0.3:
        return True
    if not math.isfinite(b - a):
        return False
    x, mode = np.linspace(a, b, 1001), max(a, min(mean, b))
    accepted = np.exp((((mode - mean) / std) ** 2 - ((x - mean) / std) ** 2) / 2).mean()
    return bool(accepted > 0.2) and (dtype not in HALF or abs(mode - mean) < 5 * abs(std))


SPEC = InitSpec(
    name="trunc_normal_",
    torch_names=("torch.nn.init.trunc_normal_",),
    axes=(
        Axis("shape", ("3x5", "()", "0", "1", "16", "17", "40", "4x4", "16x4"), "any"),
        LAYOUT,
        Axis("mean", (0.0, 1.0, -3.5), "location of the normal distribution"),
        Axis("std", (1.0, 0.02, 5.0, -1.0), "scale of the normal distribution"),
        Axis("a", (-2.0, -0.04, 0.1, -4.0), "lower bound"),
        Axis("b", (2.0, 0.04, 0.3), "upper bound"),
        SEED,
        GENERATOR,
    ),
    allowed=_allowed,
    extra=(
        {"shape": "2x3x4"},
        {"a": -0.3854, "b": 0.3854}, {"a": -0.385, "b": 0.385},  # with 0.30006 and 0.29976 of the mass
        {"shape": "16x4", "mean": 20.0, "a": -0.04, "b": 0.04},  # where densities differ by a factor of 5
        {"std": 3e38, "a": float("-inf")}, {"std": 3e38, "b": float("inf")},  # infinite numbers, within the bounds
    ),
    lengths=(1, 2, 3, 4, 5),
    decided=("float64", "float32"),  # in half types it is open for some number of many whether it is drawn again
    function=trunc_normal_,
    draw=draw,
    slower=NORMALS,
    sized=_sized,
    refusals=(
        Refusal("an empty interval", {"tensor": np.zeros(3), "a": 2.0, "b": -2.0}, RuntimeError, "low=2.0"),
        Refusal("no width", {"tensor": np.zeros(3), "std": 0.0}, ZeroDivisionError, "std must not be 0"),
        Refusal("integers cannot", {"tensor": np.zeros(3, np.int32)}, NotImplementedError, "got int32"),
        Refusal("complex numbers have no order", {"tensor": np.zeros(3, np.complex64)},
                NotImplementedError, "got complex64"),
        Refusal("mean is a number", {"tensor": np.zeros(3), "mean": None}, TypeError, "mean must be.*NoneType"),
        Refusal("std is a number", {"tensor": np.zeros(3), "std": "1"}, TypeError, "std must be.*str"),
        Refusal("a is a number", {"tensor": np.zeros(3), "a": None}, TypeError, "a must be.*NoneType"),
        Refusal("b is a number", {"tensor": np.zeros(3), "b": "2"}, TypeError, "b must be.*str"),
    ),
)

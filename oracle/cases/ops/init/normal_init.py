"""What is asked of ``normal_``: its axes, draws and refusals.

Sizes stand on both sides of 16, from which on torch draws in blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.init.normal_init import normal_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, draw, two_axes_where_transposed

__all__ = ["SPEC"]


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
    lengths=(1, 2, 3, 4, 5),
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

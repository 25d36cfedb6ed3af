"""What is asked of ``uniform_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.init.uniform_init import uniform_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, SEED, draw, two_axes_where_transposed

__all__ = ["SPEC"]


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
    lengths=(1, 2, 3, 4, 5),
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

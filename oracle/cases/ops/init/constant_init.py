"""What is asked of ``constant_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.init.constant_init import constant_

from ...spec import Axis, InitSpec, Refusal
from ._cases import LAYOUT, WEIGHTS, draw

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,), "val": 0.5}


SPEC = InitSpec(
    name="constant_",
    torch_names=("torch.nn.init.constant_", "torch.nn.init.constant"),
    axes=(
        WEIGHTS,
        LAYOUT,
        Axis("val", (0.1, 0.0, 1.0, -3.5, 1e-30, 60000.0, float("inf"), float("nan")), "the number"),
    ),
    lengths=(1, 2, 3, 4, 5),
    function=constant_,
    draw=draw,
    sized=_sized,
    refusals=(
        Refusal("beyond float16", {"tensor": np.zeros(3, np.float16), "val": 1e6}, RuntimeError, "range of float16"),
        Refusal("not even where it would round to the largest", {"tensor": np.zeros(3, np.float16), "val": 65505.0},
                RuntimeError, "range of float16"),
        Refusal("beyond float32", {"tensor": np.zeros(3, np.float32), "val": -1e39}, RuntimeError, "range of float32"),
        Refusal("beyond int8", {"tensor": np.zeros(3, np.int8), "val": 127.5}, RuntimeError, "range of int8"),
        Refusal("floats do not wrap", {"tensor": np.zeros(3, np.uint8), "val": -0.5}, RuntimeError, "range of uint8"),
        Refusal("integers are numbers", {"tensor": np.zeros(3, np.int32), "val": float("nan")},
                RuntimeError, "range of int32"),
        Refusal("complex into real", {"tensor": np.zeros(3), "val": 1j}, RuntimeError, "must be real"),
        Refusal("a word", {"tensor": np.zeros(3), "val": "0"}, TypeError, "got str"),
        Refusal("nothing", {"tensor": np.zeros(3), "val": None}, TypeError, "got NoneType"),
    ),
)

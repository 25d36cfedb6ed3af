"""What is asked of ``xavier_normal_``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.init.xavier_normal_init import xavier_normal_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, WEIGHTS, draw, matrix

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="xavier_normal_",
    torch_names=("torch.nn.init.xavier_normal_", "torch.nn.init.xavier_normal"),
    axes=(
        WEIGHTS,
        LAYOUT,
        Axis("gain", (1.0, 5 / 3, 2**0.5, 0.01, 1e4, 0.0), "factor of the standard deviation"),
        SEED,
        GENERATOR,
    ),
    function=xavier_normal_,
    draw=draw,
    slower=NORMALS,
    sized=matrix,
    refusals=(
        Refusal("one dimension", {"tensor": np.zeros(3)}, ValueError, "at least 2 dimensions.*got 1"),
        Refusal("fans of 0", {"tensor": np.zeros((0, 0))}, ZeroDivisionError, r"got shape \(0, 0\)"),
        Refusal("no scale is negative", {"tensor": np.zeros((2, 3)), "gain": -1.0}, RuntimeError, "std must be"),
        Refusal("nor is it NaN", {"tensor": np.zeros((2, 3)), "gain": float("nan")}, RuntimeError, "std.*got nan"),
        Refusal("integers cannot", {"tensor": np.zeros((2, 3), np.int64)}, NotImplementedError, "got int64"),
        Refusal("gain is a number", {"tensor": np.zeros((2, 3)), "gain": None}, TypeError, "gain must be.*NoneType"),
    ),
)

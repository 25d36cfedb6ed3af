"""What is asked alike of both of Kaiming's initializers."""

from __future__ import annotations

import numpy as np

from ...spec import Axis, Refusal
from ._cases import GENERATOR, LAYOUT, SEED

__all__ = ["AXES", "REFUSALS"]

AXES = (
    Axis("shape", ("3x5", "1x1", "0x3", "4x4", "16x4", "2x3x4", "5x4x3x2", "2x1x1x2x3"), "(out, in, *kernel)"),
    LAYOUT,
    Axis("a", (0.0, 5**0.5, 0.2, -1.0), "slope of the leaky rectifier"),
    Axis("mode", ("fan_in", "fan_out", "FAN_OUT"), "whose variance is kept"),
    Axis("nonlinearity", ("leaky_relu", "relu", "linear", "sigmoid", "tanh", "selu", "conv1d", "conv2d", "conv3d",
                          "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), "decides the gain"),
    SEED,
    GENERATOR,
)

REFUSALS = (
    Refusal("one dimension", {"tensor": np.zeros(3)}, ValueError, "at least 2 dimensions.*got 1"),
    Refusal("no such mode", {"tensor": np.zeros((2, 3)), "mode": "fan_avg"}, ValueError, "got 'fan_avg'"),
    Refusal("a mode is a word", {"tensor": np.zeros((2, 3)), "mode": 1}, AttributeError, "mode must be.*int"),
    Refusal("no gain is known", {"tensor": np.zeros((2, 3)), "nonlinearity": "gelu"}, ValueError, "got 'gelu'"),
    Refusal("no slope", {"tensor": np.zeros((2, 3)), "a": "0"}, ValueError, "param must be.*'0'"),
    Refusal("a flag is no slope", {"tensor": np.zeros((2, 3)), "a": True}, ValueError, "param must be.*True"),
    Refusal("NaN", {"tensor": np.zeros((2, 3)), "a": float("nan")}, RuntimeError, "got.*nan"),
    Refusal("integers cannot", {"tensor": np.zeros((2, 3), np.int32)}, NotImplementedError, "got int32"),
)

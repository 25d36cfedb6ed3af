"""What is asked of ``xavier_uniform_``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.init.xavier_uniform_init import xavier_uniform_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, SEED, draw, matrix

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="xavier_uniform_",
    torch_names=("torch.nn.init.xavier_uniform_", "torch.nn.init.xavier_uniform"),
    axes=(
        Axis("shape", ("3x5", "1x1", "0x3", "3x0", "4x4", "16x4", "7x9", "2x3x4", "5x4x3x2", "2x1x1x2x3"),
             "of the weights: (out, in, *kernel)"),
        LAYOUT,
        Axis("gain", (1.0, 5 / 3, 2**0.5, 0.01, 1e4, 0.0), "factor of the interval"),
        SEED,
        GENERATOR,
    ),
    function=xavier_uniform_,
    draw=draw,
    sized=matrix,
    refusals=(
        Refusal("one dimension", {"tensor": np.zeros(3)}, ValueError, "at least 2 dimensions.*got 1"),
        Refusal("no dimension", {"tensor": np.zeros(())}, ValueError, "at least 2 dimensions.*got 0"),
        Refusal("fans of 0", {"tensor": np.zeros((0, 0))}, ZeroDivisionError, r"got shape \(0, 0\)"),
        Refusal("the interval would be empty", {"tensor": np.zeros((2, 3)), "gain": -1.0},
                RuntimeError, "high - low must be"),
        Refusal("NaN bounds nothing", {"tensor": np.zeros((2, 3)), "gain": float("nan")},
                RuntimeError, "low and high must be.*got low=nan"),
        Refusal("bounds beyond float16", {"tensor": np.zeros((2, 3), np.float16), "gain": 1e5},
                RuntimeError, "low and high must be.*float16"),
        Refusal("width beyond float16", {"tensor": np.zeros((2, 3), np.float16), "gain": 4e4},
                RuntimeError, "high - low must be.*float16"),
        Refusal("integers cannot hold it", {"tensor": np.zeros((2, 3), np.int64)},
                NotImplementedError, "got int64"),
        Refusal("gain is a number", {"tensor": np.zeros((2, 3)), "gain": None},
                TypeError, "gain must be.*NoneType"),
    ),
)

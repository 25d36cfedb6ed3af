"""What is asked of ``sparse_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.init.sparse_init import sparse_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, LAYOUT, NORMALS, SEED, draw, matrix

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    return {**matrix(n), "sparsity": 0.5}


SPEC = InitSpec(
    name="sparse_",
    torch_names=("torch.nn.init.sparse_", "torch.nn.init.sparse"),
    axes=(
        Axis("shape", ("5x3", "3x5", "1x1", "16x4", "4x4", "0x3", "3x0", "20x2"), "of the matrix"),
        LAYOUT,
        Axis("sparsity", (0.5, 0.1, 0.0, 1.0, 1.5, -0.3), "share of zeros"),
        Axis("std", (0.01, 1.0, 0.0), "scale of the others"),
        SEED,
        GENERATOR,
    ),
    lengths=(2,),
    function=sparse_,
    draw=draw,
    slower=f"{NORMALS}; and each column's permutation takes Python's exchanges, at 0.1 µs each, or a sort, where torch "
           "exchanges element by element in C++",
    sized=_sized,
    refusals=(
        Refusal("one axis", {"tensor": np.zeros(3), "sparsity": 0.5}, ValueError, "2 dimensions, got 1"),
        Refusal("three axes", {"tensor": np.zeros((2, 2, 2)), "sparsity": 0.5}, ValueError, "2 dimensions, got 3"),
        Refusal("no share", {"tensor": np.zeros((3, 2)), "sparsity": float("nan")}, ValueError, "sparsity .* got nan"),
        Refusal("no share either", {"tensor": np.zeros((3, 2)), "sparsity": float("inf")}, OverflowError, "got inf"),
        Refusal("a word", {"tensor": np.zeros((3, 2)), "sparsity": "half"}, TypeError, "sparsity must be.*str"),
        Refusal("no scale is negative", {"tensor": np.zeros((3, 2)), "sparsity": 0.5, "std": -1.0},
                RuntimeError, "std must be"),
        Refusal("integers cannot", {"tensor": np.zeros((3, 2), np.int32), "sparsity": 0.5},
                NotImplementedError, "got int32"),
    ),
)

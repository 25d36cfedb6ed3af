"""What is asked of ``orthogonal_``: its axes, draws and refusals.

No bits are compared: factorizations differ in their last ones.
"""

from __future__ import annotations

import numpy as np

from reference.init.orthogonal_init import orthogonal_

from ...spec import Axis, InitSpec, Refusal
from ._cases import GENERATOR, SEED, draw, matrix

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="orthogonal_",
    torch_names=("torch.nn.init.orthogonal_", "torch.nn.init.orthogonal"),
    axes=(
        Axis("shape", ("3x5", "5x3", "4x4", "1x1", "1x6", "6x1", "2x3x4", "6x2x2", "0x3", "16x4"),
             "(out, in, *kernel)"),
        Axis("layout", ("contiguous", "transposed"), "order of memory; the numbers are drawn in reading order"),
        Axis("gain", (1.0, 2**0.5, 0.0, -2.0), "factor of the matrix"),
        SEED,
        GENERATOR,
    ),
    allowed=lambda options, dtype: options["layout"] == "contiguous" or options["shape"].count("x") == 1,
    dtypes=("float64", "float32"),
    lengths=(),  # of more columns a factorization decides no sign in the type
    function=orthogonal_,
    bitwise=(),
    draw=draw,
    sized=matrix,
    refusals=(
        Refusal("one axis", {"tensor": np.zeros(3)}, ValueError, "at least 2 dimensions, got 1"),
        Refusal("half types have no factorization", {"tensor": np.zeros((3, 2), np.float16)},
                NotImplementedError, "got float16"),
        Refusal("nor have complex numbers a sign", {"tensor": np.zeros((3, 2), np.complex64)},
                NotImplementedError, "got complex64"),
        Refusal("integers cannot", {"tensor": np.zeros((3, 2), np.int64)}, NotImplementedError, "got int64"),
        Refusal("gain is a number", {"tensor": np.zeros((3, 2)), "gain": None}, TypeError, "gain must be.*NoneType"),
        Refusal("no view as a matrix", {"tensor": np.zeros((2, 3, 4)).swapaxes(0, 2)}, RuntimeError, "strides"),
    ),
)

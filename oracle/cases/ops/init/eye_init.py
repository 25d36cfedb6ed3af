"""What is asked of ``eye_``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.init.eye_init import eye_

from ...spec import Axis, InitSpec, Refusal
from ._cases import LAYOUT, draw, matrix

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="eye_",
    torch_names=("torch.nn.init.eye_", "torch.nn.init.eye"),
    axes=(Axis("shape", ("3x5", "5x3", "4x4", "1x1", "0x3", "3x0"), "of the matrix"), LAYOUT),
    lengths=(2,),
    function=eye_,
    draw=draw,
    sized=matrix,
    refusals=(
        Refusal("one axis", {"tensor": np.zeros(3)}, ValueError, "2 dimensions, got 1"),
        Refusal("no axis", {"tensor": np.zeros(())}, ValueError, "2 dimensions, got 0"),
        Refusal("three axes", {"tensor": np.zeros((2, 2, 2))}, ValueError, "2 dimensions, got 3"),
    ),
)

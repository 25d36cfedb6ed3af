"""What is asked of ``dirac_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.init.dirac_init import dirac_

from ...spec import Axis, InitSpec, Options, Refusal
from ._cases import LAYOUT, draw, parse_shape

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    side = max(int((n / 9) ** 0.5), 1)
    return {"shape": (side, side, 3, 3)}


def _allowed(options: Options, dtype: str) -> bool:
    return parse_shape(options["shape"])[0] % int(options["groups"]) == 0


SPEC = InitSpec(
    name="dirac_",
    torch_names=("torch.nn.init.dirac_", "torch.nn.init.dirac"),
    axes=(
        Axis("shape", ("4x4x3", "6x2x5", "3x5x2x4", "12x3x1x1", "4x4x2x2x2", "6x3x1x2x4", "0x2x3"),
             "(out, in, *kernel)"),
        LAYOUT,
        Axis("groups", (1, 2, 3, 4), "of the convolution"),
    ),
    allowed=_allowed,
    lengths=(3, 4, 5),
    function=dirac_,
    draw=draw,
    sized=_sized,
    refusals=(
        Refusal("two axes", {"tensor": np.zeros((3, 2))}, ValueError, "3, 4 or 5 dimensions, got 2"),
        Refusal("six axes", {"tensor": np.zeros((1,) * 6)}, ValueError, "3, 4 or 5 dimensions, got 6"),
        Refusal("no divisor", {"tensor": np.zeros((3, 2, 2)), "groups": 2}, ValueError, "divide the 3.*got 2"),
        Refusal("no groups", {"tensor": np.zeros((3, 2, 2)), "groups": 0}, ZeroDivisionError, "groups"),
        Refusal("half a group", {"tensor": np.zeros((3, 2, 2)), "groups": 1.0}, TypeError, "got float"),
        Refusal("a word", {"tensor": np.zeros((3, 2, 2)), "groups": "1"}, TypeError, "got str"),
        Refusal("a kernel without positions", {"tensor": np.zeros((3, 2, 0))}, IndexError, "size 0"),
    ),
)

"""What is asked of ``kaiming_normal_``: its axes, draws and refusals."""

from __future__ import annotations

from reference.init.kaiming_normal_init import kaiming_normal_

from ...spec import InitSpec
from ._cases import NORMALS, draw, matrix
from ._kaiming import AXES, REFUSALS

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="kaiming_normal_",
    torch_names=("torch.nn.init.kaiming_normal_", "torch.nn.init.kaiming_normal"),
    axes=AXES,
    function=kaiming_normal_,
    draw=draw,
    slower=NORMALS,
    sized=matrix,
    refusals=REFUSALS,
)

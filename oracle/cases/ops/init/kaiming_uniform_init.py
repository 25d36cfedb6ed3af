"""What is asked of ``kaiming_uniform_``: its axes, draws and refusals."""

from __future__ import annotations

from reference.init.kaiming_uniform_init import kaiming_uniform_

from ...spec import InitSpec
from ._cases import draw, matrix
from ._kaiming import AXES, REFUSALS

__all__ = ["SPEC"]

SPEC = InitSpec(
    name="kaiming_uniform_",
    torch_names=("torch.nn.init.kaiming_uniform_", "torch.nn.init.kaiming_uniform"),
    axes=AXES,
    function=kaiming_uniform_,
    draw=draw,
    sized=matrix,
    refusals=REFUSALS,
)

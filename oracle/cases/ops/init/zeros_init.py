"""What is asked of ``zeros_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

from reference.init.zeros_init import zeros_

from ...spec import InitSpec
from ._cases import LAYOUT, WEIGHTS, draw

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,)}


SPEC = InitSpec(
    name="zeros_",
    torch_names=("torch.nn.init.zeros_",),
    axes=(WEIGHTS, LAYOUT),
    lengths=(1, 2, 3, 4, 5),
    function=zeros_,
    draw=draw,
    sized=_sized,
)

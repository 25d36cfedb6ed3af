"""What is asked of ``ones_``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

from reference.init.ones_init import ones_

from ...spec import InitSpec
from ._cases import LAYOUT, WEIGHTS, draw

__all__ = ["SPEC"]


def _sized(n: int) -> dict[str, Any]:
    return {"shape": (n,)}


SPEC = InitSpec(
    name="ones_",
    torch_names=("torch.nn.init.ones_",),
    axes=(WEIGHTS, LAYOUT),
    lengths=(1, 2, 3, 4, 5),
    function=ones_,
    draw=draw,
    sized=_sized,
)

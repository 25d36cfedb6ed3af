"""``oracle explain``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .errors import refusing_values

__all__ = ["explain"]


def explain(
    case_id: Annotated[str, typer.Argument(metavar="CASE-ID", help="as records and tests show it")],
    target: Annotated[list[str] | None, typer.Option(help="target to show beside the reference, or where an "
                                                          "implementation is; may be given again")] = None,
    framework: Annotated[str, typer.Option(help="whose arrays an implementation takes: numpy, torch, jax")] = "torch",
    device: Annotated[str, typer.Option(help="device of the torch targets")] = "cpu",
) -> None:
    """Explain a case: inputs, truth, answers, the bound and where it comes from, and a script.

    Exit status: 0, whatever the verdict; 2 for bad use or a fault of the oracle itself.

    Example: oracle explain mse_loss/float32/reduction=sum

    Example: oracle explain mse_loss/float32/reduction=sum --target mypkg/losses.py:my_mse --framework numpy
    """
    from ..report.explain import explain as explanation

    sys.path.insert(0, os.getcwd())
    with refusing_values():
        typer.echo(explanation(case_id, target or (), device=device, framework=framework))

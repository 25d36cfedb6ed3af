"""``oracle explain``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["explain"]


def explain(
    case_id: Annotated[str, typer.Argument(metavar="CASE-ID", help="as records and tests show it")],
    target: Annotated[list[str] | None, typer.Option(help="target to show beside the reference; "
                                                          "may be given again")] = None,
    device: Annotated[str, typer.Option(help="device of the torch targets")] = "cpu",
) -> None:
    """Explain a case: inputs, truth, answers, the bound and where it comes from, and a script.

    Exit status: 0, whatever the verdict; 2 for bad use or a fault of the oracle itself.

    Example: oracle explain mse_loss/float32/reduction=sum
    """
    from ..report.explain import explain as explanation

    typer.echo(explanation(case_id, target or (), device=device))

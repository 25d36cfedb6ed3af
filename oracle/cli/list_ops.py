"""``oracle list``."""

from __future__ import annotations

import typer

from .options import Ops
from .screen import open_console

__all__ = ["list_ops"]


def list_ops(ops: Ops = None) -> None:
    """List the ops: their torch names, parameters and number of cases.

    Exit status: 0; 2 for bad use or a fault of the oracle itself.

    Example: oracle list losses
    """
    from rich.table import Table

    from ..cases.selection import select

    chosen = select(ops or ())
    table = Table()
    for column in ("op", "torch", "parameters", "cases"):
        table.add_column(column, overflow="fold", justify="right" if column == "cases" else "left")
    for spec in dict.fromkeys(case.spec for case in chosen):
        count = sum(case.spec is spec for case in chosen)
        table.add_row(spec.name, "\n".join(spec.torch_names), ", ".join(spec.parameters), str(count))
    open_console().print(table)
    typer.echo(f"{len(chosen)} cases")

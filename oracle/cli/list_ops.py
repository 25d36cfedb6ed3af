"""``oracle list``."""

from __future__ import annotations

import typer

from .options import Ops
from .screen import open_console

__all__ = ["list_ops"]


def list_ops(ops: Ops = None) -> None:
    """List the ops: their torch names, parameters and number of cases. Of one op, all that there is to know.

    Exit status: 0; 2 for bad use or a fault of the oracle itself.

    Example: oracle list losses

    Example: oracle list cross_entropy
    """
    from rich.table import Table

    from ..cases.registry import specs
    from ..cases.selection import select

    if ops is not None and len(ops) == 1 and ops[0] in specs():
        from ..report.op_page import op_page

        typer.echo(op_page(specs()[ops[0]]))
        return
    chosen = select(ops or ())
    table = Table()
    for column in ("op", "torch", "parameters", "cases"):
        table.add_column(column, overflow="fold", justify="right" if column == "cases" else "left")
    for spec in dict.fromkeys(case.spec for case in chosen):
        count = sum(case.spec is spec for case in chosen)
        table.add_row(spec.name, "\n".join(spec.torch_names), ", ".join(spec.parameters), str(count))
    open_console().print(table)
    typer.echo(f"{len(chosen)} cases")

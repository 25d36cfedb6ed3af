"""The commands together, what stands before them, and the entry point."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from .audit import audit
from .check import check
from .defects import defects
from .diff import diff
from .errors import INTERRUPTED, end_with
from .explain import explain
from .files import refuse_folder
from .judge import judge
from .list_ops import list_ops
from .prove import prove
from .report import report
from .screen import open_streams
from .vectors import vectors

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Judge implementations of torch's losses, optimizers and initializers by proven bounds.\n\n"
                       "Exit status of every command: 0, or 1 where its help says so; 2 for bad use or a fault of the "
                       "oracle itself; 130 after Ctrl-C.\n\n"
                       "Example: oracle audit mse_loss Adam --dtype float32")
app.command("list")(list_ops)
for _command in (audit, diff, explain, report, defects, check, judge, prove):
    app.command()(_command)
app.add_typer(vectors, name="vectors")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"torch-oracle {metadata.version('torch-oracle')}")
        raise typer.Exit


@app.callback()
def _options(version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True,
                                                   help="show the version")] = False) -> None:
    """What stands before a command."""
    named = os.environ.get("TORCH_ORACLE_CACHE", "")
    if named not in ("", "off"):
        refuse_folder(Path(named), "keep anything in", "; TORCH_ORACLE_CACHE needs a folder, or off")


def main() -> None:
    """Entry point of ``oracle`` and of ``python -m oracle``."""
    gc.set_threshold(100_000)  # records stay: to look through all of them for each thousand costs as much as all else
    try:
        open_streams()
        status = app(prog_name="oracle", standalone_mode=False)
        sys.stdout.flush()
        if status == INTERRUPTED:  # typer has taken a Ctrl-C of which no command said more
            raise KeyboardInterrupt
    except (Exception, KeyboardInterrupt) as error:
        status = end_with(error)
    sys.exit(status)

"""``oracle diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError
from .files import reading
from .screen import open_console

__all__ = ["diff"]

_FORMATS = ("text", "markdown")


def diff(
    old: Annotated[Path, typer.Argument(help="a record file, or the folder of an audit")],
    new: Annotated[Path, typer.Argument(help="the same of the run to judge")],
    format: Annotated[str, typer.Option(help="text or markdown")] = "text",
) -> None:
    """Compare two runs: what got worse, better, new and gone, by op and target.

    Exit status: 0; 1 when something got worse beyond the bound, a verdict that now disagrees, or when the new run ended
    early; 2 for bad use or a fault of the oracle itself.

    Example: oracle diff runs/torch-2.12 runs/torch-2.13 --format markdown
    """
    from ..auditing.records import missing, read_records
    from ..report.diff import Change, changes, markdown, show_diff

    if format not in _FORMATS:
        raise UsageError(f"unknown format {format!r}; known are {', '.join(_FORMATS)}")
    with reading(old):
        old_head, before = read_records(old)
    with reading(new):
        new_head, after = read_records(new)
    found = changes(before, after)
    if before and after and not any(change.old and change.new for change in found):
        raise UsageError("the two runs have no case and target in common")
    if format == "markdown":
        typer.echo(markdown(old_head, new_head, found))
    else:
        show_diff(old_head, new_head, found, open_console())
    done, wanted = missing(new_head, after)
    if done < wanted:
        typer.echo(f"the new run is incomplete: {done} of {wanted} cases; go on with oracle audit --resume")
    broken = any(change.change is Change.BROKEN for change in found)
    raise typer.Exit(1 if broken or done < wanted else 0)

"""``oracle defects``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .files import STANDARD_OUTPUT, reading, refuse_file, write_page

__all__ = ["defects"]

Form = Literal["html", "markdown"]


def defects(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="folders of oracle audit: sizes, "
                                                      "versions and scripts are theirs")] = None,
    out: Annotated[Path, typer.Option(help="file to write, - for standard output")] = STANDARD_OUTPUT,
    form: Annotated[Form, typer.Option("--format", help="html or markdown")] = "markdown",
) -> None:
    """List the defects of torch that are known, with what runs show of each.

    Exit status: 0; 2 for bad use or a fault of the oracle itself.

    Example: oracle defects runs/today --format markdown --out -
    """
    from ..report import defects as known
    from ..report import digest as digests

    refuse_file(out)
    read = []
    for run in runs or ():
        with reading(run):
            read.append(digests.read(run))
    found = known.defects(read)
    if form == "html":
        from ..report.html import defects_page
    else:
        from ..report.markdown import defects_page
    write_page(defects_page(found, "torch"), out)

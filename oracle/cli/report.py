"""``oracle report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .files import reading, refuse_file, write_page
from .screen import progress

if TYPE_CHECKING:
    from ..report.digest import Digest

__all__ = ["report"]

Form = Literal["html", "markdown", "junit"]

_ENDINGS = {"html": "html", "markdown": "md", "junit": "xml"}


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of oracle audit, or its records.jsonl")],
    out: Annotated[Path | None, typer.Option(help="file to write, - for standard output; by default report.html, "
                                                  "report.md or report.xml beside the records")] = None,
    form: Annotated[Form, typer.Option("--format", help="html, markdown or junit")] = "html",
    benchmarks: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the benchmarks' results, for the "
                                                    "HTML; benchmark-results within or beside RUN by default")] = None,
) -> None:
    """Report on a run: one HTML file that needs nothing else, or Markdown, or JUnit XML.

    Exit status: 0, whatever the run found; 2 for bad use or a fault of the oracle itself.

    Example: oracle report runs/today --out today.html
    """
    from ..report import digest as digests

    folder = run if run.is_dir() else run.parent
    out = out or folder / f"report.{_ENDINGS[form]}"
    refuse_file(out)
    with reading(run):
        digest = digests.read(run)
    if form == "html":
        page = _html_page(digest, benchmarks or _benchmarks_of(folder))
    elif form == "markdown":
        from ..report import markdown

        page = markdown.render(digest)
    else:
        from ..report import junit

        page = junit.render(digest)
    write_page(page, out)


def _benchmarks_of(folder: Path) -> Path | None:
    """The results of ``python -m benchmarks`` that lie in the folder of a run, or beside it."""
    from ..report.timings import FOLDER

    places = (folder / FOLDER, folder.parent / FOLDER)
    return next((place for place in places if any(place.glob("*.json"))), None)


def _html_page(digest: Digest, benchmarks: Path | None) -> str:
    from ..report import html, timings

    speeds = None
    if benchmarks is not None:
        with reading(benchmarks):
            speeds = timings.read(benchmarks)
    with progress("reporting", "ops", len(digest.specs)) as advance:
        return html.render(digest, speeds, advance)

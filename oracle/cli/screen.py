"""The terminal: standard streams, tables' consoles, and how far something is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Advance", "counting", "open_console", "open_streams", "progress"]

#: Is called with how many more are done, and how many there are, where that was not known.
Advance = Callable[..., None]

#: Characters in a line of a table that no terminal shows.
_WIDTH = 160

#: Seconds after which a count appears.
_PATIENCE = 2


def open_streams() -> None:
    """Open the standard streams that are closed: a file that is opened later would take the place of one.

    Raises:
        UsageError: standard output was closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # has the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        raise UsageError("standard output is closed; >/dev/null discards what is printed")


def open_console(*, stderr: bool = False) -> Console:
    """A console that takes no name for markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH
    return Console(stderr=stderr, width=width, markup=False)


@contextmanager
def progress(doing: str, counted: str, total: int | None = None, done: int = 0) -> Iterator[Advance]:
    """A bar on the terminal, such as ``auditing … 3/10 cases``; elsewhere nothing."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = open_console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(counted), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=done)

        def advance(count: int = 1, *, total: int | None = None) -> None:
            bar.update(task, advance=count, total=total)

        yield advance


@contextmanager
def counting(doing: str, counted: str) -> Iterator[Advance]:
    """A count on the terminal, such as ``checking 3 cases``, from the third second on."""
    import time

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    count = TextColumn(f"{doing} {{task.completed:.0f}} {counted}")
    bar = Progress(SpinnerColumn(), count, TimeElapsedColumn(), console=open_console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def advance() -> None:
        bar.advance(task)
        late = time.monotonic() - began > _PATIENCE
        if late and bar.console.is_terminal and not bar.live.is_started:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()

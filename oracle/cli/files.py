"""Files and folders: what cannot be written is refused before any work, and what then fails is said by its name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from .errors import UsageError

__all__ = ["STANDARD_OUTPUT", "reading", "refuse_file", "refuse_folder", "write_page", "writing"]

STANDARD_OUTPUT = Path("-")


def refuse_folder(folder: Path, doing: str = "write to", needed: str = "") -> None:
    """Refuse what is no folder, or one that cannot be made or written to, before any work is done for it.

    Args:
        folder: the folder, which need not be there yet.
        doing: what cannot be done to it, for the message.
        needed: the end of the message.

    Raises:
        UsageError: it cannot be used.
    """
    import tempfile

    try:
        there = folder.absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        dangling = there != folder.absolute() and there.is_symlink()
        if dangling or not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryDirectory(prefix=".oracle-", dir=there):
            pass
    except OSError as error:
        raise UsageError(f"cannot {doing} {folder}: {error.strerror}{needed}") from None


def refuse_file(path: Path) -> None:
    """Refuse a file that cannot be written where it is to be, before any work is done for it.

    Raises:
        UsageError: it cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {path}: {os.strerror(errno.EISDIR)}")
    if path != STANDARD_OUTPUT and not path.exists():
        refuse_folder(path.parent)


@contextmanager
def writing(place: Path, doing: str = "write to") -> Iterator[None]:
    """For as little as writes to a file or a folder: an error names that place.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot {doing} {place}: {error.strerror}") from None


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """For as little as reads a file or a folder: an error names the file, or says what is wrong with it.

    Raises:
        UsageError: it cannot be read, or is not what it should be.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or place}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def write_page(page: str, out: Path) -> None:
    """Write a page to a file, whose name is then said, or to standard output.

    Raises:
        UsageError: it cannot be written.
    """
    page = page.encode(errors="backslashreplace").decode()  # halves of characters, of file names that are no UTF-8
    if out == STANDARD_OUTPUT:
        typer.echo(page, nl=False)
        return
    with writing(out, "write"):
        out.write_text(page, encoding="utf-8")
    typer.echo(f"report: {out}")

"""What ends a command: the one place that turns an error into a line on standard error and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from typer.exceptions import TyperException

from ..verdict.plain import plain

__all__ = ["INTERRUPTED", "REFUSALS", "REFUSED", "Interrupted", "UsageError", "end_if_faulty", "end_with",
           "refusing_values"]

#: Exit statuses beside 0 and 1, which are verdicts.
REFUSED, INTERRUPTED = 2, 130

#: Errors of the rooms below whose message says, on one line, what is wrong with what was asked for. They stand here by
#: their names, because most of their modules are not imported by most commands.
REFUSALS = frozenset({
    "oracle.auditing.executors.ExecutorError",
    "oracle.auditing.record_file.RecordFileError",
    "oracle.cases.registry.BadCaseError",
    "oracle.proving.equivalents.EquivalentError",
    "oracle.proving.bench.ProvingError",
    "oracle.targets.loading.TargetError",
    "oracle.vectors.layout.VectorsError",
})

#: How a write to standard output may fail.
_OUTPUT_FAILURES = frozenset({"EPIPE", "ENOSPC", "EFBIG", "EDQUOT", "EIO", "EBADF", "EINVAL"})


class UsageError(TyperException):
    """Bad use: one line, exit status 2."""

    exit_code = REFUSED


class Interrupted(TyperException):
    """Ctrl-C: one line that says what is kept, exit status 130."""

    exit_code = INTERRUPTED


@contextmanager
def refusing_values() -> Iterator[None]:
    """A ``ValueError`` that is raised within tells of an option: it is bad use.

    Raises:
        UsageError: in its place.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from None


def end_if_faulty(faults: Sequence[str]) -> None:
    """A fault of the oracle itself ends a command as bad use does, since it is no disagreement.

    Raises:
        UsageError: there are faults.
    """
    if faults:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UsageError(faults[0] + more)


def end_with(error: Exception | KeyboardInterrupt) -> int:
    """Say on standard error, in one line, what ended a command. Returns the exit status."""
    status = REFUSED
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        line, status = "interrupted", INTERRUPTED
    elif isinstance(error, TyperException):
        line, status = error.format_message(), INTERRUPTED if isinstance(error, Interrupted) else REFUSED
    elif _is_refusal(error):
        line = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        line = f"{error.filename}: {error.strerror}"
    elif isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _OUTPUT_FAILURES:
        _discard_output()
        if error.errno == errno.EPIPE:  # whoever read it has seen enough
            return status
        line = f"cannot write to standard output: {error.strerror}"
    else:  # status 1 would say that something disagrees
        from ..verdict.faults import said

        line = said(error, " ".join(sys.argv[1:]))
    typer.echo(f"oracle: {plain(' '.join(line.split()))}", err=True)
    return status


def _is_refusal(error: Exception) -> bool:
    return any(f"{kind.__module__}.{kind.__name__}" in REFUSALS for kind in type(error).__mro__)


def _discard_output() -> None:
    """What is left in the buffer of standard output goes nowhere, or its end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

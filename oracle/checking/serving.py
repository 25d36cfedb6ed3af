"""What happens in a judged process: it makes its target, and answers questions until there are no more.

When it is ready, it says what its target tells of the code that it has loaded. A question is a number, a case's id,
and a digest of the case's inputs. The answer repeats the number. Where this process computes other inputs, because the
implementation has changed NumPy, the answer says so, and nothing is run.

An implementation that forks and lets both processes return fails on that case, or on the next one where the second
process takes long. A second process that comes back after the last case is ended unseen.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO

import numpy as np

from ..cases.case import Case, parse
from ..cases.spec import LossSpec
from ..targets.loading import Target, TargetError, Unsupported
from .crossing import Answer, digest, pack
from .processes import read, send

__all__ = ["PRINTED", "inputs_of", "serve"]

PRINTED = 2000  #: characters of what is printed that are kept

_TWIN = 0.2  #: seconds that are waited for a fork to come back as well


def inputs_of(case: Case) -> str:
    """A digest of what a case is, as it comes out in this process."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(case.spec, LossSpec):
            return digest(case.inputs, case.grad_output, case.differentiated)
        return digest(case.inputs)


# --- forks ---------------------------------------------------------------------------------------


class _Twins:
    """Forks of this process that come back from an implementation, as this process does."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()
        self._forked = False
        os.register_at_fork(after_in_parent=self._note_fork)

    def _note_fork(self) -> None:
        self._forked = True

    def report(self) -> None:
        """Say, in a twin, to the process that it is a fork of, that it has come back."""
        os.write(self._writes, b"x")

    def came(self) -> bool:
        """Has one come back? Where there was a fork it is given a little time."""
        deadline = time.monotonic() + _TWIN * self._forked
        self._forked = False
        while not wait([self._reads], 0):
            if time.monotonic() > deadline or not _has_children():
                return False
            time.sleep(0.001)
        os.read(self._reads, 2**16)
        return True


def _has_children() -> bool:
    """Is there a process that this one has forked? Where the system does not say, there is."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError) as error:
        return isinstance(error, AttributeError)
    return True


def _leave_if_twin(myself: int, twins: _Twins) -> None:
    """End this process if it is a fork of the one that answers."""
    if os.getpid() != myself:
        twins.report()
        os._exit(0)


# --- questions and answers ----------------------------------------------------------------------


def serve(connection: socket.socket, make: Callable[[], Target], memory: int | None) -> None:
    """Answer questions until there are no more.

    Args:
        connection: on which questions come and answers go.
        make: makes the target.
        memory: bytes that the target may take beyond what the process has; None for no limit.
    """
    faulthandler.disable()  # it may write to where the parent reports
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _redirect_streams(file)
        myself, twins = os.getpid(), _Twins()
        try:
            target = make()
            _limit_memory(memory)
        except BaseException as error:
            text = str(error) if isinstance(error, TargetError) else _describe(error)
            send(connection, pack(Answer(0, "broken", text)))
            return
        _leave_if_twin(myself, twins)
        send(connection, pack(Answer(0, "ready", getattr(target, "told", ""))))
        while (question := read(connection)) is not None:
            number, case_id, wanted = json.loads(question)
            answer = _answer_question(target, number, case_id, wanted)
            _leave_if_twin(myself, twins)
            if twins.came():
                answer = Answer(number, "failed", "Misbehaved: forked, and both processes returned")
            send(connection, _pack_or_fail(answer, _take_printed(file)))


def _redirect_streams(file: IO[bytes]) -> None:
    """Nothing comes in, and all that is printed goes to a file."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(file.fileno(), stream)
    sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)


def _take_printed(file: IO[bytes]) -> str:
    """The beginning of what was printed, which is forgotten."""
    file.seek(0)
    printed = file.read(PRINTED).decode(errors="replace")
    file.seek(0)
    file.truncate()
    return printed


def _pack_or_fail(answer: Answer, printed: str) -> bytearray:
    """An answer as bytes; what cannot be sent is a failure."""
    try:
        return pack(Answer(answer.number, answer.kind, answer.text, printed, answer.arrays))
    except BaseException as error:  # outputs that are no arrays of numbers, or of which there is no copy
        return pack(Answer(answer.number, "failed", _describe(error), printed))


def _answer_question(target: Target, number: int, case_id: str, wanted: str) -> Answer:
    try:
        case = parse(case_id)
        if inputs_of(case) != wanted:
            return Answer(number, "changed", "NumPy gives other numbers")
    except BaseException as error:  # a NumPy that was patched may raise anything
        return Answer(number, "changed", _describe(error))
    try:
        return Answer(number, "outputs", arrays=dict(target.run(case)))
    except Unsupported as reason:
        return Answer(number, "unsupported", str(reason))
    except BaseException as error:  # SystemExit too
        return Answer(number, "failed", _describe(error))


def _describe(error: BaseException) -> str:
    """The name of an exception, and its message."""
    try:
        text = str(error)
    except BaseException:  # what was handed in has classes of its own
        text = "its message cannot be shown"
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def _limit_memory(memory: int | None) -> None:
    """Allow so many bytes of address space beyond what there is, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError, OverflowError):
        import resource

        if memory is not None:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            allowed = pages * os.sysconf("SC_PAGE_SIZE") + memory
            resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.getrlimit(resource.RLIMIT_AS)[1]))

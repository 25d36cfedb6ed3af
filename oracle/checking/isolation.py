"""An implementation in a process of its own, so that nothing it does can end a run or spoil another case.

* It may hang, end the interpreter, take all memory, print, raise, fork, start daemons or change NumPy. Each is the
  verdict on one case at most, after which a new process goes on. (:mod:`oracle.checking.processes` says which of this
  needs Linux, and what a process of the same user can still do.)
* What it answers crosses as bytes of arrays (:mod:`oracle.checking.crossing`), so that nothing it sends can run here.
  Each answer repeats the number of its question.

Where an implementation runs:

* in a fork of this process, where its framework survives a fork;
* else in a fresh interpreter, if that can find it by its name: by a place such as ``pkg.module:attribute``, or as
  pickle does;
* else in this process, and :attr:`Isolated.alone` is false. Then what raises is still a verdict, and what hangs, hangs.

Code that is given by its place is imported in its own process alone. An object that is handed in comes from a module
that has been imported here, and has done here what it does on import.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cases.case import Case
from ..cases.spec import Spec
from ..targets.loading import Target, TargetError, Unsupported
from ..truth.evaluate import Outputs
from ..verdict.plain import plain
from .crossing import Answer, unpack
from .processes import Serve, Worker, fork, send, spawn
from .serving import PRINTED, inputs_of, serve

__all__ = ["MEMORY", "READY", "TIMEOUT", "Died", "Isolated", "Start", "starter"]

#: Seconds for a case, and bytes beyond what the process has when it is ready.
TIMEOUT, MEMORY = 30.0, 4 * 2**30

READY = 120.0  #: seconds for imports

_HEAD = 2**20  #: bytes that an answer may have beside its arrays, which have to fit into the memory that is allowed


class Died(Exception):
    """The process did not survive a case; the message says how it ended."""


Start = Callable[[Callable[[], Target], "int | None", Serve], Worker]


class Isolated:
    """A target in a process of its own.

    Args:
        make: makes the target, in the process.
        name: of the target.
        start: how to start the process, as :func:`starter` tells; None for no process.
        timeout: seconds for a case.
        memory: bytes beyond those of the process when it is ready; None for no limit.
        leaves_out: why a case is not to be asked at all, if it is not; it is asked here, so that nothing in the process
            has a say in it.

    Raises:
        TargetError: the target cannot be made.
    """

    def __init__(self, make: Callable[[], Target], name: str, start: Start | None, *, timeout: float = TIMEOUT,
                 memory: int | None = MEMORY, leaves_out: Callable[[Case], str | None] = lambda case: None) -> None:
        self.name, self.timeout, self.memory = name, timeout, memory
        self.deaths = 0  #: cases in a row that their process did not survive, or that took all the memory
        self.told = ""  #: what the process tells of the code that it has loaded
        self.printed: dict[str, str] = {}  #: by case
        self.changed: list[str] = []  #: cases before which it was seen that NumPy had been changed
        self._make, self._start, self._leaves_out = make, start, leaves_out
        self._worker: Worker | None = None
        self._begun: tuple[str, float] | None = None  #: id of the case that is running, and since when
        self._number = 0  #: of the latest question
        self._target = make() if start is None else None
        if start is None:
            self.told = getattr(self._target, "told", "")
        else:
            self._ready_worker()

    @property
    def alone(self) -> bool:
        """Has the target a process of its own?"""
        return self._target is None

    def covers(self, spec: Spec) -> bool:
        """All ops: whether the target does one of them is seen when it is asked."""
        return True

    def script(self, case: Case) -> str:
        """No script here: the target that could make it is in another process."""
        raise Unsupported("the target is in another process")

    def begin(self, case: Case) -> None:
        """Have a case run while the caller does something else; :meth:`run` takes its outputs."""
        if self._target is not None or self._leaves_out(case) is not None:
            return
        if self._begun is not None:  # nobody has asked for the outputs of the case before
            with contextlib.suppress(Died):
                self._receive(self._begun[1] + self.timeout)
        worker = self._ready_worker()
        self._number += 1
        question = json.dumps([self._number, case.id, inputs_of(case)]).encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen by run
            send(worker.data, question)
        self._begun = case.id, time.monotonic()

    def run(self, case: Case) -> Outputs:
        """Outputs, or an exception that says what happened."""
        if reason := self._leaves_out(case):
            raise Unsupported(reason)
        if self._target is not None:
            return self._target.run(case)
        answer = self._ask(case)
        if answer.printed:
            self.printed[case.id] = answer.printed[:PRINTED]
        if answer.kind == "unsupported":
            raise Unsupported(answer.text)
        deaths, self.deaths = self.deaths, 0
        if answer.kind == "failed":
            text = answer.text
            if text.startswith("MemoryError") or "allocate memory" in text:
                text = f"{text}{': ' * (text == 'MemoryError')} (beyond the {_in_gib(self.memory)} that are allowed)"
                self.deaths = deaths + 1
            raise _exception_of(text)
        return answer.arrays

    def _ask(self, case: Case) -> Answer:
        """What the process says; a new one is asked where another case had changed NumPy in it."""
        for _ in range(2):
            if self._begun is None or self._begun[0] != case.id:
                self.begin(case)
            assert self._begun is not None
            deadline, self._begun = self._begun[1] + self.timeout, None
            answer = self._receive(deadline)
            if answer.kind != "changed":
                return answer
            self.close()
            self.changed.append(case.id)
        raise self._end_dead(f"it changes NumPy where it is imported, and the case is another one there: {answer.text}")

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _ready_worker(self) -> Worker:
        """The process, a new one where there is none."""
        if self._worker is None:
            assert self._start is not None
            worker = self._worker = self._start(self._make, self.memory, serve)
            weakref.finalize(self, worker.end)
            self._number = 0
            try:
                answer = self._next_answer(worker, time.monotonic() + READY)
                kind, told = ("broken", "") if answer is None else (answer.kind, answer.text)
                reason = told or f"was not ready within {READY:g} seconds"
            except (EOFError, ValueError) as error:
                kind, told = "broken", ""
                reason = f"the process ended before it was ready: {str(error) or worker.end()}"
            if kind != "ready":
                self.close()
                raise TargetError(plain(reason))
            self.told = self.told or told
            worker.resident = _resident_bytes(worker.pid)
        return self._worker

    def _receive(self, deadline: float) -> Answer:
        """The answer to the latest question.

        Raises:
            Died: there is none, or it is another one.
        """
        worker = self._ready_worker()
        try:
            answer = self._next_answer(worker, deadline, self.memory)
        except EOFError:
            raise self._end_dead(f"the process ended: {worker.end()}") from None
        except ValueError as error:
            raise self._end_dead(f"its process answered what is no answer: {error}") from None
        if answer is None:
            raise self._end_dead(f"no answer within {self.timeout:g} seconds" if time.monotonic() > deadline else
                             f"took more than {_in_gib(self.memory)}")
        if answer.number != self._number or answer.kind in ("ready", "broken"):
            raise self._end_dead(f"answered out of step: question {answer.number} ({answer.kind}) instead of "
                             f"{self._number}; it has forked, or writes to where answers go")
        return answer

    def _next_answer(self, worker: Worker, deadline: float, memory: int | None = None) -> Answer | None:
        """The next answer; None where none comes in time, or where more memory is taken than there may be."""
        largest = math.inf if self.memory is None else self.memory + _HEAD
        while True:
            packed = worker.receive(deadline, largest)
            if packed is not None:
                return unpack(packed)
            if time.monotonic() > deadline:
                return None
            if memory is not None and _resident_bytes(worker.pid) - worker.resident > memory:
                return None

    def _end_dead(self, why: str) -> Died:
        """End the process and count it; the exception says why."""
        self.close()
        self.deaths += 1
        return Died(why)


def _exception_of(text: str) -> Exception:
    """An exception of the name and message that a process told of."""
    kind, _, message = text.partition(": ")
    if not kind.isidentifier():
        kind, message = "Failed", text
    made: Exception = type(kind, (Exception,), {})(message)
    return made


def _resident_bytes(pid: int) -> int:
    """Bytes of a process in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _in_gib(memory: int | None) -> str:
    return f"{(memory or 0) / 2**30:g} GiB"


def starter(make: Callable[[], Target], *, forks: bool) -> Start | None:
    """How to start a process for a target: the quickest way that is safe; None where there is none.

    Args:
        forks: does the framework survive a fork, as things stand in this process?
    """
    if not hasattr(os, "fork"):
        return None
    by_name = _is_found_by_name(make)
    if forks and (sys.platform == "linux" or not by_name):
        return fork
    return spawn if by_name else None


def _is_found_by_name(value: Any) -> bool:
    """Can a fresh interpreter find it by name?"""
    try:
        text = pickle.dumps(value)
    except Exception:  # objects may raise anything
        return False
    return b"__main__" not in text

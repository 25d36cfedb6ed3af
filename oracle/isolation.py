"""An implementation in a process of its own, so that nothing it does can end a run or spoil another case.

It may hang, end the interpreter, take all memory, print or raise: each is the verdict on one case, after
which a new process goes on. What can be found by name (``pkg.module:attribute``, ``path/file.py:attribute``,
or anything that pickles by name) is imported in a fresh interpreter where the framework cannot be forked;
everything else lives in a fork of this process. Where there is neither (no fork on the system, or an object
without a name for a framework that has started threads) it runs here, and :attr:`Isolated.alone` is false:
then what raises is still a verdict, and what hangs, hangs.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import ModuleType
from typing import Any

from reference.spec import Spec

from .cases import Case, parse
from .evaluate import Outputs
from .targets import Target, TargetError, Unsupported

__all__ = ["MEMORY", "TIMEOUT", "Died", "Isolated", "Named", "Start", "load_named", "starter"]

#: Seconds for a case, and bytes beyond what the process has when it is ready.
TIMEOUT, MEMORY = 30.0, 4 * 2**30

READY = 120.0  #: seconds for imports

_PRINTED = 2000  #: characters of what is printed that are kept


class Died(Exception):
    """The process did not survive a case; the message says how it ended."""


@dataclass(frozen=True)
class Named:
    """An object by where it is: ``pkg.module:attribute`` or ``path/file.py:attribute``."""

    place: str


def load_named(place: str) -> Any:
    """The object at a place.

    Raises:
        TargetError: there is none; the message says what is missing.
    """
    source, _, attribute = place.rpartition(":")
    if not source or not attribute:
        raise TargetError(f"{place!r} names no object; needed is pkg.module:attribute or path/file.py:attribute")
    found: Any = _module(source)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise TargetError(f"{source} has no {part!r}")
        found = getattr(found, part)
    return found


def _module(source: str) -> ModuleType:
    try:
        if not source.endswith(".py"):
            return importlib.import_module(source)
        path = Path(source).resolve()
        if not path.exists():
            raise TargetError(f"there is no file {source}")
        name = f"_target_{path.stem}"  # a file may be called as a module that others need
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except TargetError:
        raise
    except BaseException as error:  # a module may do anything when it is imported
        raise TargetError(f"{source} cannot be imported: {type(error).__name__}: {error}") from None
    return module


# --- in the process ------------------------------------------------------------------------------


def _serve(connection: Connection, make: Callable[[], Target], memory: int | None) -> None:
    """Answer case ids with outputs until there are no more."""
    faulthandler.disable()  # it may write to where the parent reports
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
        try:
            target = make()
            _limit(memory)
        except BaseException as error:
            connection.send(("broken", str(error) if isinstance(error, TargetError) else
                             f"{type(error).__name__}: {error}", ""))
            return
        connection.send(("ready", "", ""))
        while (case_id := connection.recv()) is not None:
            reply = _reply(target, case_id)
            file.seek(0)
            printed = file.read(_PRINTED).decode(errors="replace")
            file.seek(0)
            file.truncate()
            try:
                connection.send((*reply, printed))
            except Exception as error:  # outputs that do not pickle
                connection.send(("failed", f"{type(error).__name__}: {error}", printed))


def _reply(target: Target, case_id: str) -> tuple[str, Any]:
    try:
        return "outputs", dict(target.run(parse(case_id)))
    except Unsupported as reason:
        return "unsupported", str(reason)
    except BaseException as error:  # SystemExit too
        return "failed", f"{type(error).__name__}: {error}".removesuffix(": ")


def _limit(memory: int | None) -> None:
    """Allow so many bytes of address space beyond what there is, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if memory is not None:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            allowed = pages * os.sysconf("SC_PAGE_SIZE") + memory
            resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main(descriptor: int) -> None:
    """What a fresh interpreter does: it is sent where to look, what to make, and cases."""
    connection = Connection(descriptor)
    sys.path[:], make, memory = connection.recv()
    _serve(connection, make, memory)


# --- here ----------------------------------------------------------------------------------------


@dataclass
class _Worker:
    connection: Connection
    pid: int
    popen: subprocess.Popen[bytes] | None = None
    status: int | None = None
    resident: int = 0  #: bytes in memory when it was ready

    def end(self) -> int:
        """Kill it and whatever it started; how it had ended, or how it ends now."""
        if self.status is None:
            if self.popen is not None and (code := self.popen.poll()) is not None:
                self.status = code
            else:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    done, status = (0, 0) if self.popen else os.waitpid(self.pid, os.WNOHANG)
                    if done:
                        self.status = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            if self.status is None:
                self.status = self.popen.wait() if self.popen else os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.connection.close()
        return self.status


def _fork(make: Callable[[], Target], memory: int | None) -> _Worker:
    here, there = Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are threads: the process only runs what it is handed
        pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            here.close()
            _serve(there, make, memory)
        finally:
            os._exit(0)
    there.close()
    return _Worker(here, pid)


def _spawn(make: Callable[[], Target], memory: int | None) -> _Worker:
    here, there = Pipe()
    code = f"from oracle.isolation import main; main({there.fileno()})"
    root = str(Path(__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    popen = subprocess.Popen([sys.executable, "-c", code], pass_fds=[there.fileno()], start_new_session=True,
                             env=environment, stdin=subprocess.DEVNULL)
    there.close()
    here.send((sys.path, make, memory))
    return _Worker(here, popen.pid, popen)


Start = Callable[[Callable[[], Target], "int | None"], _Worker]


class Isolated:
    """A target in a process of its own.

    Args:
        make: makes the target, in the process.
        name: of the target.
        start: how to start the process, as :func:`starter` tells; None for no process.
        timeout: seconds for a case.
        memory: bytes beyond those of the process when it is ready; None for no limit.

    Raises:
        TargetError: the target cannot be made.
    """

    def __init__(self, make: Callable[[], Target], name: str, start: Start | None, *, timeout: float = TIMEOUT,
                 memory: int | None = MEMORY) -> None:
        self.name, self.timeout, self.memory = name, timeout, memory
        self.deaths = 0  #: cases in a row that their process did not survive, or that took all the memory
        self.printed: dict[str, str] = {}  #: by case
        self._make, self._start = make, start
        self._worker: _Worker | None = None
        self._begun: tuple[str, float] | None = None
        self._target = make() if start is None else None
        if start is not None:
            self._ready()

    @property
    def alone(self) -> bool:
        """Has it a process?"""
        return self._target is None

    def covers(self, spec: Spec) -> bool:
        """Whatever it is handed."""
        return True

    def script(self, case: Case) -> str:
        """That of the target itself, made here."""
        raise Unsupported("the target is in another process")

    def begin(self, case: Case) -> None:
        """Have a case run while the caller does something else; :meth:`run` takes its outputs."""
        if self._target is None:
            if self._begun is not None:  # nobody has asked for that one's outputs
                with contextlib.suppress(Died):
                    self._receive(self._begun[1] + self.timeout)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen by run
                self._ready().connection.send(case.id)
            self._begun = case.id, time.monotonic()

    def run(self, case: Case) -> Outputs:
        """Outputs, or an exception that says what happened."""
        if self._target is not None:
            return self._target.run(case)
        if self._begun is None or self._begun[0] != case.id:
            self.begin(case)
        assert self._begun is not None
        deadline, self._begun = self._begun[1] + self.timeout, None
        kind, value, printed = self._receive(deadline)
        if printed:
            self.printed[case.id] = printed
        if kind == "unsupported":
            raise Unsupported(value)
        deaths, self.deaths = self.deaths, 0
        if kind == "failed":
            kind, _, message = value.partition(": ")
            if kind == "MemoryError" or "allocate memory" in message:
                message += f" (beyond the {_gib(self.memory)} that are allowed)"
                self.deaths = deaths + 1
            raise type(kind, (Exception,), {})(message)
        return value  # type: ignore[no-any-return]  # outputs, since nothing else is left

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _ready(self) -> _Worker:
        """The process, a new one where there is none."""
        if self._worker is None:
            assert self._start is not None
            worker = self._worker = self._start(self._make, self.memory)
            weakref.finalize(self, worker.end)
            kind, reason = "broken", f"was not ready within {READY:g} seconds"
            try:
                if worker.connection.poll(READY):
                    kind, reason, _ = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                reason = f"the process ended before it was ready: {_ending(worker.end())}"
            if kind == "broken":
                self.close()
                raise TargetError(reason)
            worker.resident = _resident(worker.pid)
        return self._worker

    def _receive(self, deadline: float) -> tuple[str, Any, str]:
        worker = self._ready()
        try:
            while not worker.connection.poll(min(0.1, max(0.0, deadline - time.monotonic()))):
                if time.monotonic() > deadline:
                    raise self._died(f"no answer within {self.timeout:g} seconds")
                if self.memory is not None and _resident(worker.pid) - worker.resident > self.memory:
                    raise self._died(f"took more than {_gib(self.memory)}")
            return worker.connection.recv()  # type: ignore[no-any-return]  # what _serve sends
        except (EOFError, ConnectionResetError, pickle.UnpicklingError):
            raise self._died(f"the process ended: {_ending(worker.end())}") from None

    def _died(self, why: str) -> Died:
        self.close()
        self.deaths += 1
        return Died(why)


def _resident(pid: int) -> int:
    """Bytes of a process in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _gib(memory: int | None) -> str:
    return f"{(memory or 0) / 2**30:g} GiB"


def _ending(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def starter(make: Callable[[], Target], *, forks: bool) -> Start | None:
    """How to start a process for a target: the quickest way that is safe; None where there is none.

    Args:
        forks: does the framework survive a fork, as things stand in this process?
    """
    if not hasattr(os, "fork"):
        return None
    by_name = _pickles(make)
    if forks and (sys.platform == "linux" or not by_name):
        return _fork
    return _spawn if by_name else None


def _pickles(value: Any) -> bool:
    """Can a fresh interpreter find it by name?"""
    try:
        text = pickle.dumps(value)
    except Exception:  # objects may raise anything
        return False
    return b"__main__" not in text

"""A process for code that may do anything, and a second one that watches it and ends all that it leaves.

The caller talks to the *worker* over a socket. Between the two stands a *watcher*, which is the worker's parent. It
ignores the signals that can be ignored, says how the worker ended, and kills the worker's descendants at the end.

On Linux the watcher adopts what descendants leave (it is a subreaper), so that daemons end too, whatever session they
have begun. A worker whose watcher is killed is killed by the system. Elsewhere there is neither of these: there the
worker's process group is killed, and a daemon in a group of its own goes on.

The worker belongs to the same user as the caller. It is not kept from files, from the network, or from killing
processes that it looks for: that would need a container. Where it kills its watcher by SIGKILL, what it has forked
into a session of its own, without starting another program, is not found.

This module needs the standard library alone, so that a fresh interpreter can start quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Serve", "Worker", "fork", "read", "send", "spawn"]

Make = Callable[[], Any]
Serve = Callable[[socket.socket, Make, "int | None"], None]

_MARK = "TORCH_ORACLE_RUN"  #: in the environment of workers, and of programs that they start

_GRACE = 5.0  #: seconds for a watcher to end what it watches

_LENGTH = struct.Struct("!Q")

_SUBREAPER, _DEATH_SIGNAL = 36, 1  #: of prctl

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

#: Ends of sockets that are the caller's alone: a fork closes them, so that each has one owner.
_mine: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def send(there: socket.socket, data: bytes | bytearray) -> None:
    """Send a message: its length, and then its bytes."""
    there.sendall(_LENGTH.pack(len(data)))
    there.sendall(data)


def read(there: socket.socket) -> bytes | None:
    """The next message, however long it takes; None at the end."""
    head = _read_exactly(there, _LENGTH.size)
    return None if head is None else _read_exactly(there, _LENGTH.unpack(head)[0])


def _read_exactly(there: socket.socket, count: int) -> bytes | None:
    parts = []
    while count:
        part = there.recv(min(count, 2**20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Worker:
    """The caller's side of a worker and its watcher."""

    def __init__(self, data: socket.socket, control: socket.socket, mark: str, watcher: int,
                 popen: subprocess.Popen[bytes] | None = None) -> None:
        self.data, self.control = data, control
        self.pid = 0  #: of the worker, once its watcher has said so
        self.resident = 0  #: bytes in memory when it was ready
        self._mark, self._watcher, self._popen, self._owner = mark, watcher, popen, os.getpid()
        self._said, self._over = b"", False
        self._ending: str | None = None
        self._waiting = bytearray()

    def receive(self, deadline: float, largest: float) -> bytearray | None:
        """A message; None where there is none yet, after a tenth of a second at most.

        Raises:
            EOFError: the worker has ended.
            ValueError: the message would have more than ``largest`` bytes.
        """
        while True:
            needed = _LENGTH.size
            if len(self._waiting) >= needed:
                needed += _LENGTH.unpack(self._waiting[:needed])[0]
                if needed - _LENGTH.size > largest:
                    raise ValueError(f"an answer of {needed} bytes")
                if len(self._waiting) == needed:
                    message, self._waiting = self._waiting[_LENGTH.size:], bytearray()
                    if not self.pid and wait([self.control], _GRACE):
                        self._over = not self._hear()
                    return message
            now = time.monotonic()
            ready = wait([self.data] if self._over else [self.data, self.control],
                         0.0 if self._over else min(0.1, max(0.0, deadline - now)))
            if self.control in ready:
                self._over = not self._hear()
            if self.data in ready:
                self._waiting += self._receive_part(needed - len(self._waiting))
            elif self._over and not ready:
                raise EOFError
            if not ready or now > deadline:
                return None

    def _receive_part(self, count: int) -> bytes:
        try:
            part = self.data.recv(min(count, 2**20))
        except ConnectionResetError:
            part = b""
        if not part:
            raise EOFError
        return part

    def end(self) -> str:
        """End the worker and whatever it started; how it had ended, or how it ends now."""
        if self._ending is None and os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _GRACE
            while wait([self.control], max(0.0, deadline - time.monotonic())) and self._hear():
                pass
            self._end_watcher()
            _, _, status = self._said.partition(b" ")
            if status.endswith(b"\n"):
                self._ending = _describe_status(int(status))
            else:
                self._ending = "it ended the process that watches it"
                for pid in (*_processes_with_mark(self._mark), *_processes_of_session(self.pid)):
                    _kill(pid)
            self.data.close()
            self.control.close()
        return self._ending or ""

    def _hear(self) -> bool:
        """Take in what the watcher says: the worker's id, and how it ended. Is there more to come?"""
        try:
            said = self.control.recv(64)
        except OSError:
            said = b""
        self._said += said
        if not self.pid and b" " in self._said:
            self.pid = int(self._said.partition(b" ")[0])
        return bool(said) and not self._said.endswith(b"\n")

    def _end_watcher(self) -> None:
        """Wait for the watcher where it has said how the worker ended; else kill it."""
        deadline = time.monotonic() + (1.0 if self._said.endswith(b"\n") else 0.0)
        while not self._has_ended():
            if time.monotonic() > deadline:
                _kill(self._watcher)
                deadline += _GRACE
            time.sleep(0.001)

    def _has_ended(self) -> bool:
        """Has the watcher ended?"""
        if self._popen is not None:
            return self._popen.poll() is not None
        try:
            return os.waitpid(self._watcher, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True


def _describe_status(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    known = {int(one): one.name for one in signal.Signals}
    return f"killed by {known.get(-status, f'signal {-status}')}"


def fork(make: Make, memory: int | None, serve: Serve) -> Worker:
    """A worker that is a fork of this process."""
    (data, there), (control, watching) = socket.socketpair(), socket.socketpair()
    mark = secrets.token_hex(8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are threads: the process only runs what it is handed
        pid = os.fork()
    if pid == 0:
        try:
            for mine in (data, control, *_mine):
                mine.close()
            _watch(watching, there, mark, partial(serve, there, make, memory))
        finally:
            os._exit(1)
    there.close()
    watching.close()
    _mine.update((data, control))
    return Worker(data, control, mark, pid)


def spawn(make: Make, memory: int | None, serve: Serve) -> Worker:
    """A worker in a fresh interpreter, which finds by name what it is to make and to serve."""
    (data, there), (control, watching) = socket.socketpair(), socket.socketpair()
    mark, root = secrets.token_hex(8), str(Path(__file__).resolve().parents[2])
    code = f"from oracle.checking.processes import main; main({watching.fileno()}, {there.fileno()}, {mark!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]), _MARK: mark}
    popen = subprocess.Popen([sys.executable, "-c", code], pass_fds=[watching.fileno(), there.fileno()],
                             env=environment, stdin=subprocess.DEVNULL)
    there.close()
    watching.close()
    _mine.update((data, control))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen by who waits for it to be ready
        send(data, pickle.dumps(sys.path))
        send(data, pickle.dumps((make, memory, serve)))
    return Worker(data, control, mark, popen.pid, popen)


def main(watching: int, there: int, mark: str) -> None:
    """What a fresh interpreter does: it watches a fork of itself, which is sent what to do."""
    data = socket.socket(fileno=there)
    _watch(socket.socket(fileno=watching), data, mark, partial(_serve_as_sent, data))


def _serve_as_sent(data: socket.socket) -> None:
    """Serve what the caller sends as what to make and how to serve it."""
    paths, work = read(data), read(data)
    if paths is not None and work is not None:
        sys.path[:] = pickle.loads(paths)
        make, memory, serve = pickle.loads(work)
        serve(data, make, memory)


# --- the watcher ---------------------------------------------------------------------------------


def _watch(control: socket.socket, data: socket.socket, mark: str, work: Callable[[], None]) -> NoReturn:
    """Fork a worker, and wait until it has ended, or the caller has, or wants it to end."""
    os.setsid()
    before = {number: signal.signal(number, signal.SIG_IGN)
              for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}}
    if _libc is not None:
        _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    watcher, worker = os.getpid(), os.fork()
    if worker == 0:
        try:
            control.close()
            _begin_worker(watcher, mark, before)
            work()
        finally:
            os._exit(0)
    data.close()
    try:
        control.sendall(f"{worker} ".encode())
        control.sendall(f"{_end_worker_and_rest(worker, _until_one_ends(control, worker))}\n".encode())
    finally:
        os._exit(0)


def _begin_worker(watcher: int, mark: str, handlers: Mapping[Any, Any]) -> None:
    """Make this process a worker: it has a session of its own, signals as before, and ends with its watcher."""
    os.setsid()
    if _libc is not None:
        _libc.prctl(_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != watcher:
        os._exit(1)
    for number, handler in handlers.items():
        if handler is not None:  # one that is not Python's cannot be set by it
            signal.signal(number, handler)
    os.environ[_MARK] = mark


def _until_one_ends(control: socket.socket, worker: int) -> int | None:
    """The status by which the worker has ended, if it has."""
    try:
        wait([control, os.pidfd_open(worker)])
    except (AttributeError, OSError):  # a system without it
        while not wait([control], 0.05):
            pid, raw = os.waitpid(worker, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(raw)
    pid, raw = os.waitpid(worker, os.WNOHANG)
    return os.waitstatus_to_exitcode(raw) if pid else None


def _end_worker_and_rest(worker: int, ended: int | None) -> int:
    """Kill a worker and what is left of it; the status by which it had ended, or ends now."""
    status, deadline = ended or 0, time.monotonic() + _GRACE / 2
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    while time.monotonic() < deadline:
        for pid in _descendants(os.getpid()):
            _kill(pid)
        try:
            while True:
                pid, raw = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                if pid == worker:
                    status = os.waitstatus_to_exitcode(raw)
        except ChildProcessError:  # there is none any more
            break
        time.sleep(0.001)
    return status


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, int]]:
    """Id, parent and session of each process, where the system tells."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            behind = path.read_bytes().rpartition(b")")[2].split()
            yield int(path.parent.name), int(behind[1]), int(behind[3])


def _descendants(root: int) -> list[int]:
    """The processes that a process has started, and that these have."""
    children: dict[int, list[int]] = {}
    for pid, parent, _ in _processes():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(root, ()))
    for pid in found:  # grows as it is gone through
        found += children.get(pid, ())
    return found


def _processes_of_session(leader: int) -> list[int]:
    if not leader:
        return []
    return [pid for pid, _, session in _processes() if session == leader]


def _processes_with_mark(mark: str) -> list[int]:
    """Processes that have a mark in their environment."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found

"""Processes that share the work of one machine. Imports take seconds: where the system can, all are forked from one
process that has made them, while the parent is still at its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver

__all__ = ["MOST", "check_jobs", "pool", "warm"]

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
MOST = 1024  #: processes that may be asked for

_THREADS = "OMP_NUM_THREADS"


def warm(modules: Sequence[str]) -> None:
    """Begin to import what workers are going to need, in the background."""
    if _METHOD == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, *modules])
        with _threads(1), _deaf():
            forkserver.ensure_running()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """What is started now has so many threads, unless the user says otherwise: torch asks once, as it is imported."""
    set_here = _THREADS not in os.environ
    os.environ.setdefault(_THREADS, str(count))
    try:
        yield
    finally:
        if set_here:
            del os.environ[_THREADS]


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started now lets Ctrl-C pass: it ends with this process, and of its imports it would say so at length."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_jobs(jobs: int) -> None:
    """Refuse a number of processes that no machine has."""
    if isinstance(jobs, bool) or not isinstance(jobs, int):
        raise TypeError(f"jobs needs a whole number of processes, got {jobs!r:.100} of type {type(jobs).__name__}")
    if not 1 <= jobs <= MOST:
        raise ValueError(f"jobs needs 1 to {MOST} processes, got {jobs!r:.100}")


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many workers, with the environment that this process has now.

    Whatever else than the end of the work ends the block, Ctrl-C say, ends the workers at once.
    """
    check_jobs(jobs)
    made = ProcessPoolExecutor(jobs, multiprocessing.get_context(_METHOD), _begin, (dict(os.environ),))
    try:
        yield made
    except BaseException:
        for worker in list((made._processes or {}).values()):
            worker.kill()
        raise
    finally:
        made.shutdown(cancel_futures=True)


def _begin(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # modules stay: the garbage collector need not look through them again
    _end_with_parent()


def _end_with_parent() -> None:
    """Let a worker process end when the one that started it does, by whatever signal."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()

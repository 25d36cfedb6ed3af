"""Processes that share the work of one machine. Imports take seconds: where the system can, all are forked from one
process that has made them, while the parent is still at its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver

__all__ = ["pool", "warm"]

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def warm(modules: Sequence[str]) -> None:
    """Begin to import what workers are going to need, in the background."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it once, when it is imported
    if _METHOD == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, *modules])
        forkserver.ensure_running()


def pool(jobs: int) -> ProcessPoolExecutor:
    """So many workers, with the environment that this process has now."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context(_METHOD), _begin, (dict(os.environ),))


def _begin(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
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

"""Executors by URL: where cases can be run beside one's own processes. One function a scheme, imported lazily.

``dask://host:port`` is the scheduler of a Dask cluster, whose workers need this project with the same versions of
what verdicts depend on. A worker that dies loses nothing: the scheduler gives its cases to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

__all__ = ["SCHEMES", "TIMEOUT", "ExecutorError", "connect"]

TIMEOUT = 10  #: seconds to wait for a scheduler


class ExecutorError(Exception):
    """No such executor, or it cannot be reached, or it broke down; the message is one line."""


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ModuleNotFoundError:
        raise ExecutorError("Dask is not installed; pip install 'torch-oracle[dask]'") from None
    try:
        client: Any = Client(f"tcp://{address}", timeout=TIMEOUT, set_as_default=False)
    except Exception as error:  # whatever comes of what something else answers
        raise ExecutorError(f"no Dask scheduler answers at {address}: {type(error).__name__} "
                            f"{' '.join(str(error).split())[:200]}".rstrip()) from None
    with client:
        try:
            yield client.get_executor(pure=False)
        except (KilledWorker, CancelledError) as error:
            raise ExecutorError(f"the cluster at {address} gave up: {[*str(error).splitlines(), 'cancelled'][0]}; "
                                "go on with --resume") from None


#: What stands before ``://``, and what opens the rest.
SCHEMES: dict[str, Callable[[str], AbstractContextManager[Executor]]] = {"dask": _dask}


def connect(url: str) -> AbstractContextManager[Executor]:
    """The executor at a URL, for the length of a ``with`` block.

    Raises:
        ExecutorError: the URL names none.
    """
    scheme, separator, address = url.partition("://")
    if scheme not in SCHEMES or not separator or not address:
        raise ExecutorError(f"unknown executor {url!r}; needed is {' or '.join(f'{s}://host:port' for s in SCHEMES)}")
    return SCHEMES[scheme](address)

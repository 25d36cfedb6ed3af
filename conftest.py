"""Loads the plugin, and says what tests keep on disk.

Unasked they keep nothing and read nothing of earlier runs, since tests plant mistakes in what computes. Those that
plant none share truths and verdicts in pytest's cache (``tests.kept.shared``): like those of ``oracle audit`` they are
found by the source that they follow from. JAX keeps there what it has compiled, for each of its many processes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.keeping.store import OFF, VARIABLE
from tests.kept import SHARED, shared

pytest_plugins = ["oracle.pytest_plugin"]
os.environ[VARIABLE] = OFF
#: Most of JAX's programs are small and many; by default it keeps none that was compiled within a second.
_KEEP_ALL = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """What only this project's own tests know."""
    parser.addoption("--few", action="store_true", help="audit few cases: one of each axis value")


def pytest_configure(config: pytest.Config) -> None:
    """Workers have the folder from the process that starts them."""
    if SHARED not in os.environ:
        cache = getattr(config, "cache", None)
        os.environ[SHARED] = str(cache.mkdir("oracle") if cache else Path(config.rootpath) / ".pytest_cache" / "oracle")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(os.environ[SHARED]) / "jax"))
    os.environ.update(_KEEP_ALL)


@pytest.fixture
def shared_truths() -> Iterator[None]:
    """For a test that plants nothing in what computes: it finds the truths that others have proven."""
    with shared():
        yield

"""What tests keep on disk: nothing of earlier runs, or truths and verdicts that all workers share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oracle.auditing import run
from oracle.keeping import store
from oracle.truth import kept_truths

#: The environment variable with the folder that the workers of a run share; conftest.py sets it.
SHARED = "TORCH_ORACLE_SHARED_BY_TESTS"


def forget() -> None:
    """As another process, which has asked for nothing yet."""
    store._opened.cache_clear()
    kept_truths._truth_of_shipped.cache_clear()
    run._loaded.cache_clear()
    run.judged_by.cache_clear()


@contextmanager
def nothing_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep things in an empty folder for the length of a ``with`` block."""
    monkeypatch.setenv(store.VARIABLE, str(folder))
    forget()
    yield folder
    forget()


@contextmanager
def shared() -> Iterator[None]:
    """Within, truths and verdicts are kept where all workers find them.

    It is for tests that plant nothing in what computes.
    """
    before = os.environ[store.VARIABLE]
    os.environ[store.VARIABLE] = os.environ[SHARED]
    try:
        yield
    finally:
        os.environ[store.VARIABLE] = before

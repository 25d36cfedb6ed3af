"""Tests of what is kept on disk start with nothing, in this process too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oracle.auditing import run
from oracle.keeping import store
from oracle.truth import kept_truths


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

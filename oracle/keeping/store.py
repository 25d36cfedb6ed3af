"""What is costly to compute and follows from source alone, kept on disk between runs: truths, and choices of cases.

Entries are found by a digest of all that they follow from: the source of the op and of everything that it and the
engine import (:mod:`oracle.keeping.sources`), the versions of the packages that compute, and what was asked for.
Whoever changes a formula asks for another entry, and nothing has to be invalidated. An entry is bytes with a checksum
of them and their key; none is ever executed.

The environment variable ``TORCH_ORACLE_CACHE`` names another folder than the user's, or is ``off``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import platformdirs

__all__ = ["LARGEST", "OFF", "VARIABLE", "Store", "current", "digest", "folder", "nothing_kept", "processor",
           "usable", "versions"]

VARIABLE = "TORCH_ORACLE_CACHE"
OFF = "off"

#: Bytes of the file at which it is started anew: several times what all shipped cases take.
LARGEST = 2**30


class Store:
    """Bytes by key in an SQLite file, which many processes read and write at once.

    A file that cannot be used, or not any more, keeps nothing, and is no error: everything can be computed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: sqlite3.Connection | None = None
        self._gathered: list[tuple[bytes, bytes, bytes]] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LARGEST:
                self._remove()
            self._open()
        except (OSError, sqlite3.OperationalError):  # there is no place, or others hold it for too long
            pass
        except sqlite3.DatabaseError:  # not ours, or damaged
            self._start_anew()

    def _open(self) -> None:
        file = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=OFF")  # what a crash loses is computed again, and checksums tell
            file.execute(f"PRAGMA mmap_size={LARGEST}")
            file.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, checksum BLOB, value BLOB)")
        except sqlite3.Error:
            file.close()
            raise
        self._file = file

    def _start_anew(self) -> None:
        self.close()
        try:
            self._remove()
            self._open()
        except (OSError, sqlite3.Error):
            self._file = None

    def _remove(self) -> None:
        """Whoever has the file open goes on with it, and nobody takes its log for that of the next one."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def get(self, *asked: str) -> bytes | None:
        """What was kept for this, if anything was."""
        if self._file is None:
            return None
        key = _digest(*asked)
        try:
            found = self._file.execute("SELECT checksum, value FROM kept WHERE key = ?", (key,)).fetchone()
        except sqlite3.OperationalError:
            self._file = None
            return None
        except sqlite3.DatabaseError:  # damaged
            self._start_anew()
            return None
        if found is None or not isinstance(found[1], bytes) or _checksum(key, found[1]) != found[0]:
            return None
        return found[1]

    def put(self, value: bytes, *asked: str) -> None:
        """Keep this."""
        key = _digest(*asked)
        row = key, _checksum(key, value), value
        if self._gathered is None:
            self._write([row])
        else:
            self._gathered.append(row)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Within, what is to be kept is gathered, and written at the end in one go: it takes a third of the time."""
        self._gathered = []
        try:
            yield
        finally:
            rows, self._gathered = self._gathered, None
            self._write(rows)

    def _write(self, rows: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        if self._file is None or not rows:
            return
        try:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error:  # the disk is full, say
            self._file = None

    def __len__(self) -> int:
        return 0 if self._file is None else int(self._file.execute("SELECT COUNT(*) FROM kept").fetchone()[0])

    @property
    def open(self) -> bool:
        """Can it keep anything?"""
        return self._file is not None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file = None


def _checksum(key: bytes, value: bytes) -> bytes:
    """Of a value where it belongs: an index that is damaged may lead to another's."""
    return hashlib.blake2b(value, key=key, digest_size=16).digest()


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).digest()


def digest(text: str) -> str:
    """Of a long text a short one, to ask by."""
    return _digest(text).hex()


def folder() -> Path | None:
    """Where things are kept; None where nothing is to be."""
    chosen = os.environ.get(VARIABLE, "")
    return None if chosen == OFF else Path(chosen or platformdirs.user_cache_dir("torch-oracle"))


def current() -> Store | None:
    """The store of this process, as the environment has it."""
    return _opened(os.environ.get(VARIABLE, ""), os.getpid())


@cache
def _opened(chosen: str, process: int) -> Store | None:
    """A connection is not carried into a forked process."""
    where = folder()
    return None if where is None else Store(where / "kept.sqlite")


def usable() -> bool:
    """Is there a store that can keep something, or is none wanted?"""
    kept = current()
    return kept is None or kept.open


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Within, nothing is kept, and nothing is taken that was."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = OFF
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@cache
def versions() -> str:
    """Of what computes: Python, the machine's kind (its long double), and the packages."""
    packages = (f"{name} {metadata.version(name)}" for name in ("numpy", "python-flint", "ml_dtypes"))
    return ", ".join((f"python {platform.python_version()}", platform.machine(), *packages))


@cache
def processor() -> str:
    """The name of the machine's processor, by which libraries choose how they compute."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
                platform.processor() or "unknown")

"""A file of records that survives its writer: what was appended stays, and a run goes on where it ended.

A record is one line, and those of cases that were done together are handed to the system at once. Whatever ends the
writer, at most the last line that is there is torn; :func:`resume` cuts it off, takes what is there as done if it is of
the same run, and appends the rest, so that the file ends as that of a run that nothing disturbed. A file has one writer
at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..cases.case import Case
from ..targets.loading import Target
from ..verdict.record import Record
from .records import FORMAT, parse_header, parse_record

__all__ = ["RecordFile", "RecordFileError", "resume", "start"]

Header = Mapping[str, Any]


class RecordFileError(Exception):
    """A file that cannot be written, or is not that of this run; the message is one line."""


class RecordFile:
    """An open file of records; a context manager."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, *records: Record) -> None:
        """Add records.

        Raises:
            RecordFileError: they cannot be written, or not the whole of them.
        """
        self.write(*(record.to_json() for record in records))

    def write(self, *lines: str) -> None:
        """Add lines; the file has no buffer of its own that could get lost."""
        rest = memoryview("".join(f"{line}\n" for line in lines).encode())
        try:
            while rest:
                rest = rest[self._file.write(rest):]
        except OSError as error:
            raise RecordFileError(f"cannot write to {self.path}: {error.strerror}; what is there is kept: make room "
                               "and go on with --resume") from None


def start(path: Path, header: Header) -> RecordFile:
    """A new file with its header. One that is there is put aside, as ``records.previous.jsonl``.

    Raises:
        RecordFileError: it cannot be written, or another run is at it.
    """
    file = _open(path)
    if os.fstat(file.fileno()).st_size:
        path.replace(path.with_suffix(f".previous{path.suffix}"))
        file.close()
        file = _open(path)
    return _begin(path, file, header)


def _begin(path: Path, file: BinaryIO, header: Header) -> RecordFile:
    """Begin a file with its header; what was in it is gone."""
    file.truncate(0)
    begun = RecordFile(path, file)
    begun.write(json.dumps(header))
    return begun


def resume(path: Path, header: Header, cases: Sequence[Case],
           targets: Sequence[Target]) -> tuple[RecordFile, list[Record], int]:
    """The file of a run that ended early, what is in it, and how many cases are done.

    A file that is not there, or ends within its header, is begun.

    Raises:
        RecordFileError: the file is another run's, is none of ours, is damaged, or cannot be read or written; or a
            run is still at it.
    """
    file = _open(path)
    try:
        return _take_up(path, file, header, cases, targets)
    except BaseException:
        file.close()
        raise


def _take_up(path: Path, file: BinaryIO, header: Header, cases: Sequence[Case],
             targets: Sequence[Target]) -> tuple[RecordFile, list[Record], int]:
    data = path.read_bytes()
    lines = data.split(b"\n")[:-1]  # what stands behind the last end of line is torn
    beginning = json.dumps({"format": FORMAT})[:-1].encode()
    if not lines and (data.startswith(beginning) or beginning.startswith(data)):
        return _begin(path, file, header), [], 0
    try:
        _check_header(parse_header(lines[0] if lines else data, path), header, path)
        records, done, length = _read_completed(lines[1:], cases, targets, path)
    except ValueError as error:
        raise RecordFileError(str(error)) from None
    file.truncate(len(lines[0]) + 1 + length)
    file.seek(0, os.SEEK_END)
    return RecordFile(path, file), records, done


def _open(path: Path) -> BinaryIO:
    """The file with what is in it, for this process alone."""
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
    except OSError as error:
        raise RecordFileError(f"cannot write to {path}: {error.strerror}") from None
    try:
        _lock(file)
    except BlockingIOError:
        file.close()
        raise RecordFileError(f"another run is writing to {path}; wait for its end, or choose another folder with --out"
                           ) from None
    except OSError:  # a file system without locks
        pass
    return file


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed, by the end of the process at the latest.

    Windows has no such locks; nothing is done there.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check_header(found: Header, wanted: Header, path: Path) -> None:
    """Was it a run of the same cases and targets, with the same versions on the same machine?"""
    differing = [_describe_difference(key, found.get(key), wanted[key]) for key in wanted
                 if key != "command" and found.get(key) != wanted[key]]
    if differing:
        raise RecordFileError(f"{path} is of another run ({' '.join(map(str, found['command']))}): "
                           f"{'; '.join(differing)}")


def _describe_difference(key: str, found: Any, wanted: Any) -> str:
    """What an entry of a header was, and what it is now."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return ", ".join(f"{key} {name} was {found.get(name)}, is {wanted.get(name)}" for name in {**found, **wanted}
                         if found.get(name) != wanted.get(name))
    return f"{key} was {found}, is {wanted}"


def _read_completed(lines: Sequence[bytes], cases: Sequence[Case], targets: Sequence[Target],
               path: Path) -> tuple[list[Record], int, int]:
    """The records of the cases that have all of theirs, how many cases, and their length in bytes.

    Raises:
        ValueError: a line before the last is damaged, or is not what this run writes there.
    """
    records: list[Record] = []
    done = position = length = 0
    for case in cases:
        names = [target.name for target in targets if target.covers(case.spec)]
        here: list[Record] = []
        for name, line in zip(names, lines[position:], strict=False):
            number = position + len(here) + 2
            try:
                record = parse_record(line, path, number)
            except ValueError:
                if number == len(lines) + 1:
                    return records, done, length
                raise
            if (record.case, record.target) != (case.id, name):
                raise ValueError(f"{path}, line {number}: {record.case} on {record.target}, where this run has "
                                 f"{case.id} on {name}")
            here.append(record)
        if len(here) < len(names):
            return records, done, length
        length += sum(len(line) + 1 for line in lines[position:position + len(here)])
        records += here
        done, position = done + 1, position + len(here)
    if position < len(lines):
        raise ValueError(f"{path}, line {position + 2}: more records than this run has")
    return records, done, length

"""Records: one verdict a line, and the files of them. What was read is checked, and nothing of it executed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..cases.case import Case
from ..keeping import store
from ..targets import loading as target_modules
from ..verdict.plain import plain
from ..verdict.record import Record

__all__ = ["EXHAUSTIVE", "FORMAT", "RECORDS", "header", "missing", "parse_header", "parse_record", "read_records",
           "versions"]

FORMAT = "torch-oracle records 1"

RECORDS, EXHAUSTIVE = "records.jsonl", "exhaustive.jsonl"  #: the file in the folder of a run


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Of Python and of each package that a verdict depends on."""
    found = {"python": platform.python_version()}
    for package in ("torch-oracle", "torch", "numpy", "python-flint", "ml_dtypes", "optax", "jax", "keras"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return MappingProxyType(found)


def header(command: Sequence[str], device: str, cases: Iterable[Case] = (), target_names: Sequence[str] = (),
           judged_by: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The first line of a record file: what ran on what, with which versions, on which machine, judged by what."""
    ids = [case.id for case in cases]
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    return {"format": FORMAT, "command": list(command), "device": device, "targets": list(target_names),
            "cases": {"count": len(ids), "digest": digest},
            "versions": dict(versions()), **judged_by, "paths": target_modules.paths(target_names),
            "machine": {"system": platform.platform(), "processor": store.processor(), "cores": os.cpu_count()}}


#: What a header has to have, of which type.
_NEEDED = {"command": list, "device": str, "cases": dict, "versions": dict, "machine": dict}


def parse_header(line: str | bytes, path: Path) -> dict[str, Any]:
    """The header of a record file from its first line.

    Raises:
        ValueError: it is no header of this version.
    """
    try:
        head = json.loads(line)
        if head["format"] != FORMAT:
            raise KeyError
        if not all(isinstance(head[name], kind) for name, kind in _NEEDED.items()):
            raise TypeError
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path} is not a record file of this version ({FORMAT!r})") from None
    return _plain(head)  # type: ignore[no-any-return]  # of a file; what is read was checked


def _plain(value: Any) -> Any:
    """A value from JSON, with all text in it made safe to show."""
    if isinstance(value, dict):
        return {plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return plain(value) if isinstance(value, str) else value


def missing(head: Mapping[str, Any], records: Iterable[Record]) -> tuple[int, int]:
    """How many cases a run has, and how many it was to have: more where it ended early."""
    done = len({r.case for r in records})
    wanted = head.get("cases", {}).get("count")
    return done, max(wanted, done) if isinstance(wanted, int) else done


def parse_record(line: bytes, path: Path, number: int) -> Record:
    """The record of a line; ``ValueError`` names the line."""
    try:
        return Record.from_json(line.decode())
    except ValueError:
        raise ValueError(f"{path}, line {number}: damaged record") from None


def read_records(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """Header and records of a file, or of the one in a folder.

    Raises:
        ValueError: the file is not one of ours, or a line is damaged; the message says which.
        OSError: it cannot be read.
    """
    if path.is_dir():
        there = [path / name for name in (RECORDS, EXHAUSTIVE) if (path / name).exists()]
        path = there[0] if there else path / RECORDS
    lines = path.read_bytes().splitlines()
    head = parse_header(lines[0] if lines else b"", path)
    return head, [parse_record(line, path, number) for number, line in enumerate(lines[1:], start=2)]

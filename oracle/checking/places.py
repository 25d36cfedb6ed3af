"""Objects by where they are: ``pkg.module:attribute`` or ``path/file.py:attribute``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..targets.loading import TargetError
from ..verdict.plain import plain

__all__ = ["Named", "load_named"]


@dataclass(frozen=True)
class Named:
    """An object that is given by its place, and not loaded yet."""

    place: str


def load_named(place: str) -> Any:
    """The object at a place; its module is imported here.

    Raises:
        TargetError: there is none; the message says what is missing.
    """
    source, _, attribute = place.rpartition(":")
    if not source or not attribute:
        raise TargetError(f"{place!r} names no object; needed is pkg.module:attribute or path/file.py:attribute")
    found: Any = _import_source(source)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise TargetError(f"{source} has no {part!r}")
        found = getattr(found, part)
    return found


def _import_source(source: str) -> ModuleType:
    try:
        return _import_file(source) if source.endswith(".py") else importlib.import_module(source)
    except TargetError:
        raise
    except BaseException as error:  # a module may do anything when it is imported
        raise TargetError(plain(f"{source} cannot be imported: {type(error).__name__}: {error}")) from None


def _import_file(source: str) -> ModuleType:
    path = Path(source).resolve()
    if not path.exists():
        raise TargetError(f"there is no file {source}")
    name = f"_target_{path.stem}"  # a file may be called as a module that others need
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

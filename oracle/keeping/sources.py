"""What computes here: the source of this project, as this process has it.

All of it is read as this module is imported. A file that is edited later is not what this process runs, so whatever is
kept by a digest of source is kept by that of the code that made it. What is edited in the second between this and the
import of the module that is edited is not seen.

>>> {"reference.losses.huber", "reference.numerics"} <= closure("reference.losses.huber")
True
>>> source("reference.losses.huber") == source("reference.losses.mse")
False
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

__all__ = ["closure", "source"]

_HERE = Path(__file__).parents[2]
_IMPORT = re.compile(r"^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)|^[ \t]*import[ \t]+([^\n]+)",
                     re.MULTILINE)
_ASIDE = re.compile(r"\bas[ \t]+\w+|#[^\n]*")  # another name here, a comment


def _read() -> tuple[dict[str, str], frozenset[str]]:
    """The text of each module, and which of them are packages."""
    texts: dict[str, str] = {}
    packages = set()
    for package in ("reference", "oracle"):
        for path in sorted((_HERE / package).rglob("*.py")):
            name = ".".join(path.relative_to(_HERE).with_suffix("").parts)
            if path.name == "__init__.py":
                name = name.removesuffix(".__init__")
                packages.add(name)
            texts[name] = path.read_text(encoding="utf-8")
    return texts, frozenset(packages)


_TEXTS, _PACKAGES = _read()


@cache
def source(*modules: str) -> str:
    """A digest of the source of modules and of all that they import of this project, wherever it is imported."""
    texts = (f"{name}\0{_text(name)}" for name in sorted(closure(*modules)))
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=20).hexdigest()


def closure(*modules: str) -> set[str]:
    """Modules and all of this project that they follow from.

    What is taken from a package follows from the module that the package has it from, and not from all of them.
    """
    left, seen = list(modules), set(modules)
    while left:
        new = _imports(left.pop()) - seen
        seen |= new
        left += new
    return seen


def _text(module: str) -> str:
    return _TEXTS[module]


def _statements(module: str) -> list[tuple[str, str]]:
    """Each name that a module imports, and where from; a sentence that looks like an import does no harm."""
    package = module if module in _PACKAGES else module.rpartition(".")[0]
    found = []
    for base, names, plain in _IMPORT.findall(_text(module)):
        if base:
            where = importlib.util.resolve_name(base, package)
            found += [(where, name) for name in re.findall(r"\w+", _ASIDE.sub("", names))]
        else:
            found += [name.rpartition(".")[::2] for name in re.findall(r"[\w.]+", plain)]
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of this project that a module imports."""
    return frozenset(origin for where, name in _statements(module) if (origin := _origin(where, name)))


@cache
def _origin(where: str, name: str) -> str | None:
    """The module that a name is from; None of what is not of this project."""
    inner = f"{where}.{name}" if where else name
    if inner in _TEXTS:
        return inner
    if where in _PACKAGES:
        gathered = (base for base, other in _statements(where) if other == name and base != where)
        return next((origin for base in gathered if (origin := _origin(base, name))), where)
    return where if where in _TEXTS else None

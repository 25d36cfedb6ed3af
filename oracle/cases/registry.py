"""Every SPEC of :mod:`oracle.cases.ops`: read-only, sorted by name, found from the file tree."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from .spec import InitSpec, LossSpec, OptimSpec, Spec

__all__ = ["KINDS", "BadCaseError", "chosen_specs", "followed_by", "get", "specs"]

#: What the kinds of ops are called, as are the packages of their specs.
KINDS: Mapping[str, type[Spec]] = {"losses": LossSpec, "optim": OptimSpec, "init": InitSpec}


class BadCaseError(ValueError):
    """A case id, an op's name or a storage type that names nothing."""


@cache
def specs() -> Mapping[str, Spec]:
    """All specs by the op's name: losses, then optimizers, then initializers, each sorted.

    Raises:
        TypeError: a public file has no ``SPEC``, or two have one of the same name.
    """
    found: dict[str, Spec] = {}
    for kind in KINDS:
        package = importlib.import_module(f"{__package__}.ops.{kind}")
        here: list[Spec] = []
        for module_info in pkgutil.iter_modules(package.__path__):
            if module_info.name.startswith("_"):
                continue
            module = importlib.import_module(f"{package.__name__}.{module_info.name}")
            spec = getattr(module, "SPEC", None)
            if not isinstance(spec, Spec):
                raise TypeError(f"{module.__name__} is public and has no SPEC; give it one or an underscore")
            if spec.name in found or any(spec.name == other.name for other in here):
                raise TypeError(f"{module.__name__}: a second SPEC is called {spec.name!r}")
            here.append(spec)
        found.update((spec.name, spec) for spec in sorted(here, key=lambda spec: spec.name.lower()))
    return MappingProxyType(found)


def get(name: str) -> Spec:
    """The spec of an op by torch's name; ``KeyError`` names what there is."""
    if name not in specs():
        raise KeyError(f"no op is called {name!r}; there are {', '.join(specs())}")
    return specs()[name]


def chosen_specs(ops: Iterable[str] = ()) -> list[Spec]:
    """The specs of some ops, where kinds such as ``losses`` count too; all by default.

    Raises:
        BadCaseError: there is no such op; the message says what is meant, or what there is.
    """
    known = specs()
    chosen: dict[str, Spec] = {}
    for op in ops:
        if op in KINDS:
            chosen |= {name: spec for name, spec in known.items() if isinstance(spec, KINDS[op])}
        elif op in known:
            chosen[op] = known[op]
        else:
            raise BadCaseError(f"unknown op {op!r}; {_suggestion(op, [*known, *KINDS])}")
    return list((chosen or known).values())


def _suggestion(op: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(op, names)
    return f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(names)}"


def followed_by(spec: Spec) -> tuple[str, ...]:
    """The modules that a case of an op follows from: the one with its formula, and the one with its spec."""
    formula = spec.implementation.__module__
    if spec.name not in specs():
        return (formula,)
    kind, stem = specs()[spec.name].implementation.__module__.split(".")[-2:]
    return formula, f"{__package__}.ops.{kind}.{stem}"

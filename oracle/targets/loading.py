"""Implementations under test. One file a framework, imported when one of its targets is asked for.

A framework's file has ``VARIANTS`` (with a line on each), ``default(device)`` (those that an audit takes
unasked) and ``make(variant, device)``; one that computes on different paths on different CPUs has ``path()``
as well, one of which it is known what its answers follow from has ``follows_from(spec)``, and one with variants that
users get by an argument alone has their names in ``CHOSEN``.
Target names are ``framework:variant``; a framework's name alone stands for its default variants.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Protocol

from ..cases.case import Case
from ..cases.spec import Spec
from ..truth.evaluate import Outputs

__all__ = ["FRAMEWORKS", "Target", "TargetError", "Unsupported", "follows_from", "frameworks", "is_chosen", "load",
           "modules", "paths", "unasked"]

#: Framework -> module of this package.
FRAMEWORKS = {"reference": "numpy_reference", "torch": "pytorch", "optax": "optax_jax", "keras": "keras3"}


class Unsupported(Exception):  # a verdict, not an error
    """A target does not do what a case asks for; the message says why."""


class TargetError(Exception):
    """A target that does not exist or cannot be used here."""


class Target(Protocol):
    """One implementation of many ops."""

    name: str

    def covers(self, spec: Spec) -> bool:
        """Has this variant a meaning for the op? (``foreach`` has none for a loss.)"""

    def run(self, case: Case) -> Outputs:
        """The outputs on a case, under the names of :mod:`oracle.truth.evaluate`; may raise anything."""

    def script(self, case: Case) -> str:
        """Python source that computes ``got`` (a dict like the outputs) without this project."""


def frameworks(names: Sequence[str]) -> list[str]:
    """The frameworks of these targets; nothing is imported for it.

    Raises:
        TargetError: an unknown name.
    """
    for name in names:
        if name.partition(":")[0] not in FRAMEWORKS:
            raise TargetError(f"unknown target {name!r}; frameworks are {', '.join(FRAMEWORKS)}")
    return list(dict.fromkeys(name.partition(":")[0] for name in names))


def load(names: Sequence[str], device: str = "cpu") -> list[Target]:
    """The targets of these names, in order, each once.

    Raises:
        TargetError: an unknown name, or a framework that is not installed.
    """
    frameworks(names)
    targets: dict[str, Target] = {}
    for name in names:
        framework, _, variant = name.partition(":")
        try:
            module = importlib.import_module(f"{__package__}.{FRAMEWORKS[framework]}")
        except ModuleNotFoundError as error:
            if error.name != framework:
                raise
            raise TargetError(f"{framework} is not installed; pip install 'torch-oracle[{framework}]', or choose "
                              "targets that are there with --target reference") from None
        if variant and variant not in module.VARIANTS:
            raise TargetError(f"unknown variant {variant!r} of {framework}; it has {', '.join(module.VARIANTS)}")
        for one in [variant] if variant else module.default(device):
            target = module.make(one, device)
            targets[target.name] = target
    return list(targets.values())


def is_chosen(name: str) -> bool:
    """Is a target a variant that users get by an argument alone? False where its framework is not installed."""
    framework, _, variant = name.partition(":")
    if framework not in FRAMEWORKS:
        return False
    try:
        module = importlib.import_module(f"{__package__}.{FRAMEWORKS[framework]}")
    except ModuleNotFoundError:
        return False
    return variant in getattr(module, "CHOSEN", ())


def modules(names: Sequence[str]) -> list[str]:
    """The modules of the frameworks of these targets; names without one are left out."""
    frameworks = dict.fromkeys(name.partition(":")[0] for name in names)
    return [f"{__package__}.{FRAMEWORKS[framework]}" for framework in frameworks if framework in FRAMEWORKS]


def unasked(names: Sequence[str], device: str = "cpu") -> list[str]:
    """The names of all targets that an audit takes of the frameworks of these."""
    return [target.name for target in load(list(dict.fromkeys(name.partition(":")[0] for name in names)), device)]


def paths(names: Sequence[str]) -> dict[str, str]:
    """Of the frameworks of these targets, the path on which each computes on this CPU: last bits depend on it."""
    frameworks = dict.fromkeys(name.partition(":")[0] for name in names)
    loaded = {framework: sys.modules.get(f"{__package__}.{FRAMEWORKS.get(framework)}") for framework in frameworks}
    return {framework: str(module.path()) for framework, module in loaded.items()
            if module is not None and hasattr(module, "path")}


def follows_from(name: str, spec: Spec) -> str | None:
    """A digest of all that a target's answers on an op follow from; None where that is not known.

    What has the same digest gives the same answers, and need not be run to know what is to be said of them.
    """
    module = sys.modules.get(f"{__package__}.{FRAMEWORKS.get(name.partition(':')[0])}")
    return str(module.follows_from(spec)) if module is not None and hasattr(module, "follows_from") else None

"""A loss of torch in other words: what a case asks for, as a framework with fewer arguments can take or refuse it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference import reduction

from ..cases.case import Case
from ..cases.spec import LossSpec
from .loading import Unsupported

__all__ = ["Arguments", "Translation", "refuse_surroundings", "shapes_differ"]

Arguments = Mapping[str, Any]  #: of a loss, by torch's names; those that are not given have torch's defaults


def refuse_surroundings(case: Case, framework: str) -> None:
    """Refuse what only torch's form of arrays and optimizers has.

    Raises:
        Unsupported: the case says how arrays lie in memory, what happens between steps, or how many threads there are.
    """
    if missing := [name for name in case.around.parts if name not in ("size", "tensors")]:
        raise Unsupported(f"{framework} is asked for sizes alone, not for {missing[0]}={case.around.parts[missing[0]]}")


@dataclass(frozen=True)
class Translation:
    """How torch's arguments make a call of a framework's loss, and which of them it cannot express."""

    call: Callable[[Arguments], Any]
    absent: Mapping[str, Any] = field(default_factory=dict)  #: arguments without counterpart -> the value they need
    cannot: Mapping[str, Callable[[Arguments], bool]] = field(default_factory=dict)  #: why not -> does it apply?

    def arguments(self, case: Case, framework: str) -> tuple[dict[str, Any], str]:
        """All arguments of a case, and the reduction that they ask for.

        Raises:
            Unsupported: the framework's loss does not do what the case asks for.
        """
        assert isinstance(case.spec, LossSpec)
        signature = inspect.signature(case.spec.function).parameters
        a = {name: parameter.default for name, parameter in signature.items()} | case.inputs
        for name, needed in self.absent.items():
            if a[name] is not needed and (isinstance(a[name], np.ndarray) or a[name] != needed):
                raise Unsupported(f"{framework} has no {name} here")
        for why, applies in self.cannot.items():
            if applies(a):
                raise Unsupported(f"{framework} {why}")
        return a, reduction.resolve(a["reduction"], size_average=a.get("size_average"), reduce=a.get("reduce"),
                                    extra=("batchmean",))


def shapes_differ(a: Arguments) -> bool:
    """Are a target and its input of two shapes?"""
    return bool(a["input"].shape != a["target"].shape)

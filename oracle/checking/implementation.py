"""What was handed in, and how it is to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import LossSpec, Spec
from ..cases.surroundings.fitting import other_options
from ..targets.loading import TargetError, Unsupported
from .arguments import check_options
from .places import Named, load_named
from .signature import Signature, keyword_arguments, split_arguments, values_of_argument

__all__ = ["Implementation", "Misbehaved", "implementation_of", "load_code", "name_of"]

#: The frameworks that give gradients of their own.
DIFFERENTIATING = ("torch", "jax")


class Misbehaved(Exception):  # a verdict, not an error
    """An implementation did something that a caller has to be safe from; the message says what."""


def _is_same(a: Any, b: Any) -> bool:
    """Is a value of a case the one that a mode names, perhaps as text?"""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return False
    return bool(a == b or (b is not None and str(a) == str(b)))


def _values_of_axis(case: Case, name: str) -> Iterator[Any]:
    """All that an axis is in a case: where an event gives an option another value, that too."""
    if name in case.options:
        yield case.options[name]
    if name == case.around.option:
        yield other_options(case.spec, case.options, name)[name]


def _closed_labels(spec: Spec, name: str) -> list[str]:
    """The labels of an axis, where there can be no others: the values of an argument of numbers are examples alone."""
    values = next((axis.values for axis in spec.axes if axis.name == name), ())
    if name in spec.parameters and not all(isinstance(v, str | bool | None) for v in values):
        return []
    return [str(v) for v in values]


@dataclass(frozen=True)
class Implementation:
    """What was handed in, and how it is to be asked."""

    code: Any
    framework: str = "torch"
    device: str = "cpu"
    modes: Mapping[str, Sequence[Any]] = field(default_factory=dict)  #: argument or axis -> what it may be
    state: Mapping[str, str] = field(default_factory=dict)  #: torch's names of state -> the optimizer's own
    backward: Any = None  #: a function; False for no gradients; None for those of the framework
    stream: bool | None = None  #: are an initializer's numbers to be torch's? None: where the framework can
    gradients: tuple[str, ...] | None = None  #: arguments of a loss whose gradients are asked for; None: all
    passed: Mapping[str, Any] = field(default_factory=dict)  #: what is passed where a case says nothing else

    @property
    def differentiates(self) -> bool:
        """Do its gradients come from its framework?"""
        return self.backward is None and self.framework in DIFFERENTIATING

    @property
    def signature(self) -> Signature:
        """What its code takes; the code has to be loaded."""
        return Signature.of(self.code)

    def asks_for(self, path: str) -> bool:
        """Is the gradient of an argument, or of an array in it, asked for?"""
        if not self.differentiates and self.backward in (None, False):
            return False
        return self.gradients is None or path.partition("[")[0] in self.gradients

    def check_gradients(self, spec: Spec) -> None:
        """Refuse gradients of nothing: ``ValueError`` names what there is."""
        arrays = spec.arrays if isinstance(spec, LossSpec) else ()
        if strange := [name for name in self.gradients or () if name not in arrays]:
            raise ValueError(f"gradients has {strange[0]!r}; the arrays of {spec.name} that may have one are "
                             f"{', '.join(arrays) or 'none'}")

    def check_modes(self, spec: Spec) -> None:
        """Refuse modes of nothing: ``ValueError`` names what there is."""
        known = {*spec.defaults, *spec.parameters}
        for name, allowed in self.modes.items():
            if name not in known:
                raise ValueError(f"modes has {name!r}, which is no argument and no axis of {spec.name}; "
                                 f"known are {', '.join(sorted(known))}")
            if isinstance(allowed, str) or not isinstance(allowed, Sequence):
                raise ValueError(f"modes[{name!r}] needs a list of values, got {allowed!r}")
            labels = _closed_labels(spec, name)
            strange = sorted({*map(str, allowed)} - {*labels}) if labels else []
            if strange:
                raise ValueError(f"modes[{name!r}] has {strange[0]!r}; {spec.name} has {', '.join(labels)}")

    def supports(self, case: Case) -> bool:
        """May it be asked for a case, as far as modes and its signature tell?"""
        try:
            split_arguments(self.signature, case.spec, dict(keyword_arguments(case)), skip=1)
        except Unsupported:
            return False
        return self.leaves_out(case) is None

    def leaves_out(self, case: Case) -> str | None:
        """Which mode excludes a case, if one does. A chosen shape is that of a base, also where it is laid out."""
        for name, allowed in self.modes.items():
            chosen = list(_values_of_axis(case, name))
            if chosen and {*map(str, chosen)} <= {*map(str, allowed)}:
                continue
            values = list(values_of_argument(case, name)) if name in case.spec.parameters else []
            if values and all(any(_is_same(value, one) for one in allowed) for value in values):
                continue
            return f"left out by modes: {name}={case.options.get(name, values[0] if values else '')}"
        return None


def implementation_of(implementation: Any, *, framework: str = "torch", device: str = "cpu",
                      modes: Mapping[str, Sequence[Any]] | None = None, state: Mapping[str, str] | None = None,
                      backward: Any = None, gradients: Sequence[str] | None = None,
                      stream: bool | None = None) -> Implementation:
    """What was handed in, in one piece; text says where it is."""
    check_options({"framework": framework, "device": device, "modes": modes, "state": state, "backward": backward,
                   "gradients": gradients, "stream": stream})
    code, gradient = (Named(given) if isinstance(given, str) else given for given in (implementation, backward))
    return Implementation(code, framework, device, modes=modes or {}, state=state or {}, backward=gradient,
                          stream=stream, gradients=None if gradients is None else tuple(gradients))


def load_code(asked: Implementation) -> Implementation:
    """The implementation with its code loaded, and with what is to be passed to it.

    Raises:
        TargetError: there is no such code, or it is nothing that can be called.
    """
    whole = asked
    if isinstance(asked.code, Named):
        whole = replace(whole, code=load_named(asked.code.place))
    if isinstance(asked.backward, Named):
        whole = replace(whole, backward=load_named(asked.backward.place))
    if asked.passed:
        whole = replace(whole, code=partial(whole.code, **asked.passed))
    if not (callable(whole.code) or isinstance(whole.code, tuple) or hasattr(whole.code, "init")):
        raise TargetError("needed is a function, a class, or a pair of init and update; "
                          f"{name_of(asked.code)} is of type {type(whole.code).__name__}")
    return whole


def name_of(code: Any) -> str:
    """The place of code that is given by it; else its name, or that of its type."""
    if isinstance(code, Named):
        return code.place
    inner = getattr(code, "func", code)  # of a partial
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))

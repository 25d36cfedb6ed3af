"""What a callable takes, what a case passes to it, and which of its defaults are not torch's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import OptimSpec, Spec
from ..targets.loading import Unsupported

__all__ = ["Signature", "differing_defaults", "init_and_update", "is_default", "keyword_arguments",
           "leaves_to_default", "split_arguments", "values_of_argument"]


def init_and_update(code: Any) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """The two functions of an object or of a tuple that has them; None of what is no such pair."""
    if isinstance(code, type):
        return None
    if callable(getattr(code, "init", None)) and callable(getattr(code, "update", None)):
        return code.init, code.update
    if isinstance(code, tuple) and len(code) == 2 and all(map(callable, code)):
        return code
    return None


def _parameters(code: Any) -> Mapping[str, inspect.Parameter] | None:
    """The parameters of a callable; None of what is built in, or nothing to call."""
    try:
        return inspect.signature(code).parameters
    except (TypeError, ValueError):
        return None


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


@dataclass(frozen=True)
class Signature:
    """What can be told of an implementation without a call."""

    parameters: tuple[str, ...] | None  #: names in their order; None where nothing is known
    required: frozenset[str] = frozenset()  #: parameters that have no default
    takes_any_keyword: bool = False
    is_pair: bool = False  #: is it a pair of ``init`` and ``update``?
    has_step: bool = False  #: has it a method ``step``, as an optimizer's class has?

    @classmethod
    def of(cls, code: Any) -> Signature:
        """The signature of an object that is loaded.

        >>> Signature.of(lambda input, target, reduction="mean": 0).required == {"input", "target"}
        True
        """
        is_pair = init_and_update(code) is not None
        has_step = hasattr(getattr(code, "func", code), "step")  # of a partial: has its function?
        known = _parameters(code)
        if known is None:
            return cls(None, is_pair=is_pair, has_step=has_step)
        required = frozenset(name for name, p in known.items() if p.default is p.empty)
        any_keyword = any(p.kind is p.VAR_KEYWORD for p in known.values())
        return cls(tuple(known), required, any_keyword, is_pair, has_step)

    def accepts(self, name: str) -> bool:
        """Is there a keyword of this name, as far as it can be told?"""
        return self.parameters is None or name in self.parameters or self.takes_any_keyword

    def requires(self, name: str) -> bool:
        """Is there a parameter of this name, without a default?"""
        return name in self.required

    @property
    def takes_params(self) -> bool:
        """Is it made and stepped as a class of ``torch.optim``, rather than a pair of functions?"""
        return not self.is_pair and (self.has_step or (self.parameters or ("",))[0] == "params")

    def to_json(self) -> dict[str, Any]:
        """The fields, in types that JSON has."""
        names = None if self.parameters is None else list(self.parameters)
        return {**vars(self), "parameters": names, "required": sorted(self.required)}

    @classmethod
    def from_json(cls, told: Any) -> Signature:
        """The signature that :meth:`to_json` told of, perhaps in a process that cannot be trusted.

        Raises:
            ValueError: it is anything else.

        >>> Signature.from_json(Signature.of(len).to_json()) == Signature.of(len)
        True
        """
        try:
            names, required = told["parameters"], told["required"]
            flags = [told[name] for name in ("takes_any_keyword", "is_pair", "has_step")]
        except (KeyError, TypeError):
            raise ValueError("no signature") from None
        if not (names is None or _is_list_of_text(names)) or not _is_list_of_text(required):
            raise ValueError("parameters without names")
        if not all(isinstance(flag, bool) for flag in flags):
            raise ValueError("answers that are neither yes nor no")
        return cls(names if names is None else tuple(names), frozenset(required), *flags)


def split_arguments(signature: Signature, spec: Spec, given: Mapping[str, Any],
                    skip: int = 0) -> tuple[list[str], list[str]]:
    """Which of the arguments are passed by position, and which by keyword; what is at torch's default by neither.

    Args:
        skip: how many leading ones the caller passes by itself.

    Raises:
        Unsupported: there is no such keyword, and the argument is not at its default.
    """
    parameters = list(inspect.signature(spec.implementation).parameters.values())
    positional = [] if skip else [p.name for p in parameters if p.default is p.empty and p.name in given]
    keywords = []
    for name, value in given.items():
        if name in positional or (is_default(spec, name, value) and not signature.requires(name)):
            continue
        if not signature.accepts(name):
            raise Unsupported(f"has no keyword {name!r}")
        keywords.append(name)
    return positional, keywords


def is_default(spec: Spec, name: str, value: Any) -> bool:
    """Is a value torch's default of an argument?"""
    default = inspect.signature(spec.implementation).parameters[name].default
    if value is default:
        return True
    if isinstance(value, np.ndarray) or default is inspect.Parameter.empty:
        return False
    return bool(value == default)


def differing_defaults(code: Any, spec: Spec) -> dict[str, tuple[Any, Any]]:
    """Arguments whose default is not torch's, each with its own default and torch's, as the signature tells."""
    torchs = inspect.signature(spec.implementation).parameters
    found = {}
    for name, parameter in (_parameters(code) or {}).items():
        own = parameter.default
        if name not in torchs or own is parameter.empty or torchs[name].default is parameter.empty:
            continue
        if not isinstance(own, np.ndarray) and not is_default(spec, name, own):
            found[name] = (own, torchs[name].default)
    return found


def keyword_arguments(case: Case) -> Iterator[tuple[str, Any]]:
    """Arguments of a case that torch has a default for; of an optimizer those of all groups, at all steps."""
    inputs = (case.base if case.laid_out else case).inputs
    if isinstance(case.spec, OptimSpec):
        yield from inputs.defaults.items()
        for options in (*(group.options for group in inputs.groups), *(options for _, options in inputs.settings)):
            yield from options.items()
        return
    known = inspect.signature(case.spec.implementation).parameters
    for name, value in inputs.items():
        if name in known and known[name].default is not known[name].empty:
            yield name, value


def values_of_argument(case: Case, name: str) -> Iterator[Any]:
    """All that an argument is in a case: of an optimizer in each group, and what it becomes between steps."""
    default = inspect.signature(case.spec.implementation).parameters[name].default
    inputs = (case.base if case.laid_out else case).inputs
    if isinstance(case.spec, OptimSpec):
        for group in inputs.groups:
            yield group.options.get(name, inputs.defaults.get(name, default))
        yield from (options[name] for _, options in inputs.settings if name in options)
    else:
        yield inputs.get(name, default)


def leaves_to_default(case: Case, name: str) -> bool:
    """Is an argument at torch's default in a case, anywhere, so that it is not passed?"""
    return any(is_default(case.spec, name, value) for value in values_of_argument(case, name))

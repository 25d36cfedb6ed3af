"""The options of :func:`oracle.check` and of :func:`oracle.conformance`, refused where they cannot be meant.

Each refusal names the option, what is needed and what came. What depends on the op, such as the modes and the types
that it has, is not checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["OPTIONS", "check_op", "check_options"]

_MOST_BYTES = 2**62


def check_op(op: Any) -> None:
    """Refuse an op that is no name: ``TypeError`` says what came."""
    if not isinstance(op, str):
        raise TypeError(f"op needs torch's name of an op, got {_describe(op)}")


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse values that options cannot have.

    Raises:
        TypeError: an option of another type.
        ValueError: a value that is not among those that there are.
    """
    for name, value in options.items():
        OPTIONS[name](name, value)


def _describe(value: Any) -> str:
    """A value and its type, for a message."""
    return f"{value!r:.100} of type {type(value).__name__}"


def _needs_type(kinds: type | tuple[type, ...], needed: str) -> Callable[[str, Any], None]:
    """A function that refuses values of other types."""
    def check(name: str, value: Any) -> None:
        if not isinstance(value, kinds):
            raise TypeError(f"{name} needs {needed}, got {_describe(value)}")

    return check


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} needs a number of seconds, got {_describe(value)}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} needs a number of seconds above 0, got {value!r}")


def _check_bytes(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise TypeError(f"{name} needs a whole number of bytes, or None for no limit, got {_describe(value)}")
    if value is not None and not 0 < value <= _MOST_BYTES:
        raise ValueError(f"{name} needs a number of bytes from 1 to {_MOST_BYTES}, got {value!r:.100}")


def _check_dtypes(name: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Iterable | None):
        raise TypeError(f"{name} needs a list of storage types, such as ['float32'], got {_describe(value)}")
    # What can be gone through only once is looked at by whoever uses it.
    strange = [one for one in value if not isinstance(one, str)] if isinstance(value, Sequence) else []
    if strange:
        raise TypeError(f"{name} needs names of storage types, got {_describe(strange[0])}")


def _check_modes(name: str, value: Any) -> None:
    if not isinstance(value, Mapping | None):
        raise TypeError(f"{name} needs a mapping from arguments to lists of values, got {_describe(value)}")
    for argument, allowed in (value or {}).items():
        if not isinstance(allowed, str) and isinstance(allowed, Sequence) and not allowed:
            raise ValueError(f"{name}[{argument!r}] needs one value at least, got {allowed!r}")


def _check_state(name: str, value: Any) -> None:
    if not isinstance(value, Mapping | None):
        raise TypeError(f"{name} needs a mapping from torch's names of state to others, got {_describe(value)}")
    for pair in (value or {}).items():
        if not all(isinstance(one, str) for one in pair):
            raise TypeError(f"{name} needs names, got {_describe(pair)}")


def _check_backward(name: str, value: Any) -> None:
    if value is True or not (value is None or value is False or isinstance(value, str) or callable(value)):
        raise TypeError(f"{name} needs a function, the place of one, False or None, got {_describe(value)}")


def _check_gradients(name: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence | None):
        raise TypeError(f"{name} needs a list of arguments, such as ['input'], got {_describe(value)}")
    if strange := [one for one in value or () if not isinstance(one, str)]:
        raise TypeError(f"{name} needs names of arguments, got {_describe(strange[0])}")


def _check_accuracy(name: str, value: Any) -> None:
    if value is not None and value != "opmath" and value != "storage":
        raise ValueError(f"{name} needs to be 'opmath' or 'storage', got {value!r:.100}")


#: Name of an option -> what refuses a value.
OPTIONS: Mapping[str, Callable[[str, Any], None]] = {
    "framework": _needs_type(str, "the name of a framework"),
    "dtypes": _check_dtypes,
    "device": _needs_type(str, "the name of a device"),
    "modes": _check_modes,
    "accuracy": _check_accuracy,
    "state": _check_state,
    "backward": _check_backward,
    "gradients": _check_gradients,
    "stream": _needs_type((bool, type(None)), "True, False or None"),
    "all_cases": _needs_type(bool, "True or False"),
    "timeout": _check_seconds,
    "memory": _check_bytes,
}

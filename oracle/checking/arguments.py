"""The options of :func:`oracle.check` and of :func:`oracle.conformance`, refused where they cannot be meant.

Each refusal names the option, what is needed and what came. What only an op can tell (whether it has such a mode, or
such a type) is for who knows the op.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["OPTIONS", "check_op", "check_options"]

_MOST_BYTES = 2**62


def check_op(op: Any) -> None:
    """Refuse what is no name."""
    if not isinstance(op, str):
        raise TypeError(f"op needs torch's name of an op, got {_got(op)}")


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse what no option can be.

    Raises:
        TypeError: an option of another type.
        ValueError: a value that is not among those that there are.
    """
    for name, value in options.items():
        OPTIONS[name](name, value)


def _got(value: Any) -> str:
    return f"{value!r:.100} of type {type(value).__name__}"


def _of(kinds: type | tuple[type, ...], needed: str) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, kinds):
            raise TypeError(f"{name} needs {needed}, got {_got(value)}")

    return check


def _seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} needs a number of seconds, got {_got(value)}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} needs a number of seconds above 0, got {value!r}")


def _bytes(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise TypeError(f"{name} needs a whole number of bytes, or None for no limit, got {_got(value)}")
    if value is not None and not 0 < value <= _MOST_BYTES:
        raise ValueError(f"{name} needs a number of bytes from 1 to {_MOST_BYTES}, got {value!r:.100}")


def _dtypes(name: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Iterable | None):
        raise TypeError(f"{name} needs a list of storage types, such as ['float32'], got {_got(value)}")
    if isinstance(value, Sequence) and (strange := [one for one in value if not isinstance(one, str)]):
        raise TypeError(f"{name} needs names of storage types, got {_got(strange[0])}")


def _modes(name: str, value: Any) -> None:
    if not isinstance(value, Mapping | None):
        raise TypeError(f"{name} needs a mapping from arguments to lists of values, got {_got(value)}")
    for argument, allowed in (value or {}).items():
        if not isinstance(allowed, str) and isinstance(allowed, Sequence) and not allowed:
            raise ValueError(f"{name}[{argument!r}] needs one value at least, got {allowed!r}")


def _state(name: str, value: Any) -> None:
    if not isinstance(value, Mapping | None):
        raise TypeError(f"{name} needs a mapping from torch's names of state to others, got {_got(value)}")
    for pair in (value or {}).items():
        if not all(isinstance(one, str) for one in pair):
            raise TypeError(f"{name} needs names, got {_got(pair)}")


def _backward(name: str, value: Any) -> None:
    if value is True or not (value is None or value is False or isinstance(value, str) or callable(value)):
        raise TypeError(f"{name} needs a function, the place of one, False or None, got {_got(value)}")


def _gradients(name: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence | None):
        raise TypeError(f"{name} needs a list of arguments, such as ['input'], got {_got(value)}")
    if strange := [one for one in value or () if not isinstance(one, str)]:
        raise TypeError(f"{name} needs names of arguments, got {_got(strange[0])}")


def _accuracy(name: str, value: Any) -> None:
    if value is not None and value != "opmath" and value != "storage":
        raise ValueError(f"{name} needs to be 'opmath' or 'storage', got {value!r:.100}")


#: Name of an option -> what refuses a value.
OPTIONS: Mapping[str, Callable[[str, Any], None]] = {
    "framework": _of(str, "the name of a framework"), "dtypes": _dtypes, "device": _of(str, "the name of a device"),
    "modes": _modes, "accuracy": _accuracy, "state": _state, "backward": _backward, "gradients": _gradients,
    "stream": _of((bool, type(None)), "True, False or None"), "all_cases": _of(bool, "True or False"),
    "timeout": _seconds, "memory": _bytes,
}

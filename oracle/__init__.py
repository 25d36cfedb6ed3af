"""Judge implementations of torch's losses, optimizers and initializers by proven bounds.

``oracle.check`` judges one implementation, ``oracle.conformance`` makes tests of it, and ``oracle.Report`` is
what the first gives. They are imported when they are asked for: this package by itself imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking.check import check
    from .checking.checked import Report
    from .checking.conformance import conformance

__all__ = ["Report", "check", "conformance"]

_WHERE = {"Report": "checking.checked", "check": "checking.check", "conformance": "checking.conformance"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)

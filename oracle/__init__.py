"""Judge implementations of torch's losses, optimizers and initializers by proven bounds.

What is public, beside the command line and the pytest plugin:

================  ============================================================================
name              what it is for
================  ============================================================================
``check``         judge one implementation of one op
``Report``        what ``check`` found
``assert_sound``  raise AssertionError unless an answer at hand is sound, whatever made it
``bound``         give truth and bound of a loss for inputs at hand, as arrays
``tolerance``     say what ``rtol`` and ``atol`` a comparison on inputs at hand needs
``conformance``   make one pytest test for each case of an implementation
``select``        choose cases, by op and storage type, for ``audit``
``audit``         run cases on targets, such as ``torch:fused``, on any executor
``explain``       everything about one case, as text
``diagnose``      say what an implementation does instead, from the observations of a report
``judge_draws``   judge random numbers by the distribution that they should have
``Claim``         such a distribution, for ``judge_draws``
``watch``         judge steps of an optimizer in use, while it trains
``TargetError``   is raised where a target or an implementation is not there
``Unsupported``   is raised by a target that does not do what a case asks for
================  ============================================================================

They are imported when they are asked for: this package by itself imports nothing. All other names are private, as
their paths say: what is imported from a module of this package may move or end with any version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auditing.run import audit
    from .cases.selection import select
    from .checking.check import check
    from .checking.checked import Report
    from .checking.conformance import conformance
    from .report.explain import explain
    from .sound.bounds import bound, tolerance
    from .sound.judging import assert_sound
    from .targets.loading import TargetError, Unsupported
    from .truth.claims import Claim
    from .verdict.diagnosis import diagnose
    from .verdict.distribution import judge_draws
    from .watching.watch import watch

__all__ = ["Claim", "Report", "TargetError", "Unsupported", "assert_sound", "audit", "bound", "check", "conformance",
           "diagnose", "explain", "judge_draws", "select", "tolerance", "watch"]

#: The module of each public name.
_MODULES = {
    "Claim": "truth.claims",
    "Report": "checking.checked",
    "TargetError": "targets.loading",
    "Unsupported": "targets.loading",
    "audit": "auditing.run",
    "assert_sound": "sound.judging",
    "bound": "sound.bounds",
    "check": "checking.check",
    "conformance": "checking.conformance",
    "diagnose": "verdict.diagnosis",
    "explain": "report.explain",
    "judge_draws": "verdict.distribution",
    "select": "cases.selection",
    "tolerance": "sound.bounds",
    "watch": "watching.watch",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

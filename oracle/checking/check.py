"""Is somebody's implementation right? One op, the cases that tell most, and a report.

>>> import numpy as np
>>> def mse(input, target, reduction="mean"):
...     squares = (input - target) ** 2
...     return squares if reduction == "none" else getattr(squares, reduction)()
>>> check("mse_loss", mse, framework="numpy", dtypes=["float32"]).passed
True
>>> report = check("mse_loss", lambda input, target: mse(input, target) / 2, framework="numpy")
>>> report.passed, report.failures[0].verdict
(False, 'exceeds')
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..verdict.faults import said
from ..verdict.observation import Observation
from .arguments import check_options
from .checked import Report
from .checker import Checker
from .choice import budget, in_order
from .defaults import Defaults
from .facts import facts_of
from .implementation import implementation_of
from .isolation import MEMORY, TIMEOUT
from .narrowing import narrow
from .notes import notes_on

__all__ = ["check"]


def check(op: str, implementation: Any, *, framework: str = "torch", dtypes: Sequence[str] | None = None,
          device: str = "cpu", modes: Mapping[str, Sequence[Any]] | None = None, accuracy: str | None = None,
          state: Mapping[str, str] | None = None, backward: Callable[..., Any] | bool | str | None = None,
          gradients: Sequence[str] | None = None, stream: bool | None = None, all_cases: bool = False,
          timeout: float = TIMEOUT, memory: int | None = MEMORY,
          on_case: Callable[[Observation], None] = lambda seen: None) -> Report:
    """Judge an implementation of one op by proven bounds.

    Args:
        op: torch's name, e.g. ``"cross_entropy"``, ``"Adam"``, ``"kaiming_uniform_"``.
        implementation: a callable or class (see :mod:`oracle.checking.adapter` for how it is called), or where it
            is: ``"pkg.module:attribute"``, ``"path/file.py:attribute"``.
        framework: whose arrays it takes: ``"numpy"``, ``"torch"``, ``"jax"``.
        dtypes: storage types; float32 and float64 by default, half types where they are named.
        device: where the framework is to put its arrays.
        modes: what arguments, or axes of cases, may be: ``{"reduction": ["mean"]}``. The rest is unsupported.
        accuracy: what half types are computed in: ``"opmath"`` (float32, rounded once; the default) or
            ``"storage"`` (each operation may be rounded to the type).
        state: torch's names of an optimizer's state -> its own. What has no name of torch's is not compared; the
            rest is, after the steps at which both have it.
        backward: ``backward(grad_output, <the arguments>)`` gives a gradient for each array argument, or None
            (or where it is, as above); False compares values alone. By default the framework differentiates,
            and in NumPy nothing does.
        gradients: the arguments of a loss whose gradients are asked for; by default all that torch gives. One
            that is asked for and not there is missing, which fails.
        stream: are an initializer's numbers to be torch's, of the same seed? By default for torch on a CPU;
            otherwise their distribution is judged.
        all_cases: run every shipped case, not those that tell most.
        timeout: seconds that a case may take.
        memory: bytes that the implementation may take; None for no limit.
        on_case: is called with each observation.

    Waivers do not apply: who has torch's defects is told so, by the dialect's name.

    Raises:
        ValueError: an unknown op, dtype, mode or accuracy, or a limit that is none.
        TypeError: an option of another type.
        TargetError: a framework or an implementation that is not there.
    """
    check_options({"dtypes": dtypes, "all_cases": all_cases})
    if not callable(on_case):
        raise TypeError(f"on_case needs a function, got {on_case!r}")
    asked = implementation_of(implementation, framework=framework, device=device, modes=modes, state=state,
                      backward=backward, gradients=gradients, stream=stream)
    limits: dict[str, Any] = {"accuracy": accuracy, "timeout": timeout, "memory": memory}
    with contextlib.closing(Checker(op, asked, **limits)) as checker:
        cases = in_order(op, dtypes)
        checker.budget = budget(all_cases)
        seen: list[Observation] = []
        def observations() -> Iterator[Observation]:
            yield from checker.observe_with_replacements(cases)
            checker.budget = math.inf
            yield from narrow(checker, seen)

        for observation in observations():
            seen.append(observation)
            on_case(observation)
        written, faults = _take_notes(notes_on(checker, seen))
    facts = facts_of(op, asked) if any(one.record.fails for one in seen) else None
    defaults = Defaults() if facts is None else Defaults.of(op, asked, facts.differing, seen, **limits)
    return Report(op, checker.name, framework, checker.accuracy, observations=tuple(seen), shipped=len(cases),
                  asked=asked, notes=written, other_faults=faults, defaults=defaults, facts=facts)


def _take_notes(lines: Iterator[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes, as far as they come, and the fault that ends them."""
    found: list[str] = []
    try:
        found.extend(lines)
    except Exception as error:
        return tuple(found), (said(error, "the notes of a report"),)
    return tuple(found), ()

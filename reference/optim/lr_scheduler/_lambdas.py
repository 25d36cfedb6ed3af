"""Functions that users give to schedules: one a group, and what a saved state has of them."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

from .._optimizer import Optimizer

__all__ = ["one_function_a_group", "restored", "saved"]

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def one_function_a_group(optimizer: Optimizer, lr_lambda: Any) -> list[Callable[[int], Any]]:
    """``lr_lambda`` as a list with a function for every group."""
    n = len(optimizer.param_groups)
    if not isinstance(lr_lambda, list | tuple):
        return [lr_lambda] * n
    if len(lr_lambda) != n:
        raise ValueError(f"lr_lambda needs a function for each of the {n} groups, got {len(lr_lambda)}")
    return list(lr_lambda)


def saved(function: Any) -> dict[str, Any] | None:
    """The attributes of a callable object; of a function, which a state cannot hold, nothing."""
    if isinstance(function, _FUNCTIONS) or not hasattr(function, "__dict__"):
        return None
    return dict(vars(function))


def restored(functions: Sequence[Any], states: Sequence[dict[str, Any] | None]) -> None:
    """Put saved attributes into the callable objects that they are of."""
    for function, state in zip(functions, states, strict=True):
        if state is not None:
            vars(function).update(state)

"""Momentum, or the first beta, that a schedule changes together with the learning rate."""

from __future__ import annotations

from typing import Any

from .._optimizer import Optimizer

__all__ = ["give_momentum", "uses_beta1"]


def uses_beta1(optimizer: Optimizer) -> bool:
    """Is it the first of the betas that is changed, and not ``momentum``?

    Raises:
        ValueError: the optimizer has neither.
    """
    if "betas" not in optimizer.defaults and "momentum" not in optimizer.defaults:
        raise ValueError("cycle_momentum needs an optimizer with momentum or betas, got "
                         f"{type(optimizer).__name__} with {sorted(optimizer.defaults)}")
    return "betas" in optimizer.defaults


def give_momentum(group: dict[str, Any], value: Any, beta1: bool) -> None:
    """Write it into a group; the other betas stay."""
    if beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value

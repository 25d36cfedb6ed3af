"""Schedules that other schedules are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._optimizer import Optimizer
from ._scheduler import LRScheduler
from .reduce_lr_on_plateau import ReduceLROnPlateau

__all__ = ["begin", "check_parts", "leaves", "restart"]


def check_parts(owner: str, schedulers: Sequence[Any], optimizer: Optimizer | None) -> Optimizer:
    """The optimizer of all parts, which is the one that is given, if one is.

    Raises:
        ValueError: there is no part, or one that needs a metric, or one of another optimizer.
        TypeError: a part is no scheduler.
    """
    if not schedulers:
        raise ValueError(f"schedulers of {owner} needs at least one scheduler, got none")
    for i, part in enumerate(schedulers):
        if isinstance(part, ReduceLROnPlateau):
            raise ValueError(f"schedulers of {owner} needs schedulers whose step takes no metric, got a "
                             f"ReduceLROnPlateau at index {i}")
        if not isinstance(part, LRScheduler):
            raise TypeError(f"schedulers of {owner} needs to hold schedulers, got {type(part).__name__} at index {i}")
        optimizer = part.optimizer if optimizer is None else optimizer
        if part.optimizer is not optimizer:
            raise ValueError(f"schedulers of {owner} needs all schedulers to have one optimizer, got another one at "
                             f"index {i}")
    assert optimizer is not None
    return optimizer


def leaves(schedule: LRScheduler) -> Iterator[LRScheduler]:
    """The schedules that have no parts."""
    parts = getattr(schedule, "_schedulers", None)
    if parts is None:
        yield schedule
    else:
        for part in parts:
            yield from leaves(part)


def begin(schedule: LRScheduler) -> None:
    """Do anew what the constructor does, from the base learning rates: go to epoch 0."""
    first = next(leaves(schedule))
    for group, base_lr in zip(first.optimizer.param_groups, first.base_lrs, strict=True):
        group["lr"] = base_lr
    _enter(schedule)


def _enter(schedule: LRScheduler) -> None:
    """Go to epoch 0 from the learning rates that there are; of a chain all parts, of a sequence its first."""
    if not hasattr(schedule, "_schedulers"):
        schedule.last_epoch = -1
        schedule._initial_step()
    elif hasattr(schedule, "_begin"):
        schedule._begin()
    else:
        for part in schedule._schedulers:
            _enter(part)
        schedule._last_lr = schedule._schedulers[-1].get_last_lr()


def restart(schedule: LRScheduler) -> None:
    """Go to epoch 0 by the closed form, where there is one."""
    if hasattr(schedule, "_schedulers"):
        begin(schedule)
    else:
        schedule._update_lr(0)

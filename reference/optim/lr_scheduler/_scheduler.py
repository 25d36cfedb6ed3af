"""What every schedule shares: the optimizer's groups, the epoch, the two ways to step, and ``state_dict``.

A schedule is a pair of pure functions (the closed form and one step of the recurrence, in the paper's symbols) and a
class that writes their values into the groups of an optimizer.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from .._optimizer import Optimizer, scalar

__all__ = ["ChainableLR", "LRScheduler", "needs_optimizer", "one_a_group", "values_of", "warn_of_epoch"]


def needs_optimizer(optimizer: Any) -> Optimizer:
    """The argument itself, or a ``TypeError``."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer needs to be an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def values_of(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of every group, as numbers: an array of one element is read, not shared."""
    return [scalar(group[key]) for group in optimizer.param_groups]


def one_a_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An argument as a list with a value for every group."""
    n = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [scalar(value)] * n
    if len(value) != n:
        raise ValueError(f"{name} needs one value for each of the {n} groups, got {len(value)}")
    return list(map(scalar, value))


def warn_of_epoch(stacklevel: int) -> None:
    """Say that ``step(epoch)`` is on its way out."""
    warnings.warn("epoch of step() is deprecated, got one: step() counts by itself; the closed form is used where "
                  "there is one, and not the recurrence", UserWarning, stacklevel + 1)


class LRScheduler:
    r"""Base of all schedules, used and subclassed like ``torch.optim.lr_scheduler.LRScheduler``.

    A subclass has ``get_lr``: the learning rates of epoch ``last_epoch``, one a group. The constructor makes the first
    step, to epoch 0, so a subclass sets its attributes before it calls ``super().__init__``.

    Args:
        optimizer: its groups' ``"lr"`` is what changes; ``"initial_lr"``, the base of the schedule, is set where it
            is missing.
        last_epoch: the last epoch that is over; -1 to begin. Otherwise the constructor goes to epoch
            ``last_epoch + 1``, whose learning rates the groups have from the checkpoint: so that is
            ``scheduler.last_epoch - 1`` of the interrupted schedule.

    Raises:
        TypeError: ``optimizer`` is none.
        KeyError: ``last_epoch`` is not -1 and a group has no ``"initial_lr"``.
        ValueError: in a step, ``get_lr`` gives more or fewer learning rates than there are groups.

    >>> from reference.optim import SGD, Parameter
    >>> class Halves(LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> optimizer = SGD([Parameter([1.0])], lr=0.5)
    >>> schedule = Halves(optimizer)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]

    Conventions:

    - ``step()`` after the first one warns where the optimizer has not stepped since the schedule was made. torch counts
      from the first schedule of an optimizer, so it is silent for a second one.
    - An ``"lr"`` that is an array of one element is read as a double, and a float takes its place. torch writes into
      its tensor, in its precision; where groups share one tensor the last group's value is that of all.
    - ``state_dict`` has all attributes, hyperparameters too, but neither the optimizer nor its learning rates.
    """

    _get_lr_called_within_step = False
    _is_initial = False
    #: What of the attributes is no state.
    _UNSAVED = frozenset({"optimizer", "_steps_before"})

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = needs_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", scalar(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"last_epoch needs 'initial_lr' in every group where it is not -1, got {last_epoch} and "
                               f"none in param_groups[{i}]: load the optimizer's state first")
        self.base_lrs: list[Any] = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._steps_before = optimizer._step_count
        self._initial_step()

    def _initial_step(self) -> None:
        """Go to the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The learning rates of epoch ``last_epoch``, one a group; to be called by ``step`` alone."""
        raise NotImplementedError(f"{type(self).__name__} needs a method get_lr")

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the last step set, one a group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch; or to one by its number (deprecated), by the closed form where there is one."""
        self._count_step(stacklevel=3)
        if epoch is not None:
            warn_of_epoch(stacklevel=2)
        self._update_lr(epoch)

    def _count_step(self, stacklevel: int) -> None:
        if self._step_count == 1:
            if not hasattr(self.optimizer.step, "counted"):
                warnings.warn("the optimizer's step was replaced, so it is not known whether it steps before its "
                              "schedule: call optimizer.step() before scheduler.step()", UserWarning, stacklevel)
            elif self.optimizer._step_count == self._steps_before:
                warnings.warn("scheduler.step() needs to be called after optimizer.step(), got none before it: the "
                              "first learning rate of the schedule is never used", UserWarning, stacklevel)
        self._step_count += 1

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form = getattr(self, "_get_closed_form_lr", None)
        self._get_lr_called_within_step = True
        try:
            lrs = self.get_lr() if epoch is None or closed_form is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set_lrs(lrs)

    def _set_lrs(self, lrs: list[Any]) -> None:
        groups = self.optimizer.param_groups
        if len(lrs) != len(groups):
            raise ValueError(f"{type(self).__name__} needs a learning rate for each of the {len(groups)} groups, "
                             f"got {len(lrs)}: was a group added after the scheduler was made?")
        for group, lr in zip(groups, lrs, strict=True):
            group["lr"] = scalar(lr)
        self._last_lr = values_of(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() needs to be called by step(), got a call from outside: get_last_lr() has the "
                          "learning rates", UserWarning, stacklevel=3)

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; its learning rates are in its own state."""
        return {name: value for name, value in vars(self).items() if name not in self._UNSAVED}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state, hyperparameters included."""
        vars(self).update(state_dict)


class ChainableLR(LRScheduler):
    """Base of the schedules that have both a recurrence on the groups' learning rates and a closed form of the base.

    Several of them on one optimizer multiply, and a learning rate that is changed from outside is carried on. A
    schedule that is resumed by ``last_epoch`` keeps what the groups have.
    """

    def _next(self, lr: Any, i: int) -> Any:
        """The learning rate of group ``i`` at epoch ``last_epoch``, from that of the epoch before."""
        raise NotImplementedError

    def _closed(self, base_lr: Any) -> Any:
        """The learning rate at epoch ``last_epoch``."""
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """The groups' learning rates, one epoch on."""
        self._warn_outside_step()
        lrs = values_of(self.optimizer, "lr")
        if self._is_initial and self.last_epoch > 0:  # resumed
            return lrs
        return [self._next(lr, i) for i, lr in enumerate(lrs)]

    def _get_closed_form_lr(self) -> list[Any]:
        return [self._closed(base_lr) for base_lr in self.base_lrs]

    def _base_lr(self, i: int) -> Any:
        if i >= len(self.base_lrs):
            raise ValueError(f"{type(self).__name__} needs a base learning rate for each group, got "
                             f"{len(self.base_lrs)} and none for group {i}: was it added after the scheduler was made?")
        return self.base_lrs[i]

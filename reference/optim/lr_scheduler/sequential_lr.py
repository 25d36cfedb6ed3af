"""One schedule after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from .._optimizer import Optimizer
from ._parts import begin, check_parts, leaves, restart
from ._scheduler import LRScheduler, needs_optimizer

__all__ = ["SequentialLR"]


class SequentialLR(LRScheduler):
    r"""Schedules that follow one another, each from an epoch of its own on.

    With milestones :math:`m_1 \le m_2 \le \dots`, and :math:`m_0 = 0`, schedule :math:`i` has the epochs
    :math:`m_i \le t < m_{i+1}`, and starts from its base, not from the learning rate that was reached:

    .. math:: \eta_t = \eta^{(i)}_{t - m_i}

    Args:
        optimizer: the optimizer of all parts.
        schedulers: schedules, made beforehand, each from its beginning. They may be sequences and chains themselves.
        milestones: the first epochs of all but the first schedule, in increasing order. Where two are the same, a
            schedule has no epoch.
        last_epoch: the last epoch that is over; -1 to begin.

    Raises:
        ValueError: no schedule, one that needs a metric, one of another optimizer, milestones that are not one fewer
            than the schedules or not in order.
        TypeError: ``optimizer`` is none, or a part is no schedule.

    >>> from reference.optim import SGD, Parameter
    >>> from reference.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> parts = [ConstantLR(optimizer, 0.25, total_iters=2), ExponentialLR(optimizer, 0.5)]
    >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
    >>> lrs = []
    >>> for _ in range(4):
    ...     lrs += schedule.get_last_lr()
    ...     optimizer.step()
    ...     schedule.step()
    >>> lrs
    [0.25, 0.25, 1.0, 0.5]

    Source: documentation of torch.

    Conventions:

    - A part starts by its closed form, where it has one; a :class:`MultiplicativeLR` has none, and multiplies the
      learning rate that was reached by its factor of epoch 0.
    - The first part starts from its own base. torch takes ``"initial_lr"`` of the groups, which a :class:`OneCycleLR`
      among the later parts has overwritten: ConstantLR and OneCycleLR(max_lr=0.4) from 0.1 start at 0.0053 there, and
      at 0.0333 here.
    - Sequences and chains may be parts. In torch they raise NotImplementedError as later parts; as the first part a
      sequence runs one epoch ahead, and a chain has its factors of epoch 0 twice.
    - Resumed by ``last_epoch`` the parts run up to where they were. torch goes back to the learning rate of epoch 0,
      while ``last_epoch`` counts on. Parts are made without ``last_epoch``.
    - torch takes milestones in any order, and skips parts where they fall.
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int],
                 last_epoch: int = -1) -> None:
        check_parts("SequentialLR", schedulers, needs_optimizer(optimizer))
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"milestones needs one fewer than the {len(schedulers)} schedulers, got {len(milestones)}")
        if any(a > b for a, b in pairwise(milestones)):
            raise ValueError(f"milestones needs to be in increasing order, got {milestones}")
        self._schedulers = schedulers
        self._milestones = milestones
        self.optimizer = optimizer
        self._begin()
        while self.last_epoch < last_epoch + 1:
            for part in leaves(self):
                part._steps_before = -1  # what is caught up with needs no steps of the optimizer
            self.step()

    def _begin(self) -> None:
        self.recursive_undo()
        self.last_epoch = 0
        part = self._schedulers[bisect_right(self._milestones, 0)]
        begin(part)
        self._last_lr = part.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Put all parts before their first epoch."""
        for part in (self if sched is None else sched)._schedulers:
            if hasattr(part, "_schedulers"):
                self.recursive_undo(part)
            else:
                part.last_epoch = -1

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch: a step of the part that has it, which at a milestone is its first."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            restart(part)
        else:
            part.step()
        self._last_lr = part.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, and the states of the parts."""
        return {**super().state_dict(), "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state, and those of the parts."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for part, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            part.load_state_dict(state)

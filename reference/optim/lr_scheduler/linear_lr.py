"""A factor that changes linearly."""

from __future__ import annotations

from typing import Any

from .._checks import check_numbers
from .._optimizer import Optimizer
from ._numbers import number
from ._scheduler import ChainableLR

__all__ = ["LinearLR", "linear_lr", "linear_lr_next"]


def linear_lr(epoch: int, base_lr: Any, start_factor: Any = 1 / 3, end_factor: Any = 1.0, total_iters: int = 5) -> Any:
    """The learning rate at an epoch: the closed form."""
    if total_iters <= 0:
        return base_lr * end_factor
    t = number(min(epoch, total_iters), base_lr)
    return base_lr * (start_factor + (end_factor - start_factor) * t / total_iters)


def linear_lr_next(epoch: int, lr: Any, start_factor: Any = 1 / 3, end_factor: Any = 1.0, total_iters: int = 5) -> Any:
    """The learning rate at an epoch from that of the epoch before, or from the base at epoch 0: the recurrence."""
    if epoch == 0:
        return lr * (start_factor if total_iters > 0 else end_factor)
    if epoch - 1 >= total_iters:
        return lr
    t = min(epoch, total_iters)
    if t == total_iters and end_factor == 0:
        return lr * 0
    change = number(end_factor, lr) - start_factor
    return lr * (1 + (t - (epoch - 1)) * change / (total_iters * start_factor + (epoch - 1) * change))


class LinearLR(ChainableLR):
    r"""A factor that goes from one number to another in equal steps.

    With factors :math:`a, b` and :math:`T` = ``total_iters``,

    .. math::
        \eta_t = \eta_0 \left(a + (b-a) \frac{\min(t, T)}{T}\right), \qquad
        \eta_t = \eta_{t-1} \left(1 + \frac{b-a}{Ta + (t-1)(b-a)}\right) \quad (1 \le t \le T).

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        start_factor: :math:`a`, in (0, 1].
        end_factor: :math:`b`, in [0, 1].
        total_iters: :math:`T`, the epoch that has the factor :math:`b`.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``start_factor`` is outside (0, 1], or ``end_factor`` outside [0, 1].
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = LinearLR(SGD([Parameter([1.0])], lr=0.5), start_factor=0.25, total_iters=3)
    >>> [linear_lr(t, 0.5, start_factor=0.25, total_iters=3) for t in range(5)]
    [0.125, 0.25, 0.375, 0.5, 0.5]

    Source: documentation of torch; as a warm-up: Goyal et al., Accurate, large minibatch SGD (2017), section 2.2.

    Conventions:

    - The recurrence gathers roundings, some five an epoch, and ends beside the base. With ``end_factor=0`` it ends at 0
      here. torch's last factor is 0 but for a rounding, so its learning rate may stay below 0 for ever: with lr 0.1 and
      the other defaults it is -1.5e-18.
    - With ``total_iters=0`` the end is there at once. torch's recurrence stays at the start for ever, and its closed
      form divides by 0.
    - A ``total_iters`` that is not whole ends at the next epoch, as the closed form has it; torch's recurrence stops
      one epoch before it.
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
                 total_iters: int = 5, last_epoch: int = -1) -> None:
        check_numbers(start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor needs to be in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor needs to be in [0, 1], got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return linear_lr_next(self.last_epoch, lr, self.start_factor, self.end_factor, self.total_iters)

    def _closed(self, base_lr: Any) -> Any:
        return linear_lr(self.last_epoch, base_lr, self.start_factor, self.end_factor, self.total_iters)

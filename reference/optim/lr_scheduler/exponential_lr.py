"""A decay every epoch."""

from __future__ import annotations

from typing import Any

from .._optimizer import Optimizer
from ._scheduler import ChainableLR

__all__ = ["ExponentialLR", "exponential_lr", "exponential_lr_next"]


def exponential_lr(epoch: int, base_lr: Any, gamma: Any) -> Any:
    """The learning rate at an epoch: the closed form."""
    return base_lr * gamma**epoch


def exponential_lr_next(epoch: int, lr: Any, gamma: Any) -> Any:
    """The learning rate at an epoch from that of the epoch before: the recurrence."""
    return lr * gamma if epoch > 0 else lr


class ExponentialLR(ChainableLR):
    r"""Decay by a factor every epoch.

    .. math:: \eta_t = \eta_0 \gamma^t, \qquad \eta_t = \gamma \eta_{t-1}

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        gamma: the factor :math:`\gamma`.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = ExponentialLR(SGD([Parameter([1.0])], lr=0.5), gamma=0.5)
    >>> [exponential_lr(t, 0.5, gamma=0.5) for t in range(4)]
    [0.5, 0.25, 0.125, 0.0625]

    Source: documentation of torch.

    Conventions:

    - The recurrence gathers one rounding an epoch.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return exponential_lr_next(self.last_epoch, lr, self.gamma)

    def _closed(self, base_lr: Any) -> Any:
        return exponential_lr(self.last_epoch, base_lr, self.gamma)

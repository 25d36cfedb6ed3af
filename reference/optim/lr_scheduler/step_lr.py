"""A decay every so many epochs."""

from __future__ import annotations

from typing import Any

from .._checks import check_numbers
from .._optimizer import Optimizer
from ._scheduler import ChainableLR

__all__ = ["StepLR", "step_lr", "step_lr_next"]


def step_lr(epoch: int, base_lr: Any, step_size: int, gamma: Any = 0.1) -> Any:
    """The learning rate at an epoch: the closed form."""
    return base_lr * gamma ** (epoch // step_size)


def step_lr_next(epoch: int, lr: Any, step_size: int, gamma: Any = 0.1) -> Any:
    """The learning rate at an epoch from that of the epoch before: the recurrence."""
    decays = epoch // step_size - (epoch - 1) // step_size if epoch > 0 else 0
    return lr * gamma**decays if decays else lr


class StepLR(ChainableLR):
    r"""Decay by a factor every so many epochs.

    With :math:`s` = ``step_size``,

    .. math::
        \eta_t = \eta_0 \gamma^{\lfloor t / s \rfloor}, \qquad
        \eta_t = \eta_{t-1} \cdot \begin{cases} \gamma & s \mid t \\ 1 & \text{otherwise.} \end{cases}

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        step_size: epochs from one decay to the next, above 0.
        gamma: the factor :math:`\gamma`.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``step_size`` is 0 or below.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = StepLR(SGD([Parameter([1.0])], lr=0.5), step_size=2, gamma=0.5)
    >>> [step_lr(t, 0.5, step_size=2, gamma=0.5) for t in range(5)]
    [0.5, 0.5, 0.25, 0.25, 0.125]

    Source: documentation of torch.

    Conventions:

    - A ``step_size`` that is not whole decays at the first epoch behind each multiple, as the closed form has it. torch
      decays where a multiple is an epoch: 2.5 at 5, 10, …
    - torch divides by a ``step_size`` of 0 in the first step.
    - Resumed by ``last_epoch``, torch decays a second time where a multiple is the next epoch: from a checkpoint of
      epoch 3 of ``StepLR(3)``, with lr 0.1 at first, ``last_epoch=2`` gives 0.001 there and 0.01 here.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        check_numbers(step_size=step_size)
        if not step_size > 0:
            raise ValueError(f"step_size needs to be above 0, got {step_size}")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return step_lr_next(self.last_epoch, lr, self.step_size, self.gamma)

    def _closed(self, base_lr: Any) -> Any:
        return step_lr(self.last_epoch, base_lr, self.step_size, self.gamma)

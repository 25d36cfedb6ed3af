"""A decay at each of some epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .._optimizer import Optimizer
from ._scheduler import ChainableLR

__all__ = ["MultiStepLR", "multi_step_lr", "multi_step_lr_next"]


def multi_step_lr(epoch: int, base_lr: Any, milestones: Iterable[int], gamma: Any = 0.1) -> Any:
    """The learning rate at an epoch: the closed form."""
    return base_lr * gamma ** sum(milestone <= epoch for milestone in milestones)


def multi_step_lr_next(epoch: int, lr: Any, milestones: Iterable[int], gamma: Any = 0.1) -> Any:
    """The learning rate at an epoch from that of the epoch before, or from the base at epoch 0: the recurrence."""
    decays = sum(milestone <= epoch and (epoch == 0 or milestone > epoch - 1) for milestone in milestones)
    return lr * gamma**decays if decays else lr


class MultiStepLR(ChainableLR):
    r"""Decay by a factor at each milestone.

    With milestones :math:`m_1, m_2, \dots`,

    .. math::
        \eta_t = \eta_0 \gamma^{\#\{i : m_i \le t\}}, \qquad
        \eta_t = \eta_{t-1} \gamma^{\#\{i : t-1 < m_i \le t\}}.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        milestones: epochs, in any order; one that is there twice decays twice.
        gamma: the factor :math:`\gamma`.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        TypeError: ``milestones`` is no iterable; and as :class:`LRScheduler`.
        KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = MultiStepLR(SGD([Parameter([1.0])], lr=0.5), [3, 1, 3], gamma=0.5)
    >>> [multi_step_lr(t, 0.5, [3, 1, 3], gamma=0.5) for t in range(4)]
    [0.5, 0.25, 0.25, 0.0625]

    Source: documentation of torch (which asks for increasing milestones, and takes all).

    Conventions:

    - A milestone of 0, or below, decays in the constructor. torch's recurrence knows 0 alone, its closed form both.
    - A milestone that is no whole number decays at the next epoch, as the closed form has it; torch's recurrence never
      meets it.
    - Resumed by ``last_epoch``, torch decays a second time where a milestone is the next epoch.
    - The attribute ``milestones`` is a Counter, as in torch.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"milestones needs to be an iterable of epochs, got {type(milestones).__name__}")
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return multi_step_lr_next(self.last_epoch, lr, self.milestones.elements(), self.gamma)

    def _closed(self, base_lr: Any) -> Any:
        return multi_step_lr(self.last_epoch, base_lr, self.milestones.elements(), self.gamma)

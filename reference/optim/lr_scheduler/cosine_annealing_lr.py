"""Half a cosine, down and up again."""

from __future__ import annotations

from typing import Any

from .._checks import check_numbers
from .._optimizer import Optimizer
from ._numbers import cos_pi
from ._scheduler import ChainableLR

__all__ = ["CosineAnnealingLR", "cosine_annealing_lr", "cosine_annealing_lr_next"]


def cosine_annealing_lr(epoch: float, base_lr: Any, T_max: float, eta_min: Any = 0.0) -> Any:
    """The learning rate at an epoch: the closed form."""
    return eta_min + (base_lr - eta_min) * (1 + cos_pi(epoch, T_max, base_lr)) / 2


def cosine_annealing_lr_next(epoch: int, lr: Any, base_lr: Any, T_max: float, eta_min: Any = 0.0) -> Any:
    """The learning rate at an epoch from that of the epoch before: the recurrence."""
    if epoch == 0:
        return lr
    if (epoch - 1 - T_max) % (2 * T_max) == 0:  # the epoch before had eta_min, and 1 + cos = 0
        return lr + (base_lr - eta_min) * (1 - cos_pi(1, T_max, base_lr)) / 2
    here, before = (1 + cos_pi(t, T_max, lr) for t in (epoch, epoch - 1))
    return here / before * (lr - eta_min) + eta_min


class CosineAnnealingLR(ChainableLR):
    r"""Half a cosine from the base to a minimum, and back.

    With :math:`T` = ``T_max``,

    .. math::
        \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \frac{1 + \cos(\pi t / T)}{2}, \qquad
        \eta_t = \eta_{\min} + (\eta_{t-1} - \eta_{\min}) \frac{1 + \cos(\pi t / T)}{1 + \cos(\pi (t-1) / T)},

    and where the denominator is 0, at :math:`t = T+1, 3T+1, \dots`,
    :math:`\eta_t = \eta_{t-1} + (\eta_0 - \eta_{\min}) (1 - \cos(\pi / T)) / 2`.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        T_max: :math:`T`, epochs from the base to the minimum; not 0.
        eta_min: the minimum :math:`\eta_{\min}`; it may be above the base.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``T_max`` is 0.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = CosineAnnealingLR(SGD([Parameter([1.0])], lr=0.5), T_max=2)
    >>> [round(cosine_annealing_lr(t, 0.5, T_max=2), 12) for t in range(5)]
    [0.5, 0.25, 0.0, 0.25, 0.5]

    Source: Loshchilov & Hutter, SGDR: Stochastic gradient descent with warm restarts (ICLR 2017), equation 5, without
    the restarts.

    Conventions:

    - There is no restart: behind ``T_max`` the learning rate rises as it fell, with period ``2 * T_max``.
    - Where the recurrence starts to rise it goes by the base: a change from outside before is lost there.
    - The recurrence gathers roundings, which the denominators near ``T_max`` enlarge.
    - torch divides by a ``T_max`` of 0 in the first step.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_numbers(T_max=T_max, eta_min=eta_min)
        if T_max == 0:
            raise ValueError(f"T_max needs to be above 0, got {T_max}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return cosine_annealing_lr_next(self.last_epoch, lr, self._base_lr(i), self.T_max, self.eta_min)

    def _closed(self, base_lr: Any) -> Any:
        return cosine_annealing_lr(self.last_epoch, base_lr, self.T_max, self.eta_min)

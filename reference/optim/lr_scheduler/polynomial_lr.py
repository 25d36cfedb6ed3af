"""A power of what is left of the training."""

from __future__ import annotations

from typing import Any

from .._checks import check_nonnegative, check_numbers
from .._optimizer import Optimizer
from ._numbers import number
from ._scheduler import ChainableLR

__all__ = ["PolynomialLR", "polynomial_lr", "polynomial_lr_next"]


def polynomial_lr(epoch: int, base_lr: Any, total_iters: int = 5, power: Any = 1.0) -> Any:
    """The learning rate at an epoch: the closed form."""
    if epoch >= total_iters:
        return base_lr * 0**power
    return base_lr * (1 - number(epoch, base_lr) / total_iters) ** power


def polynomial_lr_next(epoch: int, lr: Any, total_iters: int = 5, power: Any = 1.0) -> Any:
    """The learning rate at an epoch from that of the epoch before, or from the base at epoch 0: the recurrence."""
    if epoch >= total_iters:
        return lr * 0**power if epoch == 0 or epoch - 1 < total_iters else lr
    if epoch == 0:
        return lr
    left, before = (1 - number(t, lr) / total_iters for t in (epoch, epoch - 1))
    return lr * (left / before) ** power


class PolynomialLR(ChainableLR):
    r"""A power of the part of the training that is left.

    With :math:`T` = ``total_iters`` and :math:`p` = ``power``,

    .. math::
        \eta_t = \eta_0 \left(1 - \frac{\min(t, T)}{T}\right)^p, \qquad
        \eta_t = \eta_{t-1} \left(\frac{1 - t/T}{1 - (t-1)/T}\right)^p \quad (1 \le t \le T).

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        total_iters: :math:`T`; from this epoch on the learning rate is 0 (with a power of 0 it is constant).
        power: :math:`p`, at least 0.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``power`` is below 0.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = PolynomialLR(SGD([Parameter([1.0])], lr=0.5), total_iters=4, power=2)
    >>> [polynomial_lr(t, 0.5, total_iters=4, power=2) for t in range(5)]
    [0.5, 0.28125, 0.125, 0.03125, 0.0]

    Source: Chen et al., DeepLab (IEEE TPAMI 40, 2018), section 4.1, where it is called poly.

    Conventions:

    - torch takes a power below 0, and raises a ZeroDivisionError at epoch T.
    - With ``total_iters=0`` the end is there at once; torch's recurrence leaves the base, its closed form divides by 0.
    - A ``total_iters`` that is not whole ends at the next epoch, as the closed form has it; torch's recurrence stops
      one epoch before it.
    - The example in torch's documentation begins with the value of epoch 1.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        check_numbers(total_iters=total_iters)
        check_nonnegative(power=power)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        return polynomial_lr_next(self.last_epoch, lr, self.total_iters, self.power)

    def _closed(self, base_lr: Any) -> Any:
        return polynomial_lr(self.last_epoch, base_lr, self.total_iters, self.power)

"""A constant factor for some epochs."""

from __future__ import annotations

from typing import Any

from .._checks import check_numbers
from .._optimizer import Optimizer
from ._scheduler import ChainableLR

__all__ = ["ConstantLR", "constant_lr", "constant_lr_next"]


def constant_lr(epoch: int, base_lr: Any, factor: Any = 1 / 3, total_iters: int = 5) -> Any:
    """The learning rate at an epoch: the closed form."""
    return base_lr * factor if epoch < total_iters else base_lr


def constant_lr_next(epoch: int, lr: Any, base_lr: Any, factor: Any = 1 / 3, total_iters: int = 5) -> Any:
    """The learning rate at an epoch from that of the epoch before, or from the base at epoch 0: the recurrence."""
    if epoch == 0:
        return constant_lr(0, lr, factor, total_iters)
    if epoch - 1 < total_iters <= epoch:
        return lr * (1 / factor) if factor != 0 else base_lr
    return lr


class ConstantLR(ChainableLR):
    r"""A factor until an epoch, and none from there on.

    With :math:`f` = ``factor`` and :math:`T` = ``total_iters``,

    .. math::
        \eta_t = \eta_0 \cdot \begin{cases} f & t < T \\ 1 & t \ge T, \end{cases} \qquad
        \eta_t = \eta_{t-1} \cdot \begin{cases} 1/f & t = T \\ 1 & \text{otherwise.} \end{cases}

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        factor: :math:`f`, in [0, 1].
        total_iters: :math:`T`, the number of epochs with the factor.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``factor`` is outside [0, 1].
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = ConstantLR(SGD([Parameter([1.0])], lr=0.5), factor=0.5, total_iters=2)
    >>> [constant_lr(t, 0.5, factor=0.5, total_iters=2) for t in range(4)]
    [0.25, 0.25, 0.5, 0.5]

    Source: documentation of torch.

    Conventions:

    - With ``total_iters=0`` there is no epoch with the factor. torch applies it, and never takes it back.
    - From a ``factor`` of 0 the way back is the base, whatever was changed from outside. torch divides by it.
    - The way back rounds twice, f and 1/f times the learning rate, so it may end one unit beside the base.
    - Resumed by ``last_epoch`` right before ``total_iters``, torch multiplies by 1/f a second time.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        check_numbers(factor=factor, total_iters=total_iters)
        if not 0 <= factor <= 1:
            raise ValueError(f"factor needs to be in [0, 1], got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: Any, i: int) -> Any:
        base_lr = self._base_lr(i) if self.factor == 0 else lr
        return constant_lr_next(self.last_epoch, lr, base_lr, self.factor, self.total_iters)

    def _closed(self, base_lr: Any) -> Any:
        return constant_lr(self.last_epoch, base_lr, self.factor, self.total_iters)

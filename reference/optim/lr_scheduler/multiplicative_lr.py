"""A factor for each epoch, that multiplies what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._optimizer import Optimizer
from ._lambdas import one_function_a_group, restored, saved
from ._scheduler import LRScheduler, needs_optimizer, values_of

__all__ = ["MultiplicativeLR", "multiplicative_lr", "multiplicative_lr_next"]

Factor = Callable[[int], float]


def multiplicative_lr(epoch: int, base_lr: Any, lr_lambda: Factor) -> Any:
    """The learning rate at an epoch."""
    for t in range(1, epoch + 1):
        base_lr = multiplicative_lr_next(t, base_lr, lr_lambda)
    return base_lr


def multiplicative_lr_next(epoch: int, lr: Any, lr_lambda: Factor) -> Any:
    """The learning rate at an epoch from that of the epoch before."""
    return lr * lr_lambda(epoch)


class MultiplicativeLR(LRScheduler):
    r"""The product of a function's values over the epochs so far.

    .. math:: \eta_t = \eta_{t-1} \lambda(t) = \eta_0 \prod_{s=1}^t \lambda(s)

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        lr_lambda: the factor at an epoch, asked for from epoch 1 on; or a list of such functions, one for each group.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: the list has another length than there are groups.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=0.5)
    >>> schedule = MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr(), multiplicative_lr(3, 0.5, lambda epoch: 0.5)
    ([0.25], 0.0625)

    Source: documentation of torch.

    Conventions:

    - ``step(epoch)`` has no closed form to go by: it multiplies once, by the factor of that epoch. So does the start as
      a later part of a :class:`SequentialLR`, by the factor of epoch 0 and from the learning rate reached.
    - ``state_dict`` is that of :class:`LambdaLR`.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = one_function_a_group(needs_optimizer(optimizer), lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The groups' learning rates times the factors of this epoch."""
        self._warn_outside_step()
        lrs = values_of(self.optimizer, "lr")
        if self._is_initial:
            return lrs
        if len(lrs) != len(self.lr_lambdas):
            raise ValueError(f"lr_lambda needs a function for each of the {len(lrs)} groups, "
                             f"got {len(self.lr_lambdas)}")
        return [multiplicative_lr_next(self.last_epoch, lr, f) for lr, f in zip(lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; of functions nothing, of callable objects theirs."""
        return {**super().state_dict(), "lr_lambdas": list(map(saved, self.lr_lambdas))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state; functions stay, callable objects get their attributes."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        restored(self.lr_lambdas, state_dict["lr_lambdas"])

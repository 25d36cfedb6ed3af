"""Any function of the epoch, times the base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._optimizer import Optimizer
from ._lambdas import one_function_a_group, restored, saved
from ._scheduler import LRScheduler, needs_optimizer

__all__ = ["LambdaLR", "lambda_lr"]

Factor = Callable[[int], float]


def lambda_lr(epoch: int, base_lr: Any, lr_lambda: Factor) -> Any:
    """The learning rate at an epoch."""
    return base_lr * lr_lambda(epoch)


class LambdaLR(LRScheduler):
    r"""The base times a function of the epoch.

    .. math:: \eta_t = \eta_0 \lambda(t)

    There is no recurrence: what else has changed the learning rate is overwritten.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        lr_lambda: the factor at an epoch, counted from 0; or a list of such functions, one for each group.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: the list has another length than there are groups.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=0.5)
    >>> schedule = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr(), lambda_lr(3, 0.5, lambda epoch: 1 / (1 + epoch))
    ([0.25], 0.125)

    Source: documentation of torch.

    Conventions:

    - ``state_dict`` has ``None`` for a function, and the attributes of a callable object, which are put into the object
      of the scheduler that loads them.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = one_function_a_group(needs_optimizer(optimizer), lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The base learning rates times the factors of this epoch."""
        self._warn_outside_step()
        if len(self.base_lrs) != len(self.lr_lambdas):
            raise ValueError(f"lr_lambda needs a function for each of the {len(self.base_lrs)} groups, "
                             f"got {len(self.lr_lambdas)}")
        return [lambda_lr(self.last_epoch, base_lr, f)
                for base_lr, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; of functions nothing, of callable objects theirs."""
        return {**super().state_dict(), "lr_lambdas": list(map(saved, self.lr_lambdas))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state; functions stay, callable objects get their attributes."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        restored(self.lr_lambdas, state_dict["lr_lambdas"])

"""From a learning rate to a constant one, within some epochs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import check_numbers
from .._optimizer import Optimizer
from ..lr_scheduler._numbers import cos_pi, number
from ..lr_scheduler._scheduler import LRScheduler, needs_optimizer, one_a_group, values_of

__all__ = ["SWALR", "swalr", "swalr_next"]


def _share(epoch: Any, anneal_epochs: int, anneal_strategy: str, like: Any) -> Any:
    """The weight of the constant learning rate at an epoch, from 0 to 1."""
    if epoch >= anneal_epochs:
        return 1
    t = number(epoch, like) / anneal_epochs
    return t if anneal_strategy == "linear" else (1 - cos_pi(t, 1, like)) / 2


def swalr(epoch: Any, base_lr: Any, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos") -> Any:
    """The learning rate at an epoch: the closed form, if none but this schedule changes it."""
    share = _share(epoch, anneal_epochs, anneal_strategy, base_lr)
    return share * swa_lr + (1 - share) * base_lr


def swalr_next(epoch: int, lr: Any, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos") -> Any:
    """The learning rate at an epoch from that of the epoch before: the recurrence."""
    if epoch > anneal_epochs:
        return swa_lr
    here = _share(epoch, anneal_epochs, anneal_strategy, lr)
    before = _share(epoch - 1, anneal_epochs, anneal_strategy, lr) if epoch else 0
    start = (lr - before * swa_lr) / (1 - before)
    return here * swa_lr + (1 - here) * start


class SWALR(LRScheduler):
    r"""From the learning rate that there is to a constant one, for stochastic weight averaging.

    With :math:`T` = ``anneal_epochs`` and :math:`s` = ``swa_lr``,

    .. math::
        \alpha_t = \begin{cases} (1 - \cos(\pi t / T)) / 2 & \text{"cos"} \\ t / T & \text{"linear"} \end{cases}
        \quad (t < T), \qquad \alpha_t = 1 \quad (t \ge T), \\
        \eta_t = \alpha_t s + (1 - \alpha_t) \eta_0, \qquad
        \eta_t = \alpha_t s + (1 - \alpha_t) \frac{\eta_{t-1} - \alpha_{t-1} s}{1 - \alpha_{t-1}}.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        swa_lr: the constant learning rate :math:`s`, a number or one for each group; each group keeps its own as
            ``"swa_lr"``.
        anneal_epochs: :math:`T`, at least 0.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: the last epoch that is over (see ``LRScheduler``).

    Raises:
        ValueError: ``anneal_epochs`` is no whole number or below 0, ``anneal_strategy`` is another, or ``swa_lr`` has
            more or fewer numbers than there are groups.
        TypeError: ``swa_lr`` is no number.
        TypeError, KeyError: as ``LRScheduler``; a group that came later has no ``"swa_lr"``.

    >>> from reference.optim import SGD, Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=0.5)
    >>> schedule = SWALR(optimizer, swa_lr=0.25, anneal_epochs=2, anneal_strategy="linear")
    >>> [swalr(t, 0.5, 0.25, 2, "linear") for t in range(4)]
    [0.5, 0.375, 0.25, 0.25]

    Source: Izmailov, Podoprikhin, Garipov, Vetrov & Wilson, Averaging weights leads to wider optima and better
    generalization (UAI 2018), section 3.2, for the constant learning rate; torch's documentation for the way there.

    Conventions:

    - The recurrence starts from the learning rate that it finds, so another schedule may be used before. It counts its
      own steps: ``step(epoch)`` sets ``last_epoch``, and goes one step on all the same.
    - With ``anneal_epochs`` 0 the learning rate is ``swa_lr`` from the constructor on.
    - Behind ``anneal_epochs`` every step sets ``swa_lr``; a change from outside is lost.
    - Resumed by ``last_epoch`` it goes on. torch counts from 0 again: stopped in the middle, it anneals over all of
      ``anneal_epochs`` once more.
    - The text of torch's page calls the arguments swa_lrs, annealing_epochs and annealing_strategy.
    """

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float] | tuple[float, ...], anneal_epochs: int = 10,
                 anneal_strategy: str = "cos", last_epoch: int = -1) -> None:
        lrs = one_a_group("swa_lr", needs_optimizer(optimizer), swa_lr)
        for lr in lrs:
            check_numbers(swa_lr=lr)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy needs to be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int | np.integer) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs needs to be a whole number, at least 0, got {anneal_epochs!r}")
        for group, lr in zip(optimizer.param_groups, lrs, strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _initial_step(self) -> None:
        super()._initial_step()
        self._step_count = self.last_epoch + 1  # that of the interrupted schedule

    def get_lr(self) -> list[Any]:
        """The groups' learning rates, one step on."""
        self._warn_outside_step()
        for i, group in enumerate(self.optimizer.param_groups):
            if "swa_lr" not in group:
                raise KeyError(f"swa_lr is needed in every group, got none in param_groups[{i}]")
        lrs = values_of(self.optimizer, "lr")
        if self._is_initial and self.last_epoch > 0:  # resumed
            return lrs
        return [swalr_next(self._step_count - 1, lr, swa_lr, self.anneal_epochs, self._anneal_strategy)
                for lr, swa_lr in zip(lrs, values_of(self.optimizer, "swa_lr"), strict=True)]

"""Several schedules at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._optimizer import Optimizer
from ._parts import check_parts
from ._scheduler import LRScheduler, values_of

__all__ = ["ChainedScheduler"]


class ChainedScheduler(LRScheduler):
    r"""Schedules that step one after another at every epoch, each from what the others have made of the learning rate.

    Of schedules that are factors, :math:`\eta^{(i)}_t = \eta_0 f_i(t)`, it is the product:

    .. math:: \eta_t = \eta_0 \prod_i f_i(t)

    Args:
        schedulers: schedules, made beforehand: they have gone to epoch 0 already.
        optimizer: their optimizer; that of the first by default.

    Raises:
        ValueError: no schedule, one that needs a metric, or one of another optimizer.
        TypeError: a part is no schedule, or ``schedulers`` no sequence.

    >>> from reference.optim import SGD, Parameter
    >>> from reference.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> schedule = ChainedScheduler([ConstantLR(optimizer, 0.25, total_iters=2), ExponentialLR(optimizer, 0.5)])
    >>> lrs = []
    >>> for _ in range(4):
    ...     lrs += schedule.get_last_lr()
    ...     optimizer.step()
    ...     schedule.step()
    >>> lrs
    [0.25, 0.125, 0.25, 0.125]

    Source: documentation of torch.

    Conventions:

    - A part that overwrites the learning rate (:class:`LambdaLR`, :class:`CosineAnnealingWarmRestarts`,
      :class:`CyclicLR`, :class:`OneCycleLR`) undoes those before it; :class:`CosineAnnealingLR` does so in part.
    - There is no ``last_epoch`` but those of the parts, and no first step but theirs.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not isinstance(schedulers, Sequence):
            raise TypeError(f"schedulers needs to be a sequence of schedulers, got {type(schedulers).__name__}")
        self.optimizer = check_parts("ChainedScheduler", schedulers, optimizer)
        self._schedulers = schedulers
        self._last_lr = values_of(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """A step of every part, in order."""
        for part in self._schedulers:
            part.step()
        self._last_lr = values_of(self.optimizer, "lr")

    def state_dict(self) -> dict[str, Any]:
        """The last learning rates, and the states of the parts."""
        return {**super().state_dict(), "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state, and those of the parts."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for part, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            part.load_state_dict(state)

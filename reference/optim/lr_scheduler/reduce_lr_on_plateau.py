"""A decay where a metric no longer improves."""

from __future__ import annotations

import math
from typing import Any, SupportsFloat

from .._checks import check_numbers
from .._optimizer import Optimizer, scalar
from ._scheduler import LRScheduler, needs_optimizer, values_of, warn_of_epoch

__all__ = ["ReduceLROnPlateau", "is_better", "reduced_lr"]


def is_better(metric: float, best: float, mode: str = "min", threshold: float = 1e-4,
              threshold_mode: str = "rel") -> bool:
    """Is a metric better than the best so far, by more than the threshold?"""
    if math.isinf(best) and (best > 0) == (mode == "min"):  # there is none so far
        return metric < best if mode == "min" else metric > best
    if mode == "min":
        return metric < (best * (1 - threshold) if threshold_mode == "rel" else best - threshold)
    return metric > (best * (threshold + 1) if threshold_mode == "rel" else best + threshold)


def reduced_lr(lr: Any, factor: Any = 0.1, min_lr: Any = 0, eps: Any = 1e-8) -> Any:
    """The learning rate after a reduction."""
    reduced = max(lr * factor, min_lr)
    return reduced if lr - reduced > eps else lr


class ReduceLROnPlateau(LRScheduler):
    r"""Decay by a factor where a metric has not improved for more than some epochs.

    After each epoch with metric :math:`a` and the best so far :math:`a^*`, it is better if

    .. math::
        a < a^* (1 - \tau), \quad a < a^* - \tau, \quad a > a^* (1 + \tau), \quad a > a^* + \tau

    ("min" with "rel" and "abs", "max" with "rel" and "abs"). Epochs in a row that are not are bad; when there are more
    than ``patience`` of them,

    .. math:: \eta \leftarrow \max(\eta f, \eta_{\min}), \quad \text{if that is lower by more than } \varepsilon,

    and for the next ``cooldown`` epochs none is bad.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        mode: is a "min" or a "max" the better metric?
        factor: :math:`f`, below 1.
        patience: bad epochs in a row that are borne.
        threshold: :math:`\tau`.
        threshold_mode: "rel" or "abs".
        cooldown: epochs after a reduction in which none is bad.
        min_lr: :math:`\eta_{\min}`, or a list with one for each group.
        eps: :math:`\varepsilon`.

    Raises:
        ValueError: ``factor`` is 1 or above; an unknown ``mode`` or ``threshold_mode``; a list ``min_lr`` of another
            length than there are groups.
        TypeError: ``optimizer`` is none, or in a step ``metrics`` no number.
        RuntimeError: in a reduction, where a group came later and ``min_lr`` is a list.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = ReduceLROnPlateau(SGD([Parameter([1.0])], lr=1.0), factor=0.5, patience=1)
    >>> lrs = []
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
    ...     schedule.step(loss)
    ...     lrs += schedule.get_last_lr()
    >>> lrs
    [1.0, 1.0, 1.0, 0.5, 0.5]

    Source: documentation of torch.

    Conventions:

    - The constructor leaves the learning rate alone, and ``last_epoch`` starts at 0.
    - An epoch that equals the best one is bad (the formulas; a sentence of torch's page has it otherwise), and so is a
      NaN. With a negative metric and "rel" a worse one may count as better (the formulas).
    - The first metric is the best one so far, as torch's page has it, whatever the threshold. torch with "rel" and a
      threshold of 1 or more takes it for bad, as it multiplies its infinite start by 1 - threshold.
    - In the last epoch of the cooldown none is bad either.
    - A group that came later has ``min_lr`` if that is one number.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
                 threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
                 min_lr: float | list[float] = 0, eps: float = 1e-8) -> None:
        check_numbers(factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, eps=eps)
        if not factor < 1:
            raise ValueError(f"factor needs to be below 1, got {factor}")
        self.factor = factor
        self.optimizer = needs_optimizer(optimizer)
        n, several = len(optimizer.param_groups), isinstance(min_lr, list | tuple)
        if isinstance(min_lr, list | tuple) and len(min_lr) != n:
            raise ValueError(f"min_lr needs one value for each of the {n} groups, got {len(min_lr)}")
        for name, value, known in (("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))):
            if value not in known:
                raise ValueError(f"{name} needs to be {known[0]!r} or {known[1]!r}, got {value!r}")
        self.default_min_lr: Any = None if several else min_lr
        self.min_lrs: list[Any] = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * n
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = values_of(optimizer, "lr")
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the metric of an epoch, and reduce the learning rate if that is due."""
        metric = float(metrics)
        if epoch is not None:
            warn_of_epoch(stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(metric, self.best):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = values_of(self.optimizer, "lr")

    @property
    def in_cooldown(self) -> bool:
        """Is a reduction so recent that no epoch is bad?"""
        return self.cooldown_counter > 0

    def _is_better(self, metric: float, best: float) -> bool:
        return is_better(metric, best, self.mode, self.threshold, self.threshold_mode)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(f"min_lrs needs one value for each of the {len(groups)} groups, got "
                                   f"{len(self.min_lrs)}: a group was added after the scheduler was made")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, min_lr in zip(groups, self.min_lrs, strict=True):
            group["lr"] = reduced_lr(float(scalar(group["lr"])), self.factor, min_lr, self.eps)

"""Half a cosine, again and again from the top."""

from __future__ import annotations

import math
from typing import Any

from .._optimizer import Optimizer
from ._numbers import cos_pi
from ._scheduler import LRScheduler

__all__ = ["CosineAnnealingWarmRestarts", "cosine_annealing_warm_restarts", "warm_restart"]


def cosine_annealing_warm_restarts(epoch: float, base_lr: Any, T_0: int, T_mult: int = 1, eta_min: Any = 0.0) -> Any:
    """The learning rate at an epoch, which may be a fraction."""
    T_cur, T_i = warm_restart(epoch, T_0, T_mult)
    return _cosine(T_cur, T_i, base_lr, eta_min)


def _cosine(T_cur: float, T_i: int, base_lr: Any, eta_min: Any) -> Any:
    return eta_min + (base_lr - eta_min) * (1 + cos_pi(T_cur, T_i, base_lr)) / 2


def warm_restart(epoch: float, T_0: int, T_mult: int = 1) -> tuple[float, int]:
    """Epochs since the last restart, and from it to the next.

    >>> warm_restart(3, T_0=1, T_mult=2), warm_restart(6.5, T_0=1, T_mult=2)
    ((0, 4), (3.5, 4))
    """
    if T_mult == 1:
        return epoch % T_0, T_0
    start, T_i = 0, T_0
    while epoch >= start + T_i:
        start, T_i = start + T_i, T_i * T_mult
    return epoch - start, T_i


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""Half a cosine from the base to a minimum, and a restart at the base, each cycle longer by a factor.

    Cycle :math:`i` is of length :math:`T_i = T_0 m^i`, with m = ``T_mult``. At an epoch of which :math:`T_{cur}` are in
    cycle :math:`i`,

    .. math::
        \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \frac{1 + \cos(\pi T_{cur} / T_i)}{2}, \qquad
        T_{cur} = t - T_0 \frac{m^i - 1}{m - 1}.

    Args:
        optimizer: an optimizer, whose ``"lr"`` changes.
        T_0: length of the first cycle in epochs, a whole number above 0.
        T_mult: the factor from one length to the next, a whole number above 0.
        eta_min: the minimum :math:`\eta_{\min}`, a float or an int.
        last_epoch: the last epoch that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: ``T_0`` or ``T_mult`` is no whole number above 0, or ``eta_min`` no float or int; ``step`` has an
            epoch below 0, or none that is finite.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = CosineAnnealingWarmRestarts(SGD([Parameter([1.0])], lr=0.5), T_0=2, T_mult=2)
    >>> [round(cosine_annealing_warm_restarts(t, 0.5, T_0=2, T_mult=2), 12) for t in range(7)]
    [0.5, 0.25, 0.5, 0.426776695297, 0.25, 0.073223304703, 0.5]

    Source: Loshchilov & Hutter, SGDR: Stochastic gradient descent with warm restarts (ICLR 2017), equation 5.

    Conventions:

    - The minimum itself is never there: the epoch that would have it is the restart.
    - ``step(epoch)`` takes fractions, as a batch's share of an epoch, and is not deprecated. ``last_epoch`` is rounded
      down, but a ``step()`` after it goes on from the fraction.
    - Cycles are counted in whole numbers. torch's ``step(epoch)`` takes a logarithm, whose rounding misses restarts: of
      T_0=1, T_mult=3 those at 121 and 29,524, where the learning rate is then the minimum. Resumed by
      ``last_epoch`` its later cycles are misplaced: T_0=5, T_mult=2 with ``last_epoch=9`` gives the base, in the middle
      of a cycle.
    - A step before the optimizer's is warned of, as for any schedule; torch does not count the steps of this one, and
      is silent. Its ``_step_count`` stays 0.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} needs to be a whole number above 0, got {value!r}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"eta_min needs to be a float or an int, got {eta_min!r} of type {type(eta_min).__name__}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates so far into the cycle."""
        self._warn_outside_step()
        return [_cosine(self.T_cur, self.T_i, base_lr, self.eta_min) for base_lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go one epoch on, or to an epoch by its number, which may be a fraction."""
        self._count_step(stacklevel=3)
        self._update_lr(epoch)

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None and not self._is_initial:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        else:
            epoch = self.last_epoch + 1 if epoch is None else epoch
            if not 0 <= epoch < math.inf:
                raise ValueError(f"epoch needs to be finite and at least 0, got {epoch}")
            self.last_epoch = math.floor(epoch)
            self.T_cur, self.T_i = warm_restart(epoch, self.T_0, self.T_mult)
        self._get_lr_called_within_step = True
        try:
            self._set_lrs(self.get_lr())
        finally:
            self._get_lr_called_within_step = False

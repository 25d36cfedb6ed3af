"""A triangle wave between two learning rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._optimizer import Optimizer
from ._lambdas import restored, saved
from ._momentum import give_momentum, uses_beta1
from ._scheduler import LRScheduler, needs_optimizer, one_a_group
from ._triangle import SCALES, check_shape, cycle_at, height_at, rises_at, shape, wave

__all__ = ["CyclicLR", "cyclic_lr", "cyclic_momentum"]


def cyclic_lr(epoch: int, base_lr: Any, max_lr: Any, step_size_up: float = 2000, step_size_down: float | None = None,
              mode: str = "triangular", gamma: Any = 1.0) -> Any:
    """The learning rate at an iteration."""
    height, scale = wave(epoch, step_size_up, step_size_down, mode, gamma, like=base_lr)
    return base_lr + (max_lr - base_lr) * height * scale


def cyclic_momentum(epoch: int, base_momentum: Any, max_momentum: Any, step_size_up: float = 2000,
                    step_size_down: float | None = None, mode: str = "triangular", gamma: Any = 1.0) -> Any:
    """The momentum at an iteration: it falls where the learning rate rises."""
    height, scale = wave(epoch, step_size_up, step_size_down, mode, gamma, like=base_momentum)
    return max_momentum - (max_momentum - base_momentum) * height * scale


class CyclicLR(LRScheduler):
    r"""A triangle wave between two learning rates, whose height may shrink; momentum goes the other way.

    A cycle has ``step_size_up`` iterations up and ``step_size_down`` down, T in all. With
    :math:`c = \lfloor 1 + t/T \rfloor`, :math:`x = 1 + t/T - c` and :math:`r` = ``step_size_up`` / T,

    .. math::
        \eta_t = \eta_{base} + (\eta_{\max} - \eta_{base}) h_t s_t, \qquad
        \mu_t = \mu_{\max} - (\mu_{\max} - \mu_{base}) h_t s_t, \qquad
        h_t = \begin{cases} x / r & x \le r \\ (x-1) / (r-1) & x > r, \end{cases}

    where :math:`s_t` is 1 ("triangular"), :math:`2^{1-c}` ("triangular2") or :math:`\gamma^t` ("exp_range").

    Args:
        optimizer: an optimizer, whose ``"lr"`` and ``"momentum"`` or ``"betas"`` change.
        base_lr, max_lr: the lower and the upper learning rate, or lists with one for each group.
        step_size_up: iterations that rise.
        step_size_down: iterations that fall; as many by default.
        mode: one of the three.
        gamma: the base of "exp_range".
        scale_fn: a function in place of the mode's :math:`s`.
        scale_mode: does ``scale_fn`` take the cycle, counted from 1 ("cycle"), or the iteration ("iterations")?
        cycle_momentum: change the momentum, or the first beta, too.
        base_momentum, max_momentum: its lower and upper end, or lists.
        last_epoch: the last iteration that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: a list has another length than there are groups; an unknown ``mode`` without ``scale_fn``, an
            unknown ``scale_mode`` with one; a step size below 0, or both 0; an optimizer without momentum.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> optimizer = SGD([Parameter([1.0])], momentum=0.5)
    >>> schedule = CyclicLR(optimizer, 0.25, 0.75, step_size_up=2, mode="triangular2")
    >>> [cyclic_lr(t, 0.25, 0.75, step_size_up=2, mode="triangular2") for t in range(7)]
    [0.25, 0.5, 0.75, 0.5, 0.25, 0.375, 0.5]

    Source: Smith, Cyclical learning rates for training neural networks (WACV 2017), section 3.

    Conventions:

    - "exp_range" counts the iterations of the whole training, as the paper does; torch's page says those of a cycle.
    - Without iterations up, a cycle starts at its top. torch divides by 0.
    - x loses digits as t/T grows: it has the rounding of 1 + t/T.
    - The base is ``base_lr`` also where another schedule has given groups an ``"initial_lr"``. torch has that one as
      the learning rate of iteration 0, and ``base_lr`` from the next on.
    - torch takes any ``scale_mode`` for "iterations" that is not "cycle".
    - ``state_dict`` has the attributes of a ``scale_fn`` that is a callable object, and nothing of a function.
    """

    _UNSAVED = LRScheduler._UNSAVED | {"_custom_scale"}

    def __init__(self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: Any = 0.8, max_momentum: Any = 0.9,
                 last_epoch: int = -1) -> None:
        base_lrs = one_a_group("base_lr", needs_optimizer(optimizer), base_lr)
        self.max_lrs = one_a_group("max_lr", optimizer, max_lr)
        check_shape(step_size_up, step_size_down)
        self.total_size, self.step_ratio = shape(step_size_up, step_size_down)
        if scale_fn is None and mode not in SCALES:
            raise ValueError(f"mode needs to be one of {sorted(SCALES)} where there is no scale_fn, got {mode!r}")
        if scale_fn is not None and scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"scale_mode needs to be 'cycle' or 'iterations', got {scale_mode!r}")
        self.mode = mode
        self.gamma = gamma
        self._custom_scale = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else SCALES[mode][0]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            self.base_momentums = one_a_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = one_a_group("max_momentum", optimizer, max_momentum)
        if last_epoch == -1:
            self._enter_groups(optimizer, base_lrs)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs
        self._set_lrs(self._lrs())

    def _enter_groups(self, optimizer: Optimizer, base_lrs: list[Any]) -> None:
        for i, group in enumerate(optimizer.param_groups):
            group["lr"] = base_lrs[i]
            if self.cycle_momentum:
                give_momentum(group, self.max_momentums[i], self.use_beta1)
                group["max_momentum"], group["base_momentum"] = self.max_momentums[i], self.base_momentums[i]

    def scale_fn(self, x: float) -> Any:
        """What the height is multiplied by, in a cycle or at an iteration."""
        return self._custom_scale(x) if self._custom_scale is not None else SCALES[self.mode][1](x, self.gamma)

    def _swing(self, low: Any, high: Any) -> Any:
        """How far it is from one end to the other at this iteration."""
        x = cycle_at(self.last_epoch, self.total_size) if self.scale_mode == "cycle" else self.last_epoch
        rises = rises_at(self.last_epoch, self.total_size, self.step_ratio)
        height = height_at(self.last_epoch, self.total_size, self.step_ratio, low, rises)
        return (high - low) * height * self.scale_fn(x)

    def _lrs(self) -> list[Any]:
        return [low + self._swing(low, high) for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def get_lr(self) -> list[Any]:
        """The learning rates of this iteration; the groups get its momentum."""
        self._warn_outside_step()
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums,
                                        strict=True):
                give_momentum(group, high - self._swing(low, high), self.use_beta1)
        return self._lrs()

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; of a function nothing, of a callable object its attributes."""
        return {**super().state_dict(), "_scale_fn_custom": saved(self._custom_scale)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state; a function stays, a callable object gets its attributes."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        restored([self._custom_scale], [state_dict["_scale_fn_custom"]])

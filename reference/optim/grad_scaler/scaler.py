"""The loss scale of mixed precision: gradients that are multiplied before they underflow, and divided afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import numpy as np

from ...numerics import Array, ieee, isfinite
from .._checks import check_count, check_numbers
from .._optimizer import Optimizer, scalar
from .._sparse import SparseGrad
from .loss_scale import next_scale, scaled, stored, unscaled

__all__ = ["GradScaler"]


class _Stage(Enum):
    """How far an optimizer has got since the last ``update``."""

    READY, UNSCALED, STEPPED = range(3)


class GradScaler:
    r"""The dynamic loss scale, used like ``torch.amp.GradScaler``.

    The loss is multiplied by a scale :math:`s`, and so are its gradients; they are divided by it before the optimizer
    steps. A step whose gradients are infinite or NaN is left out, and the scale becomes :math:`s \cdot` ``backoff``;
    after ``growth_interval`` updates without one, in a row, it becomes :math:`s \cdot` ``growth``.

    Args:
        init_scale: the scale to start with.
        growth_factor: above 1.
        backoff_factor: below 1.
        growth_interval: a whole number, at least 1.
        enabled: otherwise everything passes through, and the scale is 1.

    Raises:
        AssertionError: ``growth_factor`` is at most 1, or ``backoff_factor`` at least 1.
        ValueError: ``growth_interval`` is below 1 (torch takes it, and the scale never grows), or a number is NaN.
        TypeError: a number is none, or ``growth_interval`` is not whole.

    >>> from reference.optim import SGD, Parameter
    >>> p = Parameter(np.array([1.0], np.float32))
    >>> optimizer, scaler = SGD([p], lr=1.0), GradScaler(init_scale=4.0, growth_interval=1)
    >>> for gradient in (0.5, np.inf):
    ...     p.grad = scaler.scale(np.array([gradient], np.float32))
    ...     scaler.step(optimizer)
    ...     scaler.update()
    ...     print(p.data, scaler.get_scale())
    [0.5] 8.0
    [0.5] 4.0

    Source: Micikevicius et al., Mixed precision training (ICLR 2018), section 3.2; the dynamic scale is that of
    torch's documentation.

    Conventions:

    - The scale is a float32, and starts to be one at the first call of :meth:`scale`. A growth that would make it
      infinite is left out. There is no lower limit: 0 is reached, and stays.
    - Every optimizer skips its own step; the scale shrinks if any of them found an infinity or a NaN.
    - ``growth_interval`` may be set below the count of clean updates: the scale then grows at the next one. torch waits
      until both are equal, so it never grows again without a step left out.
    - Gradients are divided by the scale. torch multiplies them by 1 / scale in float32: float64 gradients lose half
      their digits unless the scale is a power of two, and become infinite below a scale of 2**-128.
    - What counts is the gradient after the division. torch looks at it before, and steps by infinite ones if the scale
      is below 1.
    - ``new_scale`` may be any number or array of one element. torch refuses an int, and an array of shape (1,).
    - Complex gradients are scaled as others are; torch refuses them.
    - A closure is refused if it is given by name; by place it is handed on, as in torch.
    """

    def __init__(self, *, init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        self._enabled = bool(enabled)
        if enabled:
            check_numbers(init_scale=init_scale, growth_factor=growth_factor, backoff_factor=backoff_factor)
            if growth_factor <= 1:
                raise AssertionError(f"growth_factor needs to be above 1, got {growth_factor}")
            if backoff_factor >= 1:
                raise AssertionError(f"backoff_factor needs to be below 1, got {backoff_factor}")
            self.set_growth_interval(growth_interval)
        self._init_scale, self._growth_interval = init_scale, growth_interval
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._scale: Array | None = None  # until there is something to scale
        self._growth_tracker = 0
        self._reset()

    def _reset(self) -> None:
        self._stages: dict[int, _Stage] = {}
        self._found: dict[int, bool] = {}  # by optimizer: is a gradient infinite or NaN?

    def scale(self, outputs: Any) -> Any:
        """Multiply an array, or each of a list, a tuple or another iterable (then a ``map``), by the scale.

        An array keeps its type, but one of integers, or of shape () and a half type, becomes a float32.

        Raises:
            ValueError: ``outputs`` is neither.
        """
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._scale = stored(self._init_scale)
        if isinstance(outputs, np.ndarray | np.generic):
            return scaled(np.asanyarray(outputs), self._scale)
        if isinstance(outputs, str) or not isinstance(outputs, Iterable):
            raise ValueError(f"outputs needs to be an array or an iterable of arrays, got {type(outputs).__name__}")
        each = map(self.scale, outputs)
        return type(outputs)(each) if isinstance(outputs, list | tuple) else each

    @ieee
    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place, before they are clipped, say.

        Raises:
            AssertionError: nothing has been scaled.
            RuntimeError: the optimizer's gradients are unscaled already, or it has stepped, since the last ``update``.
            ValueError: a gradient is a float16 (torch's own are float32, as are their parameters).
        """
        if not self._enabled:
            return
        scale = self._started("unscale_")
        stage = self._stages.get(id(optimizer), _Stage.READY)
        if stage is not _Stage.READY:
            raise RuntimeError(f"unscale_ needs to be called once between updates and before step, got an optimizer "
                               f"that is {stage.name.lower()}")
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        for g in gradients:
            if g.dtype == np.float16:
                raise ValueError("unscale_ needs gradients of another type than float16, got float16")
        found = False
        for g in gradients:
            if isinstance(g, SparseGrad):
                values = unscaled(g.values, scale)
                g.values[...] = values
            else:
                values = g[...] = unscaled(g, scale)
            found = found or not isfinite(values).all()
        if gradients:
            self._found[id(optimizer)] = bool(found)
        self._stages[id(optimizer)] = _Stage.UNSCALED

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients unless they are, and step unless one of them is infinite or NaN.

        Returns:
            What ``optimizer.step(*args, **kwargs)`` does, or ``None`` where it is left out.

        Raises:
            RuntimeError: there is a ``closure``; or the optimizer has stepped since the last ``update``.
            AssertionError: nothing has been scaled, or the optimizer has no gradient.
            ValueError: as by :meth:`unscale_`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("step needs to be called without a closure, got one")
        self._started("step")
        if self._stages.get(id(optimizer)) is _Stage.STEPPED:
            raise RuntimeError("step needs to be called once between updates, got an optimizer that has stepped")
        if id(optimizer) not in self._stages:
            self.unscale_(optimizer)
        if id(optimizer) not in self._found:
            raise AssertionError("step needs an optimizer with gradients, got one without")
        result = None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)
        self._stages[id(optimizer)] = _Stage.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Let the scale follow what was found since the last call, or set it.

        Raises:
            AssertionError: nothing has been scaled; or no optimizer was looked at, and there is no ``new_scale``; or
                that has several elements.
            TypeError: ``new_scale`` is no number.
        """
        if not self._enabled:
            return
        scale = self._started("update")
        if new_scale is not None:
            if isinstance(new_scale, np.ndarray) and new_scale.size != 1:
                raise AssertionError(f"new_scale needs to be one number, got an array of shape {new_scale.shape}")
            check_numbers(new_scale=scalar(new_scale))
            self._scale = stored(scalar(new_scale))
        elif not self._found:
            raise AssertionError("update needs an optimizer that has stepped or is unscaled, got none")
        else:
            self._scale, self._growth_tracker = next_scale(
                scale, self._growth_tracker, any(self._found.values()), growth_factor=self._growth_factor,
                backoff_factor=self._backoff_factor, growth_interval=self._growth_interval)
        self._reset()

    def _started(self, method: str) -> Array:
        if self._scale is None:
            raise AssertionError(f"{method} needs scale to be called first, got a scaler that has scaled nothing")
        return self._scale

    def get_scale(self) -> float:
        """The scale; 1 if disabled."""
        if not self._enabled:
            return 1.0
        return float(self._init_scale if self._scale is None else self._scale)

    def get_growth_factor(self) -> float:
        """The factor of growth."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor of growth, whatever it is."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """The factor by which the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set the factor by which the scale shrinks, whatever it is."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """The number of clean updates after which the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set the number of clean updates after which the scale grows, at least 1."""
        check_count(growth_interval=new_interval)
        if new_interval < 1:
            raise ValueError(f"growth_interval needs to be at least 1, got {new_interval}")
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Does it do anything?"""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and what it follows, by torch's names; nothing if disabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor, "growth_interval": self._growth_interval,
                "_growth_tracker": self._growth_tracker}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state; if disabled, none.

        Raises:
            RuntimeError: it is empty, as that of a disabled scaler.
            KeyError: an entry is missing.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("state_dict needs the state of an enabled scaler, got an empty one")
        missing = self.state_dict().keys() - state_dict.keys()
        if missing:
            raise KeyError(f"state_dict needs {sorted(missing)}, got {sorted(state_dict)}")
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale = stored(self._init_scale)
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval, self._growth_tracker = state_dict["growth_interval"], state_dict["_growth_tracker"]

    def __getstate__(self) -> dict[str, Any]:
        """Whatever there is, between updates.

        Raises:
            AssertionError: an optimizer has been looked at since the last ``update``.
        """
        if self._stages:
            raise AssertionError("pickle needs a scaler between updates, got one that has looked at an optimizer")
        return dict(vars(self))

"""RMSprop, with momentum and with centring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["RMSprop", "rmsprop"]

Array = NDArray[Any]


def rmsprop(theta: Array, g: Array, v: Array, b: Any, g_mean: Any, *, lr: float, alpha: float, eps: float,
            weight_decay: float = 0, momentum: float = 0, centered: bool = False,
            maximize: bool = False) -> tuple[Array, Array, Any, Any]:
    """One step of RMSprop: new parameters, mean square, buffer and mean gradient (unused ones ``None``)."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    v = alpha * v + (1 - alpha) * g * g
    variance = v
    if centered:
        g_mean = alpha * g_mean + (1 - alpha) * g
        variance = np.maximum(v - g_mean * g_mean, 0)  # it is no less but for rounding
    step = g / (np.sqrt(variance) + eps)
    if momentum > 0:
        step = b = momentum * b + step
    return theta - lr * step, v, b, g_mean


class RMSprop(Optimizer):
    r"""RMSprop: the gradient over the root of the running mean of its square.

    With gradient :math:`g_t`, from :math:`v_0 = \bar g_0 = b_0 = 0`,

    .. math::
        v_t = \alpha v_{t-1} + (1-\alpha) g_t^2, \qquad
        \bar g_t = \alpha \bar g_{t-1} + (1-\alpha) g_t, \qquad
        s_t = \begin{cases} v_t - \bar g_t^2 & \text{centered} \\ v_t & \text{otherwise,} \end{cases} \\
        b_t = \mu b_{t-1} + \frac{g_t}{\sqrt{s_t} + \varepsilon}, \qquad
        \theta_t = \theta_{t-1} - \gamma b_t.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\gamma`, at least 0.
        alpha: decay rate of the means, at least 0.
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        momentum: :math:`\mu`, at least 0; with 0 there is no buffer.
        centered: divide by the root of the variance, not of the mean square.
        maximize: ascend.

    Raises:
        ValueError: a number below 0.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.array([0.0, 0.0]))
    >>> p.grad = np.array([4.0, -0.5])
    >>> RMSprop([p], lr=1.0, alpha=0.75, eps=0.0).step()  # 1 / sqrt(1 - 0.75)
    >>> p.data
    array([-2.,  2.])

    Source: Tieleman & Hinton, Neural networks for machine learning (Coursera, 2012), lecture 6e; Graves,
    Generating sequences with recurrent neural networks (arXiv:1308.0850), equations 38 to 45, for centring
    and momentum.

    Conventions:

    - eps stands outside the root (Graves and TensorFlow have it inside).
    - Nothing is corrected for bias, so that the first step is lr / sqrt(1-alpha).
    - Momentum gathers the scaled gradients, and lr multiplies the buffer when it is used (Graves and TensorFlow
      have it inside).
    - ``maximize`` turns the gradient's sign before weight decay is added.
    - A gradient of ``None`` leaves parameter, state and step count alone; the rule does not read the count.
    - The variance is at least 0 here: where rounding makes it negative torch gives NaN.
    - ``maximize`` goes by name, as torch has two other arguments before it; the pseudocode of its documentation
      leaves it out.
    """

    added_later: ClassVar[Mapping[str, Any]] = {"momentum": 0, "centered": False, "maximize": False}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, momentum: float = 0, centered: bool = False, *,
                 maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps,
                                  "centered": centered, "weight_decay": weight_decay, "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["square_avg"] = np.zeros_like(p.data)
            if options["momentum"] > 0:
                state["momentum_buffer"] = np.zeros_like(p.data)
            if options["centered"]:
                state["grad_avg"] = np.zeros_like(p.data)
        state["step"] += 1
        b = state["momentum_buffer"] if options["momentum"] > 0 else None
        g_mean = state["grad_avg"] if options["centered"] else None
        self._schedule(rmsprop, p.data, grad, state["square_avg"], b, g_mean, **options)

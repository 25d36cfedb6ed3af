"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_numbers
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["Adadelta", "adadelta"]

Array = NDArray[Any]


def adadelta(theta: Array, g: Array, v: Array, u: Array, *, lr: float, rho: float, eps: float,
             weight_decay: float = 0, maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of Adadelta: new parameters, and mean squares of gradients and of updates."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    v = rho * v + (1 - rho) * g * g
    delta = np.sqrt(u + eps) / np.sqrt(v + eps) * g
    u = rho * u + (1 - rho) * delta * delta
    return theta - lr * delta, v, u


class Adadelta(Optimizer):
    r"""Adadelta: the gradient over its own root mean square, times that of the updates so far.

    With gradient :math:`g_t`, from :math:`v_0 = u_0 = 0`,

    .. math::
        v_t = \rho v_{t-1} + (1-\rho) g_t^2, \qquad
        \Delta_t = \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}} g_t, \\
        u_t = \rho u_{t-1} + (1-\rho) \Delta_t^2, \qquad \theta_t = \theta_{t-1} - \gamma \Delta_t.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\gamma`, at least 0; the paper has none.
        rho: decay rate of both means, in [0, 1].
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``eps`` or ``weight_decay`` below 0, or ``rho`` outside [0, 1].
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.array([0.0]))
    >>> p.grad = np.array([2.0])
    >>> Adadelta([p], rho=0.25, eps=1.0).step()  # sqrt(1) / sqrt(0.75 · 4 + 1) · 2
    >>> p.data
    array([-1.])

    Source: Zeiler, ADADELTA: an adaptive learning rate method (arXiv:1212.5701), algorithm 1.

    Conventions:

    - eps stands inside both roots.
    - The updates' mean has those before this step under the root, and gathers the update without lr.
    - Nothing is corrected for bias.
    - ``maximize`` turns the gradient's sign before weight decay is added.
    - A gradient of ``None`` leaves parameter, state and step count alone; the rule does not read the count.
    - The pseudocode of torch's documentation leaves ``maximize`` out.
    """

    def __init__(self, params: Iterable[Any], lr: float | Array = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0, *, maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_numbers(rho=rho)
        if not 0 <= rho <= 1:
            raise ValueError(f"rho needs to be in [0, 1], got {rho}")
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["square_avg"] = np.zeros_like(p.data)
            state["acc_delta"] = np.zeros_like(p.data)
        state["step"] += 1
        self._schedule(adadelta, p.data, grad, state["square_avg"], state["acc_delta"], **options)

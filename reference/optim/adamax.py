"""Adamax: Adam by the largest gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_betas
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["Adamax", "adamax"]

Array = NDArray[Any]


def adamax(theta: Array, g: Array, m: Array, u: Array, *, t: int, lr: float, betas: tuple[float, float],
           eps: float, weight_decay: float = 0, maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of Adamax: new parameters, first moment and infinity norm."""
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    m = beta1 * m + (1 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return theta - lr / (1 - beta1**t) * m / u, m, u


class Adamax(Optimizer):
    r"""Adamax: Adam with a decaying maximum of the gradients in the place of their root mean square.

    With gradient :math:`g_t`, from :math:`m_0 = u_0 = 0`,

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad
        u_t = \max(\beta_2 u_{t-1}, |g_t| + \varepsilon), \qquad
        \theta_t = \theta_{t-1} - \frac{\alpha}{1-\beta_1^t} \frac{m_t}{u_t}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\alpha`, at least 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the mean and of the maximum, in [0, 1).
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``eps`` or ``weight_decay`` below 0, or a beta outside [0, 1).
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The first step is -lr · g / (|g| + eps):

    >>> p = Parameter(np.array([0.0, 0.0]))
    >>> p.grad = np.array([3.0, -1.0])
    >>> Adamax([p], lr=1.0, betas=(0.5, 0.5), eps=1.0).step()
    >>> p.data
    array([-0.75,  0.5 ])

    Source: Kingma & Ba, Adam (ICLR 2015), algorithm 2.

    Conventions:

    - eps is added to the gradient's magnitude inside the maximum, so that it decays with it and is in the saved
      norm; the paper has none.
    - Only m is corrected for bias.
    - ``maximize`` turns the gradient's sign before weight decay is added.
    - A gradient of ``None`` leaves parameter, state and step count alone.
    - The pseudocode of torch's documentation leaves ``maximize`` out.
    """

    def __init__(self, params: Iterable[Any], lr: float | Array = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0, *,
                 maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        beta1, beta2 = betas
        super().__init__(params, {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["exp_avg"] = np.zeros_like(p.data)
            state["exp_inf"] = np.zeros_like(p.data)
        state["step"] += 1
        self._schedule(adamax, p.data, grad, state["exp_avg"], state["exp_inf"], t=int(state["step"]), **options)

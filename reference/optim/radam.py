"""RAdam: Adam that waits until its second moment has settled, with decoupled weight decay too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._checks import check_betas
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["RAdam", "radam"]

Array = NDArray[Any]


def radam(theta: Array, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: tuple[float, float],
          eps: float, weight_decay: float = 0, decoupled_weight_decay: bool = False,
          maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of RAdam: new parameters and moments."""
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay != 0:
        if decoupled_weight_decay:
            theta = (1 - lr * weight_decay) * theta
        else:
            g = g + weight_decay * theta
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat = m / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho > 5:
        r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        return theta - lr * r * (1 - beta2**t) ** 0.5 * m_hat / (np.sqrt(v) + eps), m, v
    return theta - lr * m_hat, m, v


class RAdam(Optimizer):
    r"""RAdam: steps by the running mean of the gradient alone while the mean of its square rests on few.

    With gradient :math:`g_t`, from :math:`m_0 = v_0 = 0`, and :math:`\rho_\infty = 2/(1-\beta_2) - 1`,

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1-\beta_2^t}, \\
        r_t = \sqrt{\frac{(\rho_t-4)(\rho_t-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho_t}}, \qquad
        \theta_t = \theta_{t-1} - \alpha \frac{m_t}{1-\beta_1^t} \cdot \begin{cases}
            r_t \sqrt{1-\beta_2^t} / (\sqrt{v_t} + \varepsilon) & \rho_t > 5 \\ 1 & \text{otherwise.}
        \end{cases}

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\alpha`, at least 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the two means, in [0, 1).
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        decoupled_weight_decay: multiply :math:`\theta` by 1 - lr · weight_decay first, and leave the
            gradient alone: RAdamW.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``eps`` or ``weight_decay`` below 0, or a beta outside [0, 1).
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The first steps are those of momentum, and in proportion to the gradient:

    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([4.0, -0.25])
    >>> RAdam([p], lr=0.5).step()
    >>> p.data
    array([-2.   ,  0.125])

    Source: Liu, Jiang, He, Chen, Liu, Gao & Han, On the variance of the adaptive learning rate and beyond
    (ICLR 2020), algorithm 2; Loshchilov & Hutter, Decoupled weight decay regularization (ICLR 2019), for the
    decay.

    Conventions:

    - The threshold is 5 (the paper's algorithm has 4, its authors' code 5), and ρ_t has to lie above it: with the
      default betas that is from the 6th step on; with beta2 of 2/3 or less never.
    - eps stands beside the root of the *uncorrected* second moment, so that it counts for more in early steps than
      Adam's (the paper has none).
    - v's correction multiplies by √(1-β₂ᵗ).
    - ``maximize`` turns the gradient's sign before weight decay is added, so decay still shrinks.
    - Decoupled decay is scaled by lr, and uses theta from before the step.
    - The pseudocode of torch's documentation agrees.
    - A gradient of ``None`` leaves parameter, moments and step count alone.
    - 'step' is a float32.
    - In half types a step is computed in float32 and rounded once, which torch has no path for.
    """

    added_later: ClassVar[Mapping[str, Any]] = {"maximize": False, "decoupled_weight_decay": False}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
                 decoupled_weight_decay: bool = False, *, maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["exp_avg"] = np.zeros_like(p.data)
            state["exp_avg_sq"] = np.zeros_like(p.data)
        state["step"] += 1
        self._schedule(radam, p.data, grad, state["exp_avg"], state["exp_avg_sq"], t=int(state["step"]),
                    **options)

"""Adam, with AMSGrad and with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._checks import check_betas
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["Adam", "adam"]

Array = NDArray[Any]


def adam(theta: Array, g: Array, m: Array, v: Array, v_max: Any, *, t: int, lr: float,
         betas: tuple[float, float], eps: float, weight_decay: float = 0, amsgrad: bool = False,
         maximize: bool = False, decoupled_weight_decay: bool = False) -> tuple[Array, Array, Array, Any]:
    """One step of Adam: new parameters, moments, and AMSGrad's largest second moment (else ``None``)."""
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
    if amsgrad:
        v_max = np.maximum(v_max, v)
    denominator = np.sqrt(v_max if amsgrad else v) / (1 - beta2**t) ** 0.5 + eps
    return theta - lr / (1 - beta1**t) * m / denominator, m, v, v_max


class Adam(Optimizer):
    r"""Adam: steps of the size of ``lr``, by running means of the gradient and of its square.

    With gradient :math:`g_t`, from :math:`m_0 = v_0 = 0`,

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \\
        \theta_t = \theta_{t-1} - \frac{\alpha}{1-\beta_1^t}
                   \frac{m_t}{\sqrt{v_t} / \sqrt{1-\beta_2^t} + \varepsilon}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\alpha`, at least 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the two means, in [0, 1).
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        amsgrad: take the largest :math:`v` so far under the root.
        maximize: ascend.
        decoupled_weight_decay: multiply :math:`\theta` by 1 - lr · weight_decay first, and leave the
            gradient alone: AdamW.

    Raises:
        ValueError: ``lr``, ``eps`` or ``weight_decay`` below 0, or a beta outside [0, 1).
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The first step from 0 is -lr · g / (|g| + eps):

    >>> p = Parameter(np.array([0.0, 0.0]))
    >>> p.grad = np.array([4.0, -0.25])
    >>> Adam([p], lr=0.5, eps=0.25).step()
    >>> p.data.round(12)
    array([-0.47058824,  0.25      ])

    Source: Kingma & Ba, Adam (ICLR 2015), algorithm 1; Reddi, Kale & Kumar, On the convergence of Adam and
    beyond (ICLR 2018), algorithm 2; Loshchilov & Hutter, Decoupled weight decay regularization (ICLR 2019),
    algorithm 2.

    Conventions:

    - eps stands outside the root, beside the corrected second moment (the algorithm; the faster form that the
      paper's section 2 mentions has it beside the uncorrected one).
    - AMSGrad keeps the largest *uncorrected* moment and corrects it afterwards (the paper corrects nothing).
    - ``maximize`` turns the gradient's sign before weight decay is added, so decay still shrinks.
    - Decoupled decay is scaled by lr, and uses theta from before the step.
    - A gradient of ``None`` leaves parameter, moments and step count alone.
    - The pseudocode of torch's documentation agrees, but leaves ``decoupled_weight_decay`` out.
    - 'step' is a float32, as in torch: it stays at 2**24 when it gets there.
    - Other than in torch, betas may be integers.
    - In half types a step is computed in float32 and rounded once, as by torch's fused kernel. Its other paths
      round every operation, and in float16 the default eps to 0: a gradient of 0 then gives NaN there, one of 1e-4
      an infinite step.
    """

    added_later: ClassVar[Mapping[str, Any]] = {"amsgrad": False, "maximize": False,
                                                "decoupled_weight_decay": False}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3,
                 betas: tuple[float | Array, float | Array] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
                 decoupled_weight_decay: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        beta1, beta2 = betas
        super().__init__(params, {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["exp_avg"] = np.zeros_like(p.data)
            state["exp_avg_sq"] = np.zeros_like(p.data)
            if options["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(p.data)
        state["step"] += 1
        v_max = state["max_exp_avg_sq"] if options["amsgrad"] else None
        self._schedule(adam, p.data, grad, state["exp_avg"], state["exp_avg_sq"], v_max,
                    t=int(state["step"]), **options)

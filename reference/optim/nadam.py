"""NAdam: Adam with Nesterov's momentum, with decoupled weight decay too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._checks import check_betas
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["NAdam", "momentum", "nadam"]

Array = NDArray[Any]


def momentum(t: int, beta1: float, momentum_decay: float) -> Any:
    """The momentum of step t, which rises from about a half of beta1 to beta1."""
    return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def nadam(theta: Array, g: Array, m: Array, v: Array, *, t: int, mu_product: float, lr: float,
          betas: tuple[float, float], eps: float, weight_decay: float = 0, momentum_decay: float = 4e-3,
          decoupled_weight_decay: bool = False, maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of NAdam: new parameters and moments; ``mu_product`` holds the momenta of steps 1 to t."""
    beta1, beta2 = betas
    mu, mu_next = momentum(t, beta1, momentum_decay), momentum(t + 1, beta1, momentum_decay)
    if maximize:
        g = -g
    if weight_decay != 0:
        if decoupled_weight_decay:
            theta = (1 - lr * weight_decay) * theta
        else:
            g = g + weight_decay * theta
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    of_g = lr * (1 - mu) / (1 - mu_product)
    of_m = lr * mu_next / (1 - mu_product * mu_next)
    denominator = np.sqrt(v / (1 - beta2**t)) + eps
    return theta - of_g * g / denominator - of_m * m / denominator, m, v


class NAdam(Optimizer):
    r"""NAdam: Adam that looks ahead by one step of its momentum, which grows from step to step.

    With gradient :math:`g_t`, from :math:`m_0 = v_0 = 0`, and with
    :math:`\mu_t = \beta_1 (1 - \tfrac12 0.96^{t\psi})`,

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \\
        \bar m_t = \frac{(1-\mu_t) g_t}{1-\prod_{i=1}^{t} \mu_i}
                 + \frac{\mu_{t+1} m_t}{1-\prod_{i=1}^{t+1} \mu_i}, \qquad
        \theta_t = \theta_{t-1} - \alpha \frac{\bar m_t}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\alpha`, at least 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the two means, in [0, 1).
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        momentum_decay: :math:`\psi`, how fast the momentum grows, at least 0.
        decoupled_weight_decay: multiply :math:`\theta` by 1 - lr · weight_decay first, and leave the
            gradient alone: NAdamW.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``eps``, ``weight_decay`` or ``momentum_decay`` below 0, or a beta outside [0, 1).
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([4.0, -0.25])
    >>> NAdam([p], lr=0.5, betas=(0.5, 0.75), eps=0, momentum_decay=0).step()  # 0.5 (1 + 0.125 / 0.9375)
    >>> p.data.round(12)
    array([-0.56666667,  0.56666667])

    Source: Dozat, Incorporating Nesterov momentum into Adam (ICLR 2016 workshop), algorithm 2; its schedule
    of the momentum is from section 3 there, with ψ = 1/250; Loshchilov & Hutter, Decoupled weight decay
    regularization (ICLR 2019), for the decay.

    Conventions:

    - The first moment decays by beta1, not by μ_t as in the paper, where the running mean and its correction use
      the same coefficients.
    - v's correction stands under the root, eps outside it.
    - ``maximize`` turns the gradient's sign before weight decay is added, so decay still shrinks.
    - Decoupled decay is scaled by lr, and uses theta from before the step.
    - 'mu_product', the product of all momenta so far, is a float32 whatever the parameter's type, as in torch: it
      costs parameters in float64 half of their digits (torch casts it to the parameter's type when it is loaded,
      which in half types changes the run). So is 'step'.
    - The pseudocode of torch's documentation agrees with what torch does, and not with the paper.
    - A gradient of ``None`` leaves parameter, moments, product and step count alone.
    - In half types a step is computed in float32 and rounded once, which torch has no path for.
    """

    added_later: ClassVar[Mapping[str, Any]] = {"maximize": False, "decoupled_weight_decay": False}

    def __init__(self, params: Iterable[Any], lr: float | Array = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
                 momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "momentum_decay": momentum_decay,
                                  "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["mu_product"] = np.ones_like(p.data, np.float32, shape=())
            state["exp_avg"] = np.zeros_like(p.data)
            state["exp_avg_sq"] = np.zeros_like(p.data)
        state["step"] += 1
        t, product = int(state["step"]), state["mu_product"]
        product[...] = product.item() * momentum(t, options["betas"][0], options["momentum_decay"])
        self._schedule(nadam, p.data, grad, state["exp_avg"], state["exp_avg_sq"], t=t,
                    mu_product=product.item(), **options)

    @staticmethod
    def _load(p: Parameter, name: str, value: Any) -> Any:
        return Optimizer._load(p, "step" if name == "mu_product" else name, value)

"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_numbers
from ._optimizer import Optimizer, Parameter, check_nonnegative

__all__ = ["ASGD", "asgd", "learning_rate", "window"]

Array = NDArray[Any]


def learning_rate(t: int, *, lr: float, lambd: float, alpha: float) -> float:
    """The learning rate of step t, which is lr at t = 1."""
    decay: float = (1 + lambd * lr * (t - 1)) ** alpha
    return lr / decay


def window(t: int, *, t0: float) -> float:
    """How many iterates the average has after step t; 1 until the average starts."""
    return max(1, t - 1 - t0) if t > 1 else 1


def asgd(theta: Array, g: Array, mean: Array, *, eta: float, n: float, lambd: float, weight_decay: float = 0,
         maximize: bool = False) -> tuple[Array, Array]:
    """One step of averaged SGD: new parameters, and their mean over the latest n."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    theta = (1 - lambd * eta) * theta - eta * g
    return theta, theta if n == 1 else mean + (theta - mean) / n


class ASGD(Optimizer):
    r"""Averaged SGD: a decreasing learning rate, and beside the parameters their mean from some step on.

    With gradient :math:`g_t` and from :math:`\bar\theta_0 = 0`,

    .. math::
        \eta_t = \frac{\gamma}{(1 + \lambda\gamma (t-1))^\alpha}, \qquad
        \theta_t = (1 - \lambda\eta_t)\, \theta_{t-1} - \eta_t g_t, \\
        \bar\theta_t = \bar\theta_{t-1} + \mu_t (\theta_t - \bar\theta_{t-1}), \qquad
        \mu_t = \frac{1}{\max(1, t - 1 - t_0)}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: first learning rate :math:`\gamma`, at least 0.
        lambd: decay :math:`\lambda`, of the parameters and of the learning rate.
        alpha: power of the learning rate's decay.
        t0: the step :math:`t_0` after which the mean starts.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        maximize: ascend.

    Raises:
        ValueError: ``lr`` or ``weight_decay`` below 0.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The mean, of both iterates from step 3 on, is in the state:

    >>> p = Parameter(np.array([0.0]))
    >>> optimizer = ASGD([p], lr=1.0, lambd=0.0, t0=0)
    >>> for _ in range(3):
    ...     p.grad = np.array([1.0])
    ...     optimizer.step()
    >>> p.data, optimizer.state[p]["ax"]
    (array([-3.]), array([-2.5]))

    Source: Polyak & Juditsky, Acceleration of stochastic approximation by averaging (SIAM J. Control Optim.
    30, 1992); Bottou, Stochastic gradient descent tricks (2012), section 5, for the learning rate, with t-1
    for its t.

    Conventions:

    - 'eta' and 'mu' of the state are those of the *next* step, and a learning rate that a user changes acts one
      step late.
    - ``lambd`` decays the parameters beside ``weight_decay``, by the same learning rate and not through the
      gradient, so that ``maximize`` leaves it alone.
    - At mu = 1 the mean is the parameter itself: t0 + 2 is the last such step, and the first one always is.
    - A gradient of ``None`` leaves parameter, mean and step count alone.
    - torch documents no pseudocode.
    - torch computes with the float32 that 'eta' is, also for float64 parameters; here the learning rate is a
      double, and 'eta' what is saved of it.
    - torch casts 'eta' and 'mu' to the parameter's dtype when it loads them; here they stay float32.
    """

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
                 t0: float = 1e6, weight_decay: float = 0, *, maximize: bool = False) -> None:
        check_nonnegative(lr=lr, weight_decay=weight_decay)
        check_numbers(lambd=lambd, alpha=alpha, t0=t0)
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0,
                                  "weight_decay": weight_decay, "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["eta"] = np.full_like(p.data, options["lr"], np.float32, shape=())
            state["mu"] = np.empty_like(p.data, np.float32, shape=())
            state["ax"] = np.full_like(p.data, np.nan)  # written before it is read: the first window is 1
        state["step"] += 1
        t, decay = int(state["step"]), {name: options[name] for name in ("lr", "lambd", "alpha")}
        eta, n = self._rates(learning_rate(t, **decay), window(t, t0=options["t0"]), state["eta"].item())
        state["eta"][...] = learning_rate(t + 1, **decay)
        state["mu"][...] = 1 / window(t + 1, t0=options["t0"])
        self._schedule(asgd, p.data, grad, state["ax"], eta=eta, n=n, lambd=options["lambd"],
                    weight_decay=options["weight_decay"], maximize=options["maximize"])

    def _rates(self, eta: float, n: float, saved: float) -> tuple[float, float]:
        """Learning rate and window of a step; the rate that was saved, where it is another, and not only rounded."""
        return eta if np.float32(saved) == np.float32(eta) else saved, n

    @staticmethod
    def _load(p: Parameter, name: str, value: Any) -> Any:
        return Optimizer._load(p, "step" if name in ("eta", "mu") else name, value)

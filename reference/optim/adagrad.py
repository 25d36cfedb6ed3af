"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..numerics import widen
from ._optimizer import Optimizer, Parameter, check_nonnegative, filled_like
from ._sparse import SparseGrad, update_touched

__all__ = ["Adagrad", "adagrad"]

Array = NDArray[Any]


def adagrad(theta: Array, g: Array, s: Array, *, t: int, lr: float, lr_decay: float = 0, eps: float,
            weight_decay: float = 0, maximize: bool = False) -> tuple[Array, Array]:
    """One step of Adagrad: new parameters, and the new sum of squares."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    s = s + g * g
    return theta - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s) + eps), s


class Adagrad(Optimizer):
    r"""Adagrad: the gradient over the root of the sum of all squares so far.

    With gradient :math:`g_t`, from :math:`s_0 = \tau`,

    .. math::
        s_t = s_{t-1} + g_t^2, \qquad
        \theta_t = \theta_{t-1} - \frac{\gamma}{1 + (t-1)\eta} \frac{g_t}{\sqrt{s_t} + \varepsilon}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\gamma`, at least 0.
        lr_decay: :math:`\eta`, at least 0.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        initial_accumulator_value: :math:`\tau`, at least 0; both parts of a complex sum start there.
        eps: :math:`\varepsilon`, at least 0.
        maximize: ascend.

    Raises:
        ValueError: a number below 0.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.array([0.0]))
    >>> optimizer = Adagrad([p], lr=1.0, lr_decay=1.0, eps=0.0)
    >>> for gradient in (3.0, 4.0):  # -3/3, and 1/2 of -4/5 to it
    ...     p.grad = np.array([gradient])
    ...     optimizer.step()
    >>> p.data
    array([-1.4])

    Source: Duchi, Hazan & Singer, Adaptive subgradient methods for online learning and stochastic
    optimization (JMLR 12, 2011), figure 1, with the diagonal of G.

    Conventions:

    - eps stands outside the root, and beside the sum that has the gradient of this step in it.
    - The first step's learning rate is undecayed: t-1.
    - ``maximize`` turns the gradient's sign before weight decay is added.
    - The state is there from construction on, also for parameters that never have a gradient.
    - A gradient of ``None`` leaves parameter, sum and step count alone.
    - A sparse gradient (:class:`SparseGrad`) changes the elements that it has, and counts also where it has none;
      weight decay refuses it.
    - A group's own ``initial_accumulator_value`` counts here; torch takes the constructor's for every group.
    - The pseudocode of torch's documentation leaves ``maximize`` out.
    """

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-2, lr_decay: float = 0,
                 weight_decay: float = 0, initial_accumulator_value: float = 0, eps: float = 1e-10, *,
                 maximize: bool = False) -> None:
        check_nonnegative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                          initial_accumulator_value=initial_accumulator_value, eps=eps)
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, and make their state; the other options take their defaults."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            self._start(p, group["initial_accumulator_value"])

    def _start(self, p: Parameter, tau: float) -> None:
        self.state[p]["step"] = np.zeros((), np.float32)
        self.state[p]["sum"] = filled_like(p.data, tau)

    takes_sparse: ClassVar[bool] = True

    def _update(self, p: Parameter, grad: Array | SparseGrad, options: dict[str, Any]) -> None:
        if isinstance(grad, SparseGrad) and options["weight_decay"] != 0:
            raise RuntimeError(f"weight_decay needs a dense gradient or to be 0, got {options['weight_decay']}")
        state, options = self.state[p], {k: v for k, v in options.items() if k != "initial_accumulator_value"}
        state["step"] += 1
        t = int(state["step"])
        if isinstance(grad, SparseGrad):
            update_touched(adagrad, p.data, grad.replaced(widen(grad.values)).coalesce(), state["sum"], t=t, **options)
        else:
            self._schedule(adagrad, p.data, grad, state["sum"], t=t, **options)

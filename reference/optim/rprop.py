"""Rprop: resilient backpropagation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_numbers, check_tuple
from ._optimizer import Optimizer, Parameter, check_nonnegative, filled_like

__all__ = ["Rprop", "rprop"]

Array = NDArray[Any]


def rprop(theta: Array, g: Array, g_prev: Array, eta: Array, *, etas: tuple[float, float],
          step_sizes: tuple[float, float], maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of Rprop: new parameters, gradient to remember, and step sizes."""
    eta_minus, eta_plus = etas
    smallest, largest = step_sizes
    if maximize:
        g = -g
    agree = np.sign(g) * np.sign(g_prev)  # the product of the gradients would underflow
    eta = np.where(agree > 0, eta_plus * eta, np.where(agree < 0, eta_minus * eta, eta))
    eta = np.minimum(np.maximum(eta, smallest), largest)
    g = np.where(agree < 0, 0, g)
    return theta - np.sign(g) * eta, g, eta


class Rprop(Optimizer):
    r"""Rprop: steps by the gradient's sign, of a size that grows while it stays and shrinks when it turns.

    With gradient :math:`g_t`, from :math:`g_0 = 0` and :math:`\eta_0` = lr, element by element,

    .. math::
        \eta_t = \begin{cases} \min(\eta_+ \eta_{t-1}, \Gamma_{max}) & g_{t-1} g_t > 0 \\
                               \max(\eta_- \eta_{t-1}, \Gamma_{min}) & g_{t-1} g_t < 0,
                               \text{ and then } g_t \leftarrow 0 \\
                               \eta_{t-1} & \text{otherwise,} \end{cases} \qquad
        \theta_t = \theta_{t-1} - \operatorname{sign}(g_t) \eta_t.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: the first step's size :math:`\eta_0`, at least 0; both parts of a complex number have it.
        etas: :math:`\eta_-` in (0, 1) and :math:`\eta_+` above 1.
        step_sizes: :math:`\Gamma_{min}, \Gamma_{max}`.
        maximize: ascend.

    Raises:
        ValueError: ``lr`` below 0, or ``etas`` not 0 < eta_minus < 1 < eta_plus.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The second element's gradient turns: half the step size, and no step:

    >>> p = Parameter(np.array([0.0, 0.0]))
    >>> optimizer = Rprop([p], lr=1.0, etas=(0.5, 2.0))
    >>> for gradient in ([3.0, 3.0], [1.0, -1.0]):
    ...     p.grad = np.array(gradient)
    ...     optimizer.step()
    >>> p.data, optimizer.state[p]["step_size"]
    (array([-3., -1.]), array([2. , 0.5]))

    Source: Riedmiller & Braun, A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm (ICNN 1993), section III; Igel & Hüsken, Improving the Rprop learning algorithm (NC 2000), where
    this variant, without weight-backtracking, is Rprop-.

    Conventions:

    - A turn does not take the last step back, as the paper of 1993 does; it leaves out one step, and the next
      counts as the first.
    - Step sizes are kept between the limits at every step, also lr at the first and also where the gradient is 0,
      other than in the pseudocode of torch's documentation.
    - lr is read when a parameter first has a gradient, and never again.
    - ``maximize`` turns the gradient's sign, also that of the saved one.
    - A gradient of ``None`` leaves all alone, also the gradient to compare with.
    - torch takes the sign of the product of two gradients, which is 0 where it underflows.
    """

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, maximize: bool = False) -> None:
        check_nonnegative(lr=lr)
        for name, pair in (("etas", etas), ("step_sizes", step_sizes)):
            check_tuple(name, pair, 2)
            check_numbers(**{f"{name}[{i}]": one for i, one in enumerate(pair)})
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"etas needs 0 < etas[0] < 1 < etas[1], got {etas}")
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["prev"] = np.zeros_like(p.data)
            state["step_size"] = filled_like(p.data, options["lr"])
        state["step"] += 1
        self._schedule(rprop, p.data, grad, state["prev"], state["step_size"], etas=options["etas"],
                    step_sizes=options["step_sizes"], maximize=options["maximize"])

"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..numerics import cast, widen
from ._checks import check_numbers, check_one
from ._optimizer import Optimizer, Parameter, check_nonnegative
from ._sparse import SparseGrad, update_touched

__all__ = ["SGD", "sgd"]

Array = NDArray[Any]


def sgd(theta: Array, g: Array, b: Array | None, *, first: bool, lr: float, momentum: float = 0,
        dampening: float = 0, weight_decay: float = 0, nesterov: bool = False,
        maximize: bool = False) -> tuple[Array, Array | None]:
    """One step of SGD: new parameters, and the new buffer (without momentum ``None``)."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * theta
    if b is not None:
        b = g if first else momentum * b + (1 - dampening) * g
        g = g + momentum * b if nesterov else b
    return theta - lr * g, b


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum and Nesterov's momentum.

    With gradient :math:`g_t`, weight decay included, momentum :math:`\mu` and dampening :math:`\tau`,

    .. math::
        b_1 = g_1, \qquad b_t = \mu b_{t-1} + (1-\tau) g_t, \qquad
        \theta_t = \theta_{t-1} - \gamma \cdot \begin{cases} g_t + \mu b_t & \text{Nesterov} \\
                                                             b_t & \text{otherwise.} \end{cases}

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\gamma`, at least 0.
        momentum: :math:`\mu`, at least 0; with 0 there is no buffer.
        dampening: :math:`\tau`.
        weight_decay: adds so many times :math:`\theta` to the gradient, at least 0.
        nesterov: look ahead by one step of momentum; needs a momentum, and no dampening.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``momentum`` or ``weight_decay`` below 0, or ``nesterov`` without what it needs.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.array([1.0, 1.0]))
    >>> optimizer = SGD([p], lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     p.grad = np.array([1.0, 2.0])
    ...     optimizer.step()
    >>> p.data
    array([-0.25, -1.5 ])

    Source: Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep
    learning (ICML 2013), equations 1 to 4.

    Conventions:

    - The learning rate multiplies the buffer when it is used, where the paper has it inside, so the two differ once
      it changes.
    - The first step with momentum ignores dampening, and its buffer is the gradient, weight decay included.
    - ``maximize`` turns the gradient's sign before weight decay is added, so decay still shrinks.
    - A gradient of ``None`` leaves parameter and buffer alone.
    - Without momentum there is no state at all.
    - A sparse gradient (:class:`SparseGrad`) changes the elements that it has. Momentum then keeps a sparse buffer,
      and goes on to change all elements that the buffer has had. Weight decay refuses a sparse gradient.
    - The pseudocode of torch's documentation agrees, if its t counts the gradients that a parameter has had with
      momentum: the first of them, not the first step, makes the buffer.
    - torch's foreach with ``nesterov``, and neither ``maximize`` nor decay, adds the look-ahead to the gradient
      itself: ``p.grad`` is another one after the step, and a second step without a new gradient goes astray.
      Gradients are never changed here.
    """

    added_later: ClassVar[Mapping[str, Any]] = {"nesterov": False, "maximize": False}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3, momentum: float = 0,
                 dampening: float = 0, weight_decay: float | Array = 0, nesterov: bool = False, *,
                 maximize: bool = False) -> None:
        check_nonnegative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        check_numbers(dampening=dampening)
        check_one("nesterov", nesterov)
        if nesterov and not (momentum > 0 and dampening == 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0, "
                             f"got {momentum} and {dampening}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening,
                                  "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize})

    takes_sparse: ClassVar[bool] = True

    def _update(self, p: Parameter, grad: Array | SparseGrad, options: dict[str, Any]) -> None:
        moves = options["momentum"] != 0
        b = self.state[p].get("momentum_buffer") if moves else None
        first = moves and b is None  # whose buffer is written before it is read
        if isinstance(grad, SparseGrad) and not isinstance(b, np.ndarray):
            return self._update_sparse(p, grad, b, first, options)
        if first:
            b = self.state[p]["momentum_buffer"] = np.full_like(p.data, np.nan)
        if isinstance(b, SparseGrad):
            raise RuntimeError("momentum needs a sparse gradient where its buffer is sparse, got a dense one")
        g = grad.to_dense() if isinstance(grad, SparseGrad) else grad
        self._schedule(sgd, p.data, g, b, first=first, **options)

    def _update_sparse(self, p: Parameter, grad: SparseGrad, b: SparseGrad | None, first: bool,
                       options: dict[str, Any]) -> None:
        """The same on the elements that gradient or buffer have: those of the buffer become more and more."""
        if options["weight_decay"] != 0:
            raise RuntimeError(f"weight_decay needs a dense gradient or to be 0, got {options['weight_decay']}")
        g = grad.replaced(widen(grad.values)).coalesce()
        if b is not None:
            g, b = g.joined(b), b.joined(g)
        elif first:
            b = g.replaced(np.full_like(g.values, np.nan))
        values = None if b is None else b.values
        update_touched(sgd, p.data, g, first=first, beside=(values,), **options)
        if b is not None:
            self.state[p]["momentum_buffer"] = b.replaced(cast(b.values, grad.dtype)).copy()

"""SparseAdam: Adam that touches only the elements that a sparse gradient has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..numerics import widen
from ._checks import check_betas
from ._optimizer import Optimizer, Parameter, check_nonnegative
from ._sparse import SparseGrad, update_touched

__all__ = ["SparseAdam", "sparse_adam"]

Array = NDArray[Any]


def sparse_adam(theta: Array, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: tuple[float, float],
                eps: float, maximize: bool = False) -> tuple[Array, Array, Array]:
    """One step of Adam on the elements that are there: new parameters and moments."""
    beta1, beta2 = betas
    if maximize:
        g = -g
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    alpha = lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
    return theta - alpha * m / (np.sqrt(v) + eps), m, v


class SparseAdam(Optimizer):
    r"""SparseAdam: Adam for sparse gradients, which lets the elements rest that a gradient does not have.

    For the elements i of the gradient :math:`g_t`, from :math:`m_0 = v_0 = 0`,

    .. math::
        m_{t,i} = \beta_1 m_{t-1,i} + (1-\beta_1) g_{t,i}, \qquad
        v_{t,i} = \beta_2 v_{t-1,i} + (1-\beta_2) g_{t,i}^2, \\
        \theta_{t,i} = \theta_{t-1,i} - \alpha \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}
                       \frac{m_{t,i}}{\sqrt{v_{t,i}} + \varepsilon},

    and for all others m, v and :math:`\theta` stay.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`); real. Their gradients
            have to be of :class:`SparseGrad`.
        lr: learning rate :math:`\alpha`, above 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the two means, in [0, 1).
        eps: :math:`\varepsilon`, above 0.
        maximize: ascend.

    Raises:
        ValueError: ``lr`` or ``eps`` not above 0, a beta outside [0, 1), or a complex parameter.
        RuntimeError: a gradient is dense.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.zeros(3))
    >>> p.grad = SparseGrad([[2, 0, 2]], np.array([4.0, 1.0, -8.0]), (3,))
    >>> SparseAdam([p], lr=0.5).step()
    >>> p.data.round(6)
    array([-0.5,  0. ,  0.5])

    Source: Kingma & Ba, Adam (ICLR 2015), section 2 (the faster form, with :math:`\hat\varepsilon`).

    Conventions:

    - Values given for one place are added first; a value of 0 that is given is an element like any other.
    - eps stands beside the root of the *uncorrected* second moment, so that it counts for more in early steps than
      Adam's.
    - The step count, a plain integer, is one for the whole parameter: the moments of an element that rested are
      corrected as if it had not, and they do not decay meanwhile.
    - A gradient without elements counts as a step, one of ``None`` does not.
    - torch documents no pseudocode, but in words a mask of the values that are not 0: it is those that are given.
    - In half types a step is computed in float32 and rounded once, which torch has no path for.
    """

    takes_sparse: ClassVar[bool] = True

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False) -> None:
        check_nonnegative(lr=lr, eps=eps)
        if lr == 0 or eps == 0:
            raise ValueError(f"lr and eps need to be above 0, got {lr} and {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; the other options take their defaults."""
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.data.dtype.kind == "c":
                self.param_groups.pop()
                raise ValueError(f"params needs to be real, got {p.data.dtype}")

    def _update(self, p: Parameter, grad: SparseGrad, options: dict[str, Any]) -> None:
        if not isinstance(grad, SparseGrad):
            raise RuntimeError("SparseAdam needs gradients of SparseGrad, got a dense one")
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["exp_avg"] = np.zeros_like(p.data)
            state["exp_avg_sq"] = np.zeros_like(p.data)
        state["step"] += 1
        g = grad.replaced(widen(grad.values)).coalesce()
        update_touched(sparse_adam, p.data, g, state["exp_avg"], state["exp_avg_sq"], t=state["step"], **options)

    @staticmethod
    def _load(p: Parameter, name: str, value: Any) -> Any:
        return value if name == "step" else Optimizer._load(p, name, value)

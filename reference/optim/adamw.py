"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from .adam import Adam

__all__ = ["AdamW"]

Array = NDArray[Any]


class AdamW(Adam):
    r"""AdamW: Adam whose weight decay shrinks the parameter itself, and leaves the gradient alone.

    With gradient :math:`g_t`, from :math:`m_0 = v_0 = 0`,

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \\
        \theta_t = (1 - \alpha\lambda)\, \theta_{t-1} - \frac{\alpha}{1-\beta_1^t}
                   \frac{m_t}{\sqrt{v_t} / \sqrt{1-\beta_2^t} + \varepsilon}.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`).
        lr: learning rate :math:`\alpha`, at least 0.
        betas: decay rates :math:`\beta_1, \beta_2` of the two means, in [0, 1).
        eps: :math:`\varepsilon`, at least 0.
        weight_decay: :math:`\lambda`, at least 0.
        amsgrad: take the largest :math:`v` so far under the root.
        maximize: ascend.

    Raises:
        ValueError: ``lr``, ``eps`` or ``weight_decay`` below 0, or a beta outside [0, 1).
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    A gradient of 0 leaves only the decay, 1 - 0.5 · 0.25:

    >>> import numpy as np
    >>> from reference.optim import Parameter
    >>> p = Parameter(np.array([1.0, -8.0]))
    >>> p.grad = np.array([0.0, 0.0])
    >>> AdamW([p], lr=0.5, weight_decay=0.25).step()
    >>> p.data
    array([ 0.875, -7.   ])

    Source: Loshchilov & Hutter, Decoupled weight decay regularization (ICLR 2019), algorithm 2; Reddi, Kale &
    Kumar, On the convergence of Adam and beyond (ICLR 2018), algorithm 2, for ``amsgrad``.

    Conventions:

    - The decay is scaled by lr. The paper scales decay and step by a schedule and leaves lr out of the decay: the
      paper's decay is lr · weight_decay here.
    - The decay uses theta from before the step, and is the same with ``maximize``.
    - The rule, and all else, are those of :class:`Adam`. Its saved states are loaded here, and go on decoupled.
    - The pseudocode of torch's documentation agrees.
    - As in torch, ``decoupled_weight_decay`` is an entry of its groups.
    """

    added_later: ClassVar[Mapping[str, Any]] = {**Adam.added_later, "decoupled_weight_decay": True}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3,
                 betas: tuple[float | Array, float | Array] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize,
                         decoupled_weight_decay=True)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As :meth:`Optimizer.load_state_dict`; the decay is decoupled, also where Adam saved the state."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True

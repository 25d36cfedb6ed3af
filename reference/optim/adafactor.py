"""Adafactor: steps relative to the parameter, by a second moment kept as row and column means."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._storage import storage_of
from ..blocks import blocks
from ..numerics import maximum, widen
from ._checks import check_numbers, check_tuple
from ._optimizer import Optimizer, Parameter, check_nonnegative, number

__all__ = ["Adafactor", "adafactor", "rms"]

Array = NDArray[Any]


def rms(f: Callable[..., Array], *arrays: Array) -> Array:
    """Root of the mean square of what ``f`` gives, which has the shape of the first array, block by block."""
    squares = [np.sum(x * x) for x in (f(*block) for _, block in blocks(arrays))]
    return np.asanyarray(np.sqrt(reduce(operator.add, squares) / arrays[0].size))


def adafactor(theta: Array, g: Array, rows: Array | None, columns: Array | None, v: Array | None, *, t: float,
              lr: float, beta2_decay: float, eps: tuple[float, float], d: float, weight_decay: float = 0,
              maximize: bool = False) -> None:
    """One step of Adafactor, in place and block by block: parameters, and row and column means or a whole moment."""
    eps1, eps2 = eps
    fresh = t**beta2_decay
    rho = min(lr, 1 / t**0.5)
    alpha = rho * np.maximum(rms(widen, theta), eps2).item()

    def mixed(new: Array, old: Array) -> Array:
        return np.asanyarray((1 - fresh) * widen(old) + fresh * new)

    if v is None:
        assert rows is not None
        assert columns is not None
        r, sums = np.empty_like(widen(rows)), np.zeros_like(widen(columns))
        for _, (here, row, total) in blocks([g, r, sums]):
            squares = widen(here) * widen(here)
            row[...] = np.sum(squares, -1, keepdims=True) / g.shape[-1]
            total[...] = total + np.sum(squares, -2, keepdims=True)
        r, c = mixed(r, rows), mixed(sums / g.shape[-2], columns)
        mean = np.sum(r, -2, keepdims=True) / r.shape[-2]
        factors = [r / np.maximum(mean, eps1), c]
        rows[...], columns[...] = r, c
    else:
        factors = [v]

    def moment(g: Array, *factors: Array) -> Array:
        return factors[0] * factors[1] if v is None else mixed(widen(g) * widen(g), *factors)

    def direction(g: Array, *factors: Array) -> Array:
        return (-widen(g) if maximize else widen(g)) / maximum(np.sqrt(moment(g, *factors)), eps1)

    clipping = np.maximum(rms(direction, g, *factors) / d, 1).item()
    for _, (here, *block) in blocks([theta, g, *factors]):
        here[...] = (1 - lr * weight_decay) * widen(here) - alpha / clipping * direction(*block)
        if v is not None:
            block[1][...] = moment(*block)


class Adafactor(Optimizer):
    r"""Adafactor: steps in proportion to the parameter's size, by a second moment that needs little memory.

    With gradient :math:`G_t` (a matrix; of more axes, the last two are its rows and columns), from
    :math:`R_0 = C_0 = 0`, and with the root mean square RMS over all elements of a parameter,

    .. math::
        \hat\beta_t = 1 - t^\tau, \qquad
        R_t = \hat\beta_t R_{t-1} + (1-\hat\beta_t) \operatorname{mean}_j G_t^2, \qquad
        C_t = \hat\beta_t C_{t-1} + (1-\hat\beta_t) \operatorname{mean}_i G_t^2, \\
        \hat V_t = \frac{R_t C_t}{\max(\operatorname{mean} R_t, \varepsilon_1)}, \qquad
        U_t = \frac{G_t}{\max(\sqrt{\hat V_t}, \varepsilon_1)}, \\
        \theta_t = (1 - \gamma\lambda)\, \theta_{t-1} - \min(\gamma, 1/\sqrt t)
            \max(\varepsilon_2, \operatorname{RMS} \theta_{t-1}) \frac{U_t}{\max(1, \operatorname{RMS}(U_t) / d)}.

    Vectors and numbers have :math:`\hat V_t = \hat\beta_t \hat V_{t-1} + (1-\hat\beta_t) G_t^2` in full.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`); real.
        lr: :math:`\gamma`, the largest relative step size, at least 0.
        beta2_decay: :math:`\tau`, at most 0.
        eps: :math:`\varepsilon_1, \varepsilon_2`, at least 0; a first of ``None`` is the dtype's distance
            from 1 to the next number.
        d: clipping threshold for the RMS of the update, at least 1.
        weight_decay: :math:`\lambda`, at least 0.
        maximize: ascend.

    Raises:
        ValueError: an argument is not as above.
        RuntimeError: a complex parameter is to be updated.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    The first step is that of the sign, relative to the size of the parameter:

    >>> p = Parameter(np.array([3.0, -4.0]))
    >>> p.grad = np.array([2.0, 0.5])
    >>> Adafactor([p], lr=2**0.5).step()
    >>> p.data.round(12)
    array([-0.53553391, -7.53553391])

    Source: Shazeer & Stern, Adafactor: adaptive learning rates with sublinear memory cost (ICML 2018),
    algorithms 4 and 5; Loshchilov & Hutter, Decoupled weight decay regularization (ICLR 2019), for the decay.

    Conventions:

    - The paper adds :math:`\varepsilon_1` to the squared gradient; here, as in torch, it limits two divisors from
      below, hence :math:`\sqrt{\hat V}` and not :math:`\hat V` itself.
    - The paper's limit of the relative step is 0.01 whatever the learning rate.
    - Means stand for the paper's sums, which cancels.
    - The RMS of the parameter is from before the decay, and decay, scaled by lr alone, leaves the gradient alone.
    - torch's pseudocode has the update start at :math:`\theta_{t-1}` once more, as if decay were lost: it is not.
    - ``maximize`` turns the gradient's sign only.
    - A gradient of ``None`` leaves parameter, means and step count alone, and so does an empty parameter but for
      the count: torch divides by zero there.
    - 'step' is a float32.
    - :math:`\hat V` is evaluated as (R / mean R) C, since R C overflows for gradients above the fourth root of the
      largest number, which in float16 is 16.
    - In half types a step is computed in float32 and rounded once.
    """

    added_later: ClassVar[Mapping[str, Any]] = {}  # torch refuses a state without them, maximize too

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
                 maximize: bool = False) -> None:
        check_tuple("eps", eps, 2)
        check_numbers(beta2_decay=beta2_decay, d=d)
        check_nonnegative(lr=lr, eps2=eps[1], weight_decay=weight_decay)
        if eps[0] is not None:
            check_nonnegative(eps1=eps[0])
        if not beta2_decay <= 0:
            raise ValueError(f"beta2_decay needs to be at most 0, got {beta2_decay}")
        if not d >= 1:
            raise ValueError(f"d needs to be at least 1, got {d}")
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
                                  "weight_decay": weight_decay, "maximize": maximize})

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        if p.data.dtype.kind == "c":
            raise RuntimeError(f"Adafactor needs real parameters, got {p.data.dtype}")
        state = self.state[p]
        if not state:
            state["step"] = np.zeros((), np.float32)
            if p.data.ndim > 1:
                state["row_var"] = np.zeros_like(p.data[..., :1])
                state["col_var"] = np.zeros_like(p.data[..., :1, :])
            else:
                state["variance"] = np.zeros_like(p.data)
        state["step"] += 1
        if not p.data.size:
            return
        eps1, eps2 = options["eps"]
        if eps1 is None:
            eps1 = float(np.spacing(np.ones((), storage_of(p.data, "Adafactor"))))
        adafactor(p.data, grad, *(state.get(name) for name in ("row_var", "col_var", "variance")),
                  t=number(p.data, int(state["step"])), **{**options, "eps": (eps1, eps2)})

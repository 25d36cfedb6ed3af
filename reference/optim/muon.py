"""Muon: momentum whose matrix is brought near to an orthogonal one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._storage import storage_of
from ..numerics import cast, widen
from ..precision import outcomes, rounded
from ._checks import check_count, check_numbers, check_tuple
from ._optimizer import Optimizer, Parameter, check_nonnegative, number

__all__ = ["Muon", "adjusted", "momenta", "newton_schulz", "normalized"]

Array = NDArray[Any]

#: By storage type what the buffer and what is to be orthogonalized are rounded to, and what computes both.
_TYPES = {"float64": (None, "float32", "float64"), "float16": ("float16", "float16", "float32"),
          "bfloat16": ("bfloat16", "bfloat16", "float32")}


def momenta(g: Array, b: Array, momentum: float, nesterov: bool, kept: str | None = None,
            given: str | None = None) -> tuple[Array, Array]:
    """The new buffer, and what is to be orthogonalized, each rounded to a type where one is named."""
    b = momentum * b + (1 - momentum) * g
    b = rounded(b, dtype=kept) if kept else b
    u = momentum * b + (1 - momentum) * g if nesterov else b
    return b, rounded(u, dtype=given) if given else u


def normalized(u: Array, eps: float) -> Array:
    """A matrix in bfloat16, divided by its Frobenius norm."""
    x = rounded(u, "bfloat16")
    norm = rounded(np.asanyarray(np.sqrt(np.sum(x * x))), "bfloat16")
    return rounded(x / np.maximum(norm, rounded(np.full_like(x, eps, shape=()), "bfloat16")), "bfloat16")


def newton_schulz(u: Array, coefficients: tuple[float, float, float], steps: int, eps: float) -> Array:
    """Bring the singular values of a matrix near to 1; every line is rounded to bfloat16."""
    a, b, c = coefficients
    x = normalized(u, eps)
    tall = u.shape[0] > u.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        s = rounded(x @ x.T, "bfloat16")
        s = rounded(b * s + c * (s @ s), "bfloat16")
        x = rounded(a * x + s @ x, "bfloat16")
    return x.T if tall else x


def adjusted(lr: float, adjust_lr_fn: str | None, rows: float, columns: float) -> Any:
    """The learning rate for a matrix of this shape."""
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * max(rows, columns) ** 0.5 * lr
    return (max(rows, columns) / columns) ** 0.5 * lr


class Muon(Optimizer):
    r"""Muon: steps along momentum of which all singular values have been brought near to 1.

    With gradient :math:`G_t`, a matrix of A rows and B columns, from :math:`B_0 = 0`,

    .. math::
        B_t = \mu B_{t-1} + (1-\mu) G_t, \qquad U_t = \begin{cases}
            \mu B_t + (1-\mu) G_t & \text{Nesterov} \\ B_t & \text{otherwise,} \end{cases} \\
        \theta_t = (1 - \gamma\lambda)\, \theta_{t-1} - \gamma\, r(A, B)\, \mathrm{NS}(U_t).

    The iteration of Newton and Schulz starts from :math:`X = U / \max(\lVert U \rVert_F, \varepsilon)` and
    repeats :math:`X \leftarrow aX + (bS + cS^2)X` with :math:`S = XX^T`; a matrix with more rows than columns is
    transposed before and after.

    Args:
        params: parameters, (name, parameter) pairs, or groups (see :class:`Optimizer`): real matrices.
        lr: learning rate :math:`\gamma`, at least 0.
        weight_decay: :math:`\lambda`, at least 0.
        momentum: :math:`\mu`, at least 0.
        nesterov: look ahead by one step of momentum.
        ns_coefficients: a, b and c.
        eps: :math:`\varepsilon`.
        ns_steps: number of iterations, below 100.
        adjust_lr_fn: "original" or ``None`` for :math:`r = \sqrt{\max(1, A/B)}`, "match_rms_adamw" for
            :math:`r = 0.2 \sqrt{\max(A, B)}`.

    Raises:
        ValueError: ``lr``, ``weight_decay`` or ``momentum`` below 0, an unknown ``adjust_lr_fn``, a parameter
            that is no matrix; in a step, too many iterations, or not three coefficients.
        RuntimeError: a complex parameter is to be updated.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> p = Parameter(np.zeros((2, 2)))
    >>> p.grad = np.array([[3.0, 0.0], [0.0, 4.0]])
    >>> Muon([p], lr=1.0).step()
    >>> p.data
    array([[-0.6953125,  0.       ],
           [ 0.       , -1.09375  ]])

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024,
    kellerjordan.github.io/posts/muon); Liu et al., Muon is scalable for LLM training (arXiv 2502.16982),
    section 2.2, for the other learning rate and the decay.

    Conventions:

    - Momentum is a running mean, with a factor of 1-μ before the gradient, in the buffer and in Nesterov's step
      alike; torch's pseudocode has neither factor. Up to eps that scales the matrix alone.
    - The iteration is one in bfloat16, whatever the parameters are: that is part of the rule, since five iterations
      magnify one rounding to more than a per cent of the result.
    - Rounded are the matrix itself, its norm, eps, the quotient, and each of the three products with what is added
      to it, once; nothing within a product.
    - A matrix in float64 is rounded to float32 on its way to bfloat16, as torch's conversion does; what bfloat16
      cannot hold gives NaN.
    - In half types buffer and U are rounded to the type as well, as in torch.
    - Decay is scaled by lr, not by the adjusted one, and uses theta from before the step.
    - A gradient of ``None`` leaves parameter and buffer alone.
    - There is no step count.
    """

    added_later: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, params: Iterable[Any], lr: float | Array = 1e-3, weight_decay: float = 0.1,
                 momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315), eps: float = 1e-7,
                 ns_steps: int = 5, adjust_lr_fn: str | None = None) -> None:
        check_nonnegative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        check_numbers(eps=eps)
        check_count(ns_steps=ns_steps)
        check_tuple("ns_coefficients", ns_coefficients, 3)
        check_numbers(**{f"ns_coefficients[{i}]": one for i, one in enumerate(ns_coefficients)})
        if not isinstance(adjust_lr_fn, str | None) or adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError("adjust_lr_fn needs to be None, 'original' or 'match_rms_adamw', "
                             f"got {adjust_lr_fn!r}")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum,
                                  "nesterov": nesterov, "ns_coefficients": ns_coefficients, "eps": eps,
                                  "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for p in group["params"]:
                if p.data.ndim != 2:
                    raise ValueError(f"params needs to hold matrices, got one of shape {p.data.shape}")

    def _update(self, p: Parameter, grad: Array, options: dict[str, Any]) -> None:
        coefficients, steps = options["ns_coefficients"], options["ns_steps"]
        if p.data.dtype.kind == "c":
            raise RuntimeError(f"Muon needs real parameters, got {p.data.dtype}")
        if steps >= 100:
            raise ValueError(f"ns_steps needs to be below 100, got {steps}")
        if len(coefficients) != 3:
            raise ValueError(f"ns_coefficients needs three numbers, got {coefficients}")
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = np.zeros_like(p.data)
        storage = storage_of(p.data, "Muon").name
        kept, given, computed = _TYPES.get(storage, (None, None, storage))
        b, u = outcomes(partial(momenta, kept=kept, given=given), computed, widen(grad),
                        widen(state["momentum_buffer"]), options["momentum"], options["nesterov"])
        state["momentum_buffer"][...] = b
        u = cast(u, np.dtype(np.float32))  # products of bfloat16 are exact there
        o = outcomes(newton_schulz, "float32", u, coefficients, steps, options["eps"])
        lr, decay = options["lr"], options["weight_decay"]
        step = adjusted(lr, options["adjust_lr_fn"], *(number(p.data, n) for n in p.data.shape))
        theta = widen(p.data)
        p.data[...] = (1 - lr * decay) * theta - step * o.astype(theta.dtype)

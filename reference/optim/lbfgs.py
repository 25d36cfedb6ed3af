"""L-BFGS: quasi-Newton steps from the last few steps and gradients, with a line search if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..numerics import cast, widen
from ._checks import check_count, check_numbers
from ._optimizer import Closure, Optimizer, check_nonnegative, scalar
from ._sparse import SparseGrad

__all__ = ["LBFGS", "Point", "cubic_minimum", "strong_wolfe", "two_loops"]

Array = NDArray[Any]


class Point(NamedTuple):
    """Where a line search has been: step length, and value, gradient and slope there."""

    t: Any
    f: Any
    g: Array
    slope: Any


def two_loops(g: Array, ys: Sequence[Array], ss: Sequence[Array], rhos: Sequence[Any],
              gamma: Any) -> tuple[Array, list[Any]]:
    """The direction -Hg, where H comes from gamma · identity by updates with the pairs y, s, oldest first; alphas."""
    q, alphas = -g, []
    for y, s, rho in zip(reversed(ys), reversed(ss), reversed(rhos), strict=True):
        alphas.append(rho * (s @ q))
        q -= alphas[-1] * y
    r = gamma * q
    for y, s, rho, alpha in zip(ys, ss, rhos, reversed(alphas), strict=True):
        r += (alpha - rho * (y @ r)) * s
    return r, alphas[::-1]


def cubic_minimum(left: Point, right: Point, low: Any, high: Any) -> Any:
    """Where the cubic with the values and slopes of two points has its minimum, limited; else the middle."""
    (x1, f1, _, g1), (x2, f2, _, g2) = left, right
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if square >= 0:
        d2 = np.sqrt(square)
        return min(max(x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2)), low), high)
    return (low + high) / 2


def strong_wolfe(phi: Callable[[Any], Point], t: Any, start: Point, size: Any, *, c1: float = 1e-4, c2: float = 0.9,
                 tolerance_change: float = 1e-9, max_ls: int = 25) -> tuple[Point, int]:
    """The point where both of Wolfe's conditions hold, if there are trials enough, and the number of evaluations.

    ``phi`` gives the point at a step length, of which ``t`` is the first to try; ``start`` is the point at 0, and
    ``size`` the largest element of the direction.
    """
    def rises(here: Point) -> bool:
        return bool(here.f > start.f + c1 * here.t * start.slope)

    def flat(here: Point) -> bool:
        return bool(abs(here.slope) <= -c2 * start.slope)

    def lower(bracket: Sequence[Point]) -> int:
        return 0 if bracket[0].f <= bracket[1].f else 1

    previous, here, trials = start, phi(t), 0
    while trials < max_ls:
        if rises(here) or (trials > 1 and here.f >= previous.f):
            break
        if flat(here):
            return here, trials + 1
        if here.slope >= 0:
            break
        ahead = cubic_minimum(previous, here, here.t + 0.01 * (here.t - previous.t), 10 * here.t)
        previous, here = here, phi(ahead)
        trials += 1
    else:
        previous = start

    bracket, stuck = [previous, here], False
    low = lower(bracket)
    while trials < max_ls:
        left, right = sorted(bracket, key=lambda end: end.t)
        width = right.t - left.t
        if width * size < tolerance_change:
            break
        t, margin = cubic_minimum(left, right, left.t, right.t), 0.1 * width
        near = bool(min(right.t - t, t - left.t) < margin)
        if near and (stuck or t in (left.t, right.t)):
            t = min(max(t, left.t + margin), right.t - margin)
            near = False
        stuck = near
        here, high = phi(t), 1 - low
        trials += 1
        if rises(here) or here.f >= bracket[low].f:
            bracket[high] = here
            low = lower(bracket)
            continue
        if flat(here):
            return here, trials + 1
        if here.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = here
    return bracket[low], trials + 1


class LBFGS(Optimizer):
    r"""L-BFGS: quasi-Newton steps whose matrix is rebuilt from the last steps and changes of the gradient.

    A call of ``step`` makes up to ``max_iter`` iterations :math:`\theta_{k+1} = \theta_k + t_k d_k`, all
    parameters taken as one vector. With :math:`s_k = t_k d_k`, :math:`y_k = g_{k+1} - g_k` and
    :math:`\rho_k = 1 / y_k^T s_k`, the direction is :math:`d_k = -H_k g_k`, where

    .. math::
        H_{k+1} = (I - \rho_k s_k y_k^T) H_k (I - \rho_k y_k s_k^T) + \rho_k s_k s_k^T

    over the pairs kept, from :math:`(s^T y / y^T y) I` with the last of them.

    Args:
        params: parameters or (name, parameter) pairs; one group at most.
        lr: length :math:`t` of a step, or with a line search its first trial, at least 0.
        max_iter: iterations a call.
        max_eval: evaluations of the closure a call; 5/4 of ``max_iter`` by default.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where a step or a change of the loss is smaller.
        history_size: number of pairs kept.
        line_search_fn: ``None``, or "strong_wolfe".

    Raises:
        ValueError: ``lr`` below 0, or several groups.
        RuntimeError: in a step, another ``line_search_fn``.
        TypeError: ``step`` has no closure.
        TypeError, ValueError, KeyError: ``params`` is not as :class:`Optimizer` takes it.

    >>> from reference.optim import Parameter
    >>> p = Parameter(np.array([3.0, 1.0]))
    >>> def closure():
    ...     p.grad = np.array([1.0, 4.0]) * p.data
    ...     return (p.data @ p.grad).item() / 2
    >>> LBFGS([p], line_search_fn="strong_wolfe").step(closure)
    6.5
    >>> bool(np.all(abs(p.data) < 1e-6))
    True

    Source: Nocedal, Updating quasi-Newton matrices with limited storage (Math. Comp. 35, 1980); Nocedal & Wright,
    Numerical optimization (2nd ed., 2006), algorithms 7.4 and 7.5, and 3.5, 3.6 and equation 3.59 for the line
    search; safeguards as in Schmidt's minFunc (2005).

    Conventions:

    - The very first iteration goes along the negative gradient, by lr · min(1, 1 / Σ|g|); all others start from lr.
    - A pair is kept only where y·s is above 1e-10, an absolute number.
    - History and step go on from call to call, also where the objective has changed meanwhile.
    - Without a line search nothing is evaluated after the last iteration of a call, and the loss that is returned
      is the first.
    - The loop stops, in this order: after an iteration that would go down by less than ``tolerance_change`` for a
      step of 1 (without making it, though its direction and length are kept as if made), at ``max_iter``,
      ``max_eval``, ``tolerance_grad``, and where step or change of the loss are below ``tolerance_change``.
    - The line search has c1 = 1e-4, c2 = 0.9, and as many trials as evaluations are left. A flat slope ends it also
      where the loss is NaN, where torch raises an IndexError.
    - A gradient of ``None`` counts as zeros.
    - All state is that of the first parameter; 't' is a number, or an array where it was computed from one.
    - Complex parameters are pairs of reals.
    - torch documents no pseudocode, and a memory of history_size + 1 times the parameters: both vectors of each
      pair are kept, so it is twice that.
    - In half types a call is computed in float32; parameters are rounded whenever the closure sees them.
    """

    added_later: ClassVar[Mapping[str, Any]] = {}
    takes_sparse: ClassVar[bool] = True

    def __init__(self, params: Iterable[Any], lr: float | Array = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
                 history_size: int = 100, line_search_fn: str | None = None) -> None:
        check_nonnegative(lr=lr)
        check_count(max_iter=max_iter)
        check_numbers(tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
                      **({} if max_eval is None else {"max_eval": max_eval}))
        super().__init__(params, {"lr": lr, "max_iter": max_iter,
                                  "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError(f"params needs to be one group, got {len(self.param_groups)}")

    def _flat_gradient(self) -> Array:
        parts = []
        (group,) = self.param_groups
        for p in group["params"]:
            g = np.zeros_like(p.data) if p.grad is None else p.grad
            g = np.ravel(g.to_dense() if isinstance(g, SparseGrad) else g)
            parts.append(widen(g.view(g.real.dtype)))
        return np.concatenate(parts)

    def _move_parameters(self, t: Any, d: Array) -> None:
        offset = 0
        (group,) = self.param_groups
        for p in group["params"]:
            dtype = np.result_type(d.dtype, p.data.dtype)  # pairs of d make one where the parameter is complex
            n = p.data.size * dtype.itemsize // d.itemsize
            part = d[offset:offset + n].view(dtype)
            p.data[...] = widen(p.data) + t * part.reshape(p.data.shape)
            offset += n

    def step(self, closure: Closure | None = None) -> Any:
        """Iterate from where the parameters are; the loss there, which is what ``closure`` gave first.

        Args:
            closure: evaluates the loss at the parameters as they are, and sets their gradients.
        """
        if closure is None:
            raise TypeError("LBFGS.step needs a closure, got None")
        (group,) = self.param_groups
        with np.errstate(all="ignore"):
            return self._iterate(closure, {name: scalar(group[name]) for name in self.defaults})

    def _iterate(self, closure: Closure, o: dict[str, Any]) -> Any:
        (group,) = self.param_groups
        params = group["params"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, g = scalar(first_loss), self._flat_gradient()
        evaluations = 1
        state["func_evals"] += 1
        if np.max(np.abs(g)) <= o["tolerance_grad"]:
            return first_loss
        memory = self._read_memory(state)

        def phi(t: Any) -> Point:
            start = [p.data.copy() for p in params]
            self._move_parameters(t, memory["d"])
            value, gradient = scalar(closure()), self._flat_gradient()
            for p, data in zip(params, start, strict=True):
                p.data[...] = data
            return Point(t, value, gradient, gradient @ memory["d"])

        for left in reversed(range(o["max_iter"])):
            state["n_iter"] += 1
            t = self._set_direction(memory, g, state["n_iter"] == 1, o)
            memory |= {"t": t, "prev_flat_grad": g, "prev_loss": loss}
            d, slope, previous = memory["d"], g @ memory["d"], loss
            if slope > -o["tolerance_change"]:
                break
            asked = 0
            if o["line_search_fn"] == "strong_wolfe":
                (t, loss, g, _), asked = strong_wolfe(phi, t, Point(0, loss, g, slope), np.max(np.abs(d)),
                                                      max_ls=o["max_eval"] - evaluations)
                self._move_parameters(t, d)
                memory["t"] = t
            elif o["line_search_fn"] is None:
                self._move_parameters(t, d)
                if left:
                    loss, g, asked = scalar(closure()), self._flat_gradient(), 1
            else:
                raise RuntimeError(f"line_search_fn needs to be None or 'strong_wolfe', got {o['line_search_fn']!r}")
            evaluations += asked
            state["func_evals"] += asked
            if (not left or evaluations >= o["max_eval"] or np.max(np.abs(g)) <= o["tolerance_grad"]
                    or np.max(np.abs(t * d)) <= o["tolerance_change"]
                    or abs(loss - previous) < o["tolerance_change"]):
                break
        self._save_memory(state, memory, np.result_type(*(p.data.real.dtype for p in params)))
        return first_loss

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        """Set the direction, and the history that it rests on; the length of step to begin with."""
        if first:
            memory |= {"d": -g, "old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
            return min(1.0, 1.0 / np.sum(np.abs(g))) * o["lr"]
        y, s = g - memory["prev_flat_grad"], memory["t"] * memory["d"]
        ys = y @ s
        if ys > 1e-10:
            if len(memory["ro"]) == o["history_size"]:
                for name in ("old_dirs", "old_stps", "ro"):
                    memory[name].pop(0)
            memory["old_dirs"].append(y)
            memory["old_stps"].append(s)
            memory["ro"].append(1 / ys)
            memory["H_diag"] = ys / (y @ y)
        memory["d"], alphas = two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"], memory["H_diag"])
        al = memory.setdefault("al", list(repeat(None, o["history_size"])))
        al[:len(alphas)] = alphas
        return o["lr"]

    @staticmethod
    def _read_memory(state: dict[str, Any]) -> dict[str, Any]:
        """The state that takes part in computing: half types as float32, lists as copies."""
        def wide(value: Any) -> Any:
            if isinstance(value, list):
                return [wide(v) for v in value]
            return widen(value) if isinstance(value, np.ndarray) else value

        return {name: wide(value) for name, value in state.items() if name not in ("func_evals", "n_iter")}

    @staticmethod
    def _save_memory(state: dict[str, Any], memory: dict[str, Any], dtype: np.dtype[Any]) -> None:
        """Save what the next call needs, in the parameters' dtype."""
        def narrow(value: Any) -> Any:
            if isinstance(value, list):
                return [narrow(v) for v in value]
            return cast(value, dtype).copy() if hasattr(value, "dtype") else value

        state.update({name: narrow(value) for name, value in memory.items()})

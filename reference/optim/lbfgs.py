"""L-BFGS: quasi-Newton steps from the last few steps and gradients, with a line search if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..numerics import cast, widen
from ..spec import Axis, Limits, Objective, OptimSpec, Options, Refusal, Trajectory
from ._optimizer import Closure, Optimizer, Parameter, check_nonnegative, scalar
from ._sparse import SparseGrad
from ._trajectories import AXES, LONGEST, trajectory

__all__ = ["LBFGS", "SPEC", "cubic_minimum", "strong_wolfe", "two_loops"]

Array = NDArray[Any]


def dot(x: Array, y: Array) -> Any:
    """Inner product."""
    return x @ y


def two_loops(g: Array, ys: Sequence[Array], ss: Sequence[Array], rhos: Sequence[Any],
              gamma: Any) -> tuple[Array, list[Any]]:
    """The direction -Hg, where H comes from gamma · identity by updates with the pairs y, s, oldest first; alphas."""
    q, alphas = -g, []
    for y, s, rho in zip(reversed(ys), reversed(ss), reversed(rhos), strict=True):
        alphas.append(rho * dot(s, q))
        q -= alphas[-1] * y
    r = gamma * q
    for y, s, rho, alpha in zip(ys, ss, rhos, reversed(alphas), strict=True):
        r += (alpha - rho * dot(y, r)) * s
    return r, alphas[::-1]


def cubic_minimum(x1: Any, f1: Any, g1: Any, x2: Any, f2: Any, g2: Any, low: Any, high: Any) -> Any:
    """Where the cubic with these values and slopes at x1 < x2 has its minimum, limited; else the middle."""
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if square >= 0:
        d2 = np.sqrt(square)
        return min(max(x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2)), low), high)
    return (low + high) / 2


def strong_wolfe(phi: Callable[[Any], tuple[Any, Array, Any]], t: Any, f: Any, g: Array, slope: Any, size: Any, *,
                 c1: float = 1e-4, c2: float = 0.9, tolerance_change: float = 1e-9,
                 max_ls: int = 25) -> tuple[Any, Any, Array, int]:
    """A step length that fulfils both of Wolfe's conditions, if there are trials enough.

    ``phi`` gives value, gradient and slope at a step length; f, g and slope are those at 0, and ``size`` the
    largest element of the direction. Returns step length, value and gradient there, and the number of trials.
    """
    def rises(t: Any, f_t: Any) -> bool:
        return bool(f_t > f + c1 * t * slope)

    def flat(slope_t: Any) -> bool:
        return bool(abs(slope_t) <= -c2 * slope)

    previous, here = (0, f, g, slope), (t, *phi(t))
    trials, found, bracket = 0, False, [previous, here]
    while trials < max_ls:
        t, f_t, _, slope_t = here
        if rises(t, f_t) or (trials > 1 and f_t >= previous[1]):
            bracket = [previous, here]
            break
        if flat(slope_t):
            found, bracket = True, [here]
            break
        if slope_t >= 0:
            bracket = [previous, here]
            break
        ahead = cubic_minimum(*_ordered(previous, here), t + 0.01 * (t - previous[0]), 10 * t)
        previous, here = here, (ahead, *phi(ahead))
        trials += 1
    else:
        bracket = [(0, f, g, slope), here]
    evaluated = trials + 1

    stuck = False
    low, high = (0, -1) if found or bracket[0][1] <= bracket[-1][1] else (-1, 0)
    while not found and trials < max_ls:
        ends = [end[0] for end in bracket]
        if abs(ends[1] - ends[0]) * size < tolerance_change:
            break
        left, right = min(ends), max(ends)
        t = cubic_minimum(*_ordered(*bracket), left, right)
        margin = 0.1 * (right - left)
        near = bool(min(right - t, t - left) < margin)
        if near and (stuck or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stuck = near
        here = (t, *phi(t))
        evaluated += 1
        trials += 1
        if rises(t, here[1]) or here[1] >= bracket[low][1]:
            bracket[high] = here
            low, high = (0, -1) if bracket[0][1] <= bracket[-1][1] else (-1, 0)
            continue
        if flat(here[3]):
            found = True
        elif here[3] * (bracket[high][0] - bracket[low][0]) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = here
    t, f_t, g_t, _ = bracket[low]
    return t, f_t, g_t, evaluated


def _ordered(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Place, value and slope of both ends of a bracket, the left one first."""
    a, b = (a, b) if a[0] <= b[0] else (b, a)
    return a[0], a[1], a[3], b[0], b[1], b[3]


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

    Conventions: the very first iteration goes along the negative gradient, by lr · min(1, 1 / Σ|g|); all others
    start from lr. A pair is kept only where y·s is above 1e-10, an absolute number. History and step go on from
    call to call, also where the objective has changed meanwhile. Without a line search nothing is evaluated
    after the last iteration of a call, and the loss that is returned is the first. The loop stops, in this
    order: after an iteration that would go down by less than ``tolerance_change`` for a step of 1 (without
    making it, though its direction and length are kept as if made), at ``max_iter``, ``max_eval``,
    ``tolerance_grad``, and where step or change of the loss are below ``tolerance_change``. The line search has
    c1 = 1e-4, c2 = 0.9, and as many trials as evaluations are left. A gradient of ``None`` counts as zeros. All
    state is that of the first parameter; 't' is a number, or an array where it was computed from one. Complex
    parameters are pairs of reals. torch documents no pseudocode, and a memory of history_size + 1 times the
    parameters: both vectors of each pair are kept, so it is twice that. In half types a call is computed in
    float32; parameters are rounded whenever the closure sees them.
    """

    added_later: ClassVar[Mapping[str, Any]] = {}
    takes_sparse: ClassVar[bool] = True

    def __init__(self, params: Iterable[Any], lr: float | Array = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
                 history_size: int = 100, line_search_fn: str | None = None) -> None:
        check_nonnegative(lr=lr)
        super().__init__(params, {"lr": lr, "max_iter": max_iter,
                                  "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError(f"params needs to be one group, got {len(self.param_groups)}")

    def _gradient(self) -> Array:
        parts = []
        for p in self.param_groups[0]["params"]:
            g = np.zeros_like(p.data) if p.grad is None else p.grad
            g = np.ravel(g.to_dense() if isinstance(g, SparseGrad) else g)
            parts.append(widen(g.view(g.real.dtype) if g.dtype.kind == "c" else g))
        return np.concatenate(parts)

    def _move(self, t: Any, d: Array) -> None:
        offset = 0
        for p in self.param_groups[0]["params"]:
            pairs = p.data.dtype.kind == "c"
            n = p.data.size * (2 if pairs else 1)
            part = d[offset:offset + n]
            part = part.view(p.data.dtype) if pairs else part
            p.data[...] = widen(p.data) + t * part.reshape(p.data.shape)
            offset += n

    def step(self, closure: Closure | None = None) -> Any:
        """Iterate from where the parameters are; the loss there, which is what ``closure`` gave first.

        Args:
            closure: evaluates the loss at the parameters as they are, and sets their gradients.
        """
        if closure is None:
            raise TypeError("LBFGS.step needs a closure, got None")
        with np.errstate(all="ignore"):
            return self._step(closure, {name: scalar(self.param_groups[0][name]) for name in self.defaults})

    def _step(self, closure: Closure, o: dict[str, Any]) -> Any:
        params = self.param_groups[0]["params"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, g = scalar(first_loss), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if np.max(np.abs(g)) <= o["tolerance_grad"]:
            return first_loss
        memory = self._memory(state)

        def phi(t: Any) -> tuple[Any, Array, Any]:
            start = [p.data.copy() for p in params]
            self._move(t, memory["d"])
            value, gradient = scalar(closure()), self._gradient()
            for p, data in zip(params, start, strict=True):
                p.data[...] = data
            return value, gradient, dot(gradient, memory["d"])

        for n in range(1, o["max_iter"] + 1):
            state["n_iter"] += 1
            t = self._direct(memory, g, state["n_iter"] == 1, o)
            memory |= {"t": t, "prev_flat_grad": g, "prev_loss": loss}
            d, slope, previous = memory["d"], dot(g, memory["d"]), loss
            if slope > -o["tolerance_change"]:
                break
            asked = 0
            if o["line_search_fn"] == "strong_wolfe":
                t, loss, g, asked = strong_wolfe(phi, t, loss, g, slope, np.max(np.abs(d)),
                                                 max_ls=o["max_eval"] - evaluations)
                self._move(t, d)
                memory["t"] = t
            elif o["line_search_fn"] is None:
                self._move(t, d)
                if n < o["max_iter"]:
                    loss, g, asked = scalar(closure()), self._gradient(), 1
            else:
                raise RuntimeError(f"line_search_fn needs to be None or 'strong_wolfe', got {o['line_search_fn']!r}")
            evaluations += asked
            state["func_evals"] += asked
            if (n == o["max_iter"] or evaluations >= o["max_eval"]
                    or np.max(np.abs(g)) <= o["tolerance_grad"]
                    or np.max(np.abs(t * d)) <= o["tolerance_change"]
                    or abs(loss - previous) < o["tolerance_change"]):
                break
        self._keep(state, memory, params[0])
        return first_loss

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        """Set the direction, and the history that it rests on; the length of step to begin with."""
        if first:
            memory |= {"d": -g, "old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
            return min(1.0, 1.0 / np.sum(np.abs(g))) * o["lr"]
        y, s = g - memory["prev_flat_grad"], memory["t"] * memory["d"]
        ys = dot(y, s)
        if ys > 1e-10:
            if len(memory["ro"]) == o["history_size"]:
                for name in ("old_dirs", "old_stps", "ro"):
                    memory[name].pop(0)
            memory["old_dirs"].append(y)
            memory["old_stps"].append(s)
            memory["ro"].append(1 / ys)
            memory["H_diag"] = ys / dot(y, y)
        memory["d"], alphas = two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"], memory["H_diag"])
        al = memory.setdefault("al", [None] * o["history_size"])
        al[:len(alphas)] = alphas
        return o["lr"]

    @staticmethod
    def _memory(state: dict[str, Any]) -> dict[str, Any]:
        """The state that takes part in computing: half types as float32, lists as copies."""
        def wide(value: Any) -> Any:
            if isinstance(value, list):
                return [wide(v) for v in value]
            return widen(value) if isinstance(value, np.ndarray) else value

        return {name: wide(value) for name, value in state.items() if name not in ("func_evals", "n_iter")}

    @staticmethod
    def _keep(state: dict[str, Any], memory: dict[str, Any], p: Parameter) -> None:
        """Save what the next call needs, in the parameter's dtype."""
        dtype = p.data.real.dtype

        def narrow(value: Any) -> Any:
            if isinstance(value, list):
                return [narrow(v) for v in value]
            return cast(value, dtype).copy() if isinstance(value, np.ndarray | np.generic) else value

        state.update({name: narrow(value) for name, value in memory.items()})


_AXES = (AXES[0], Axis("grad", ("one", "constant", "eps", "zero", "huge", "none"),
                       "as for all; constant is the same at every step, so that nothing is learnt from it"),
         Axis("steps", (1, 2, 4, 300), costly=(300,)), Axis("layout", ("vector", "scalar", "empty", "matrix")),
         Axis("objective", ("given", "quadratic", "quartic"),
              "the gradients alone; with ½ |Aθ - b|²; with ¼ Σθ⁴ too"),
         Axis("lr", (1, 0.1, 4.0)), Axis("max_iter", (1, 4, 20)), Axis("max_eval", (None, 3)),
         Axis("tolerance_grad", (1e-7, 0.3)), Axis("tolerance_change", (1e-9, 0.1)),
         Axis("history_size", (100, 1)), Axis("line_search_fn", (None, "strong_wolfe")))


def _allowed(options: Options, dtype: str) -> bool:
    """Given gradients do not depend on the parameters: one iteration a step, and nothing to search along.

    Each iteration from a changed gradient multiplies the errors of those before it: few can be decided, the
    fewer the fewer digits there are. In float16 products of small gradients are lost, in torch and in truth.
    """
    learns, fast = options["grad"] not in ("constant", "zero"), options["lr"] != 1 and not options["line_search_fn"]
    if options["objective"] == "given":
        longest = {"float64": 4, "float32": 2, "float16": 2, "bfloat16": 1}[dtype] if learns else (
            2000 if dtype == "float32" else LONGEST[dtype])
        lost = dtype == "float16" and options["grad"] == "eps"
        return bool(options["max_iter"] == 1 and options["line_search_fn"] is None
                    and options["steps"] <= (1 if lost else min(longest, 2) if options["grad"] == "huge" else longest))
    iterations = options["steps"] * options["max_iter"]
    return bool(dtype in ("float64", "float32") and not learns and options["steps"] <= 2
                and iterations <= (4 if dtype == "float32" or fast else 20)
                and not (iterations == 20 and options["history_size"] == 1 and options["max_eval"] is None))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size", "line_search_fn")
    drawn = trajectory({**options, "eps": 1e-8, "grad": "one" if options["grad"] == "constant" else options["grad"]},
                       rng, limits, {name: options[name] for name in names}, {})
    if options["grad"] == "constant":
        drawn = replace(drawn, gradients=drawn.gradients[:1] * options["steps"])
    if options["objective"] == "given":
        return replace(drawn, objective=Objective())
    sizes = [p.size for p in drawn.groups[0].params]
    n = sum(sizes)
    matrix = np.eye(n) + rng.uniform(-0.25, 0.25, (n, n)) / n**0.5
    return replace(drawn, objective=Objective(
        tuple(np.split(matrix, np.cumsum(sizes)[:-1], 1)), rng.uniform(0.5, 1.5, n),
        1.0 if options["objective"] == "quartic" else 0.0))


SPEC = OptimSpec(
    name="LBFGS", torch_names=("torch.optim.LBFGS",), optimizer=LBFGS, draw=_draw, allowed=_allowed, axes=_AXES,
    strength=3, extra=({"grad": "constant", "steps": 2000},),
    sized={"tolerance_grad": 0, "tolerance_change": 0, "max_iter": 4, "history_size": 4},  # no early end
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("lr is not a number", {"lr": float("nan")}, ValueError, r"lr .* got nan"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("two groups", {"params": [{"params": [Parameter(np.ones(2))]}, {"params": [Parameter(np.ones(2))]}]},
                ValueError, "params .* one group, got 2"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
        Refusal("an array for an iterable", {"params": np.ones(2)}, TypeError, "params .* float64"),
    ),
)

"""NAdam, RAdam, Adafactor, SparseAdam and Muon in plain NumPy: one short method for each line to mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.plain_optim import Array, PlainAdam, PlainOptimizer

__all__ = ["PlainAdafactor", "PlainMuon", "PlainNAdam", "PlainRAdam", "PlainSparseAdam"]


class PlainNAdam(PlainAdam):
    """Dozat's algorithm 2 with torch's schedule."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.amsgrad = False
        state.setdefault("mu_product", np.ones((), np.float32))
        if "step" not in state:
            state |= {"step": np.zeros((), np.float32), "exp_avg": np.zeros_like(p.data),
                      "exp_avg_sq": np.zeros_like(p.data)}
        t = self.count(state) + 1
        self.product = np.float32(self.grown(float(state["mu_product"]), t, o))
        state["mu_product"] = np.asarray(self.product)
        self.g = self.gradient(p.data, g, o)
        super().update(p, g, state, o)

    def mu(self, t: int, o: SimpleNamespace) -> float:
        return float(o.betas[0] * (1 - 0.5 * 0.96 ** (t * o.momentum_decay)))

    def grown(self, product: float, t: int, o: SimpleNamespace) -> float:
        return product * self.mu(t, o)

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - o.lr * self.direction(m, t, o) / self.denominator(v, t, o)

    def direction(self, m: Array, t: int, o: SimpleNamespace) -> Array:
        mu, ahead, product = self.mu(t, o), self.mu(t + 1, o), float(self.product)
        return (1 - mu) / (1 - product) * self.g + ahead / (1 - product * ahead) * m


class PlainRAdam(PlainAdam):
    """Algorithm 2 of Liu et al., with a threshold of 5."""

    threshold = 5.0

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.amsgrad = False
        super().update(p, g, state, o)

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        m = m / (1 - o.beta1**t)
        rho = self.rho(t, o)
        if not self.settled(rho):
            return theta - o.lr * self.unrectified(m, v, t, o)
        return theta - o.lr * m * self.rectifier(rho, o) / self.denominator(v, t, o)

    def settled(self, rho: float) -> bool:
        return rho > self.threshold

    def unrectified(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return m

    def rho(self, t: int, o: SimpleNamespace) -> float:
        return self.limit(o) - 2 * t * o.beta2**t / (1 - o.beta2**t)  # type: ignore[no-any-return]

    def limit(self, o: SimpleNamespace) -> float:
        return 2 / (1 - o.beta2) - 1  # type: ignore[no-any-return]

    def rectifier(self, rho: float, o: SimpleNamespace) -> float:
        last = self.limit(o)
        return float(np.sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho)))

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return (np.sqrt(v) + o.eps) / (1 - o.beta2**t) ** 0.5


class PlainAdafactor(PlainOptimizer):
    """Shazeer & Stern's algorithms with torch's limits."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.eps1, o.eps2 = o.eps
        o.eps1 = self.machine_eps(p) if o.eps1 is None else o.eps1
        if not state:
            state["step"] = np.zeros((), np.float32)
            state |= ({"row_var": np.zeros_like(p.data[..., :1]), "col_var": np.zeros_like(p.data[..., :1, :])}
                      if p.data.ndim > 1 else {"variance": np.zeros_like(p.data)})
        state["step"] += 1
        t = int(state["step"])
        g = -g if o.maximize else g
        alpha = self.relative(t, o) * self.size(p.data, o)
        theta = self.decayed(p.data, alpha, o)
        u = self.direction(g, self.second_moment(g, state, self.fresh(t, o), o), o)
        p.data[...] = theta - alpha * self.clipped(u, o)

    def machine_eps(self, p: Any) -> float:
        return float(np.finfo(p.data.dtype).eps)

    def fresh(self, t: int, o: SimpleNamespace) -> float:
        return float(t**o.beta2_decay)

    def relative(self, t: int, o: SimpleNamespace) -> float:
        return float(min(o.lr, 1 / np.sqrt(t)))

    def size(self, theta: Array, o: SimpleNamespace) -> float:
        return float(max(o.eps2, np.sqrt(np.mean(theta**2))))

    def decayed(self, theta: Array, alpha: float, o: SimpleNamespace) -> Array:
        return theta * (1 - o.lr * o.weight_decay)

    def second_moment(self, g: Array, state: dict[str, Array], fresh: float, o: SimpleNamespace) -> Array:
        if g.ndim < 2:
            state["variance"] = np.asarray((1 - fresh) * state["variance"] + fresh * self.squared(g, o))
            return state["variance"]
        for name, axis in (("row_var", -1), ("col_var", -2)):
            mean = np.mean(self.squared(g, o), axis, keepdims=True)
            state[name] = (1 - fresh) * state[name] + fresh * mean
        rows, columns = state["row_var"], state["col_var"]
        return rows / np.maximum(np.mean(rows, -2, keepdims=True), o.eps1) * columns

    def squared(self, g: Array, o: SimpleNamespace) -> Array:
        return g * g

    def direction(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return g / np.maximum(np.sqrt(v), o.eps1)

    def clipped(self, u: Array, o: SimpleNamespace) -> Array:
        return u / max(1.0, float(np.sqrt(np.mean(u**2))) / o.d)


class PlainSparseAdam(PlainOptimizer):
    """Adam on the elements of a sparse gradient, each of which is looked up on its own."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        o.beta1, o.beta2 = o.betas
        if not state:
            state |= {"step": 0, "exp_avg": np.zeros_like(p.data), "exp_avg_sq": np.zeros_like(p.data)}
        if not self.counted(g):
            return
        state["step"] += 1
        dense, there = self.summed(g), self.mask(g)
        dense = -dense if o.maximize else dense
        m = o.beta1 * state["exp_avg"] + (1 - o.beta1) * dense
        v = o.beta2 * state["exp_avg_sq"] + (1 - o.beta2) * dense * dense
        state["exp_avg"] = np.where(self.decays(there), m, state["exp_avg"])
        state["exp_avg_sq"] = np.where(self.decays(there), v, state["exp_avg_sq"])
        theta = p.data - self.change(m, v, state["step"], o)
        p.data[...] = np.where(there, theta, p.data)

    def counted(self, g: SparseGrad) -> bool:
        return True

    def summed(self, g: SparseGrad) -> Array:
        return g.to_dense()

    def mask(self, g: SparseGrad) -> Array:
        there = np.zeros(g.shape, bool)
        there[tuple(g.indices) if len(g.indices) else ...] = bool(g.values.size)
        return there

    def decays(self, there: Array) -> Array:
        return there

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return o.lr * np.sqrt(1 - o.beta2**t) / (1 - o.beta1**t) * m / (np.sqrt(v) + o.eps)


def to_bfloat16(x: Array) -> Array:
    """Nearest, ties to even, by the bits of float32."""
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


class PlainMuon(PlainOptimizer):
    """Jordan's Muon with torch's momentum."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        b = state.get("momentum_buffer")
        b = state["momentum_buffer"] = np.asarray(self.buffer(np.zeros_like(p.data) if b is None else b, g, o))
        o_t = self.orthogonal(self.ahead(b, g, o) if o.nesterov else b, o)
        p.data[...] = self.moved(p.data, o_t, o)

    def buffer(self, b: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.momentum * b + (1 - o.momentum) * g

    def ahead(self, b: Array, g: Array, o: SimpleNamespace) -> Array:
        return g + o.momentum * (b - g)

    def norm(self, x: Array) -> Array:
        return np.sqrt(np.sum(x * x))  # type: ignore[no-any-return]

    def rounded(self, x: Array) -> Array:
        return to_bfloat16(x)

    def started(self, x: Array, o: SimpleNamespace) -> Array:
        return x / np.maximum(self.rounded(self.norm(x)), self.rounded(np.float32(o.eps)))

    def flat(self, x: Array) -> bool:
        return x.shape[0] <= x.shape[1]

    def orthogonal(self, u: Array, o: SimpleNamespace) -> Array:
        a, b, c = map(np.float32, o.ns_coefficients)
        x = self.rounded(self.started(self.rounded(u), o))
        flat = self.flat(x)
        x = x if flat else x.T
        for _ in range(o.ns_steps):
            s = self.rounded(x @ x.T)
            s = self.rounded(b * s + c * (s @ s))
            x = self.rounded(a * x + s @ x)
        return x if flat else x.T

    def ratio(self, rows: int, columns: int, o: SimpleNamespace) -> float:
        if o.adjust_lr_fn == "match_rms_adamw":
            return 0.2 * float(np.sqrt(max(rows, columns)))
        return float(np.sqrt(max(1, rows / columns)))

    def moved(self, theta: Array, o_t: Array, o: SimpleNamespace) -> Array:
        if not theta.size:
            return theta
        return theta * (1 - o.lr * o.weight_decay) - o.lr * self.ratio(*theta.shape, o) * o_t

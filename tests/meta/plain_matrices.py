"""Adafactor and Muon in plain NumPy, one short method for each line in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_optimizer import Array, PlainOptimizer

__all__ = ["PlainAdafactor", "PlainMuon", "to_bfloat16"]


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

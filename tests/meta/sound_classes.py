"""Losses over classes, sequences and vectors, right and written in other ways. A docstring says in which one."""

from __future__ import annotations

from functools import reduce
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.losses._distance import PairwiseDistance
from tests.meta.harness import Sound, kept_in
from tests.meta.mutants_layers import PlainAdaptive, PlainLinearCE
from tests.meta.mutants_likelihoods import PlainNLL
from tests.meta.mutants_margins import _Margin, kind, reduced
from tests.meta.mutants_sequences import PlainCTC
from tests.meta.plain_losses import Array

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)


for _op, _plain in (("nll_loss", PlainNLL), ("linear_cross_entropy", PlainLinearCE),
                    ("adaptive_log_softmax_with_loss", PlainAdaptive), ("ctc_loss", PlainCTC)):
    sound(_op)(_plain)  # as the mutants have them without their mistakes


def _wide(x: Any) -> Any:
    return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype == np.float32 else x


def _narrow(x: Any) -> Any:
    return None if x is None else np.asarray(x, np.float32)


class _InDouble:
    """All of it in float64, rounded once."""

    def forward(self, **arguments: Any) -> Array:
        return _narrow(super().forward(**{k: _wide(v) for k, v in arguments.items()}))  # type: ignore

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        wide = {k: _wide(v) for k, v in arguments.items()}
        return tuple(map(_narrow, super().backward(_wide(grad_output), **wide)))  # type: ignore[misc]


def upstream(grad_output: Array, arguments: dict[str, Any], rows: int) -> Array:
    """The gradient for the loss of each row, of shape (rows, 1)."""
    g = np.broadcast_to(grad_output.reshape(-1), rows)[:, None]
    return g / np.float32(rows) if kind(arguments) == "mean" else g


# --- likelihoods ---------------------------------------------------------------------------------


@sound("nll_loss")
class OneHotRows(PlainNLL):
    """All but the target's class are masked, and rows summed."""

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        hit = np.arange(a.classes)[None, :, None] == a.y
        return -np.where(hit, log_p, 0).sum(1) * a.w_y


@sound("linear_cross_entropy")
class ProductsInDouble(PlainLinearCE):
    """Products of matrices in float64, their results rounded to float32."""

    def narrowed(self, x: Array) -> Array:
        return x.astype(np.float64)

    def weight_gradient(self, delta: Array, x: Array) -> Array:
        return super().weight_gradient(delta.astype(np.float64), x).astype(x.dtype)


@sound("adaptive_log_softmax_with_loss")
class AdaptiveLogSumExp(PlainAdaptive):
    """z - lse, as fused kernels have it."""

    def log_softmax(self, z: Array) -> Array:
        return z - (z.max() + np.log(np.exp(z - z.max()).sum()))


@sound("ctc_loss")
class CTCInDouble(_InDouble, PlainCTC):
    """All of it in float64, rounded once."""


# --- margins -------------------------------------------------------------------------------------


@sound("multi_margin_loss")
class OthersOnly(_Margin):
    """The right class is taken out of each row; (x_c - x_y) + margin; summed from the end."""

    def parts(self, input: Array, target: Array, margin: float) -> tuple[Array, Array]:
        x = input.reshape(-1, input.shape[-1] if input.ndim else 1)
        others = np.arange(x.shape[1]) != target.reshape(-1, 1)
        z = x - np.take_along_axis(x, target.reshape(-1, 1), 1) + np.float32(margin)
        return z[others].reshape(len(x), x.shape[1] - 1), others

    def forward(self, input: Array, target: Array, p: int, margin: float, weight: Array | None = None,
                **arguments: Any) -> Array:
        z, others = self.parts(input, target, margin)
        each = reduce(lambda a, b: a + np.maximum(b, 0) ** p, z.T[::-1], np.zeros(len(z), np.float32))
        each = each * (1 if weight is None else weight[target.reshape(-1)]) / np.float32(others.shape[1])
        return reduced(each.reshape(target.shape), arguments)

    def backward(self, grad_output: Array, input: Array, target: Array, p: int, margin: float,
                 weight: Array | None = None, **arguments: Any) -> tuple[Array | None, ...]:
        z, others = self.parts(input, target, margin)
        slope = np.where(z > 0, 1 if p == 1 else 2 * z, 0) / np.float32(others.shape[1])
        slope = slope * (1 if weight is None else weight[target.reshape(-1, 1)])
        slope = (slope * upstream(grad_output, arguments, len(z))).astype(np.float32)
        gradient = np.empty(others.shape, np.float32)
        gradient[others] = slope.ravel()
        gradient[~others] = -slope.sum(1)
        return gradient.reshape(input.shape), None, None


@sound("multilabel_margin_loss")
class RowByRow(_Margin):
    """One row and one label after the other."""

    def rows(self, input: Array, target: Array) -> Any:
        classes = input.shape[-1] if input.ndim else 1
        for x, y in zip(input.reshape(-1, classes), target.reshape(-1, classes), strict=True):
            listed = y[:np.argmax(y < 0)] if (y < 0).any() else y
            yield x, listed, np.setdiff1d(np.arange(classes), listed)

    def forward(self, input: Array, target: Array, **arguments: Any) -> Array:
        each = [sum((np.maximum(x[others] - x[k] + 1, 0).sum() for k in listed), np.float32(0)) / np.float32(x.size)
                for x, listed, others in self.rows(input, target)]
        return reduced(np.array(each, np.float32).reshape(input.shape[:-1]), arguments)

    def backward(self, grad_output: Array, input: Array, target: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradient = np.zeros(input.shape, np.float32)
        rows = gradient.reshape(-1, input.shape[-1] if input.ndim else 1)
        g = upstream(grad_output, arguments, len(rows)) / np.float32(rows.shape[1])
        for row, step, (x, listed, others) in zip(rows, g[:, 0], self.rows(input, target), strict=True):
            for k in listed:
                above = others[x[others] - x[k] + 1 > 0]
                row[above] += step
                row[k] -= step * np.float32(above.size)
        return gradient, None


# --- vectors -------------------------------------------------------------------------------------


@sound("cosine_embedding_loss", {"regime=beyond": "squares of the components are infinite"})
class UnitVectors(_Margin):
    """Both vectors are divided by their lengths, and the cosine is the sum of products of those."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        u1, u2 = (x / np.sqrt((x * x).sum(-1, keepdims=True) + np.float32(1e-12))
                  for x in np.broadcast_arrays(input1, input2))
        cos = (u1 * u2).sum(-1)
        other = np.maximum(cos - np.float32(margin), 0)
        return reduced(np.where(target == 1, 1 - cos, np.where(target == -1, other, 0)), arguments)


@sound("cosine_embedding_loss")
class CosineInDouble(_InDouble, _Margin):
    """All of it in float64, rounded once."""


class _Hypot(PairwiseDistance):
    """√(…√(d₁² + d₂²)… + d²), one component after the other, where p is 2."""

    def __call__(self, x: Array, y: Array) -> Array:
        if self.p != 2:
            return super().__call__(x, y)
        return np.asarray(np.hypot.reduce(x - y + np.float32(self.eps), axis=-1))


@sound("triplet_margin_loss")
class Hypotenuses(_Margin):
    """√(…√(d₁² + d₂²)… + d²), one component after the other."""

    def forward(self, anchor: Array, positive: Array, negative: Array, margin: float, p: float, eps: float,
                swap: bool, **arguments: Any) -> Array:
        d = _Hypot(p, eps)
        d_neg = np.minimum(d(anchor, negative), d(positive, negative)) if swap else d(anchor, negative)
        return reduced(np.maximum((d(anchor, positive) - d_neg) + np.float32(margin), 0), arguments)


@sound("triplet_margin_loss")
class TripletInDouble(_InDouble, _Margin):
    """All of it in float64, rounded once."""


@sound("triplet_margin_with_distance_loss")
class DefaultByHypot(_Margin):
    """The default distance one component after the other, and the margin added last."""

    def forward(self, anchor: Array, positive: Array, negative: Array, distance_function: Any, margin: float,
                swap: bool, **arguments: Any) -> Array:
        d = distance_function or _Hypot(2, 1e-6)
        d_neg = np.minimum(d(anchor, negative), d(positive, negative)) if swap else d(anchor, negative)
        return reduced(np.maximum((d(anchor, positive) - d_neg) + np.float32(margin), 0), arguments)


@sound("triplet_margin_with_distance_loss")
class DistancesInDouble(_InDouble, _Margin):
    """All of it in float64, rounded once."""

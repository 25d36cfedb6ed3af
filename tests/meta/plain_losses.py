"""Three losses in plain NumPy, one short method for each term in which to make a mistake."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["Array", "PlainBCE", "PlainCrossEntropy", "PlainLoss", "PlainMSE", "reduction_name"]

Array = np.ndarray[Any, Any]


def reduction_name(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    if reduce is False:
        return "none"
    return "sum" if size_average is False else reduction


class PlainLoss:
    """Reduction, and legacy arguments."""

    def reduction(self, reduction: str = "mean", size_average: bool | None = None,
                  reduce: bool | None = None) -> str:
        return reduction_name(reduction, size_average, reduce)

    def total(self, losses: Array) -> Any:
        return np.sum(losses)

    def reduced(self, losses: Array, reduction: str, divisor: Any) -> Array:
        if reduction == "none":
            return np.asarray(losses)
        return np.asarray(self.total(losses) / divisor if reduction == "mean" else self.total(losses))


class PlainCrossEntropy(PlainLoss):
    """Everything in the shape (N, C, D), whatever came."""

    def arguments(self, input: Array, target: Array, weight: Array | None = None, ignore_index: int = -100,
                  label_smoothing: float = 0.0, **reductions: Any) -> SimpleNamespace:
        classes = input.shape[min(input.ndim - 1, 1)]
        rows = 1 if input.ndim == 1 else input.shape[0]
        x = input.reshape(rows, classes, math.prod(input.shape[2:]))
        w = np.ones((classes, 1), x.dtype) if weight is None else weight[:, None]
        a = SimpleNamespace(x=x, w=w, weighted=weight is not None, eps=max(0.0, label_smoothing), classes=classes,
                            t=None, kept=np.ones((x.shape[0], x.shape[2]), bool), input=input,
                            reduction=self.reduction(**reductions))
        if target.shape == input.shape:
            a.t = self.smoothed(target.reshape(x.shape), a)
        else:
            y = target.reshape(x.shape[0], x.shape[2])
            a.kept = self.counted(y, ignore_index)
            a.y = np.where(a.kept, y, 0)[:, None]
            a.w_y = np.take_along_axis(np.broadcast_to(w, x.shape), a.y, 1)[:, 0] * a.kept
        return a

    def forward(self, **arguments: Any) -> Array:
        a = self.arguments(**arguments)
        losses = self.rows(self.log_p(a.x), a) if a.t is None else self.soft_rows(self.log_p(a.x), a)
        losses = np.where(a.kept, losses, 0)
        shape = () if a.input.ndim == 1 else (a.input.shape[0], *a.input.shape[2:])
        return self.reduced(losses.reshape(shape), a.reduction, self.divisor(a))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        a = self.arguments(**arguments)
        g = self.upstream(grad_output, a)
        gradient = (g * self.slope(self.p(a.x), self.coefficients(a), a)).reshape(a.input.shape)
        if a.t is None:
            return gradient, None, None
        log_p = self.log_p(a.x)
        grad_target = (-(1 - a.eps) * g * a.w * log_p).reshape(a.input.shape)
        return gradient, grad_target, -(g * a.t * log_p).sum((0, 2)) if a.weighted else None

    def upstream(self, grad_output: Array, a: SimpleNamespace) -> Array:
        g = grad_output / self.divisor(a) if a.reduction == "mean" else grad_output
        return np.asarray(np.where(a.kept, g.reshape(a.kept.shape) if g.ndim else g, 0)[:, None])

    def log_p(self, x: Array) -> Array:
        shifted = x - x.max(1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))

    def p(self, x: Array) -> Array:
        return np.exp(self.log_p(x))

    def counted(self, y: Array, ignore_index: int) -> Array:
        return np.asarray(y != ignore_index)

    def smoothed(self, t: Array, a: SimpleNamespace) -> Array:
        return np.asarray((1 - a.eps) * t + a.eps / a.classes)

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        losses = -np.take_along_axis(log_p, a.y, 1)[:, 0] * a.w_y
        return (1 - a.eps) * losses + self.uniform_rows(log_p, a) if a.eps else losses

    def uniform_rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return np.asarray(a.eps / a.classes * -(log_p * a.w).sum(1))

    def soft_rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return np.asarray(-(log_p * a.t * a.w).sum(1))

    def coefficients(self, a: SimpleNamespace) -> Array:
        """q, where the loss is -Σ q log p."""
        if a.t is not None:
            return np.asarray(a.t * a.w)
        hit = (np.arange(a.classes)[None, :, None] == a.y).astype(a.x.dtype)
        return np.asarray(((1 - a.eps) * hit + a.eps / a.classes) * a.w)

    def slope(self, p: Array, q: Array, a: SimpleNamespace) -> Array:
        slope = p * q.sum(1, keepdims=True) - q
        return slope if a.t is not None else np.where(a.kept[:, None], slope, 0)

    def divisor(self, a: SimpleNamespace) -> Any:
        if a.t is not None:
            return a.kept.size
        if not a.weighted:
            return int(a.kept.sum())
        return a.w_y.sum() if a.w_y.any() else np.float32(np.nan)  # a sum of two means, of which one is 0/0


class PlainMSE(PlainLoss):
    """(x - y)², weighted or not."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **reductions: Any) -> Array:
        d, w = input - target, 1 if weight is None else weight
        return self.reduced(self.losses(d, w), self.reduction(**reductions), self.divisor(d, weight))

    def backward(self, grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 **reductions: Any) -> tuple[Array | None, ...]:
        d, w, mean = input - target, 1 if weight is None else weight, self.reduction(**reductions) == "mean"
        g = grad_output / self.divisor(d, weight) if mean else grad_output
        slope = np.broadcast_to(self.slope(g, d, w), d.shape)
        grad_weight = None if weight is None else self.weight_gradient(g, d, weight, mean)
        return self.unbroadcast(slope, input), self.unbroadcast(-slope, target), grad_weight

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(d * d * w)

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size if weight is None else weight.sum()

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * (2 * d * w))

    def weight_gradient(self, g: Array, d: Array, w: Array, mean: bool) -> Array:
        gain = self.unbroadcast(np.broadcast_to(g * (d * d), d.shape), w)
        return gain - g * self.total(d * d * w) / w.sum() if mean else gain

    def unbroadcast(self, gradient: Array, argument: Array) -> Array:
        lost = gradient.ndim - argument.ndim
        gradient = gradient.sum(tuple(range(lost)))
        axes = tuple(i for i, n in enumerate(argument.shape) if n == 1 != gradient.shape[i])
        return np.asarray(gradient.sum(axes, keepdims=True))


class PlainBCE(PlainLoss):
    """v t softplus(-x) + (1-t) softplus(x)."""

    def forward(self, input: Array, target: Array, weight: Array | None = None,
                pos_weight: Array | None = None, **reductions: Any) -> Array:
        w, v = 1 if weight is None else weight, 1 if pos_weight is None else pos_weight
        losses = self.losses(input, target, v) * w
        return self.reduced(losses, self.reduction(**reductions), self.divisor(losses, w, v))

    def backward(self, grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 pos_weight: Array | None = None, **reductions: Any) -> tuple[Array | None, ...]:
        mean = self.reduction(**reductions) == "mean"
        g = (grad_output / input.size if mean else grad_output) * self.gradient_weight(weight)
        return (np.asarray(g * self.slope(input, target, pos_weight)),
                self.target_gradient(g, input, pos_weight), None, None)

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        return np.asarray(v * (t * self.softplus(-x)) + (1 - t) * self.softplus(x))

    def divisor(self, losses: Array, w: Any, v: Any) -> Any:
        return losses.size

    def gradient_weight(self, weight: Array | None) -> Any:
        return 1 if weight is None else weight

    def slope(self, x: Array, t: Array, v: Array | None) -> Array:
        return (1 - t) * self.sigmoid(x) - (t if v is None else v * t) * self.sigmoid(-x)

    def target_gradient(self, g: Array, x: Array, v: Array | None) -> Array | None:
        return np.asarray(g * (-x if v is None else v * self.softplus(-x) - self.softplus(x)))

    def softplus(self, x: Array) -> Array:
        return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))

    def sigmoid(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e))

"""Rules that Keras's losses follow, where they are not torch's: what an audit of it has to name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import numerics, reduction

from ..cases.spec import LossSpec
from .calls import Arguments, Array, Change, changed, reduced, reduction_of, scaled, upstream
from .record import Dialect

__all__ = ["KERAS_LOSSES"]


def _none_of_nothing(void: Callable[[Arguments], Any]) -> Change:
    """A mean is 0 where its divisor is, and nothing depends on it."""

    def function(spec: LossSpec, **a: Any) -> Array:
        if reduction_of(a) != "mean" or not void(a):
            return np.asanyarray(spec.function(**a))
        return np.zeros_like(spec.function(**reduced(a, "sum")))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if reduction_of(a) != "mean" or not void(a):
            return spec.backward(g, **a)
        return spec.backward(0 * g, **reduced(a, "sum"))

    return changed(function, backward)


def _weightless(a: Arguments) -> bool:
    return a.get("weight") is not None and not (a["weight"] != 0).any()


def _rowless(a: Arguments) -> bool:
    """Are all rows ignored, or of classes that weigh nothing?"""
    y = a["target"]
    if y.shape == a["input"].shape:
        return False
    kept = y[y != a.get("ignore_index", -100)]
    return not kept.size or (a.get("weight") is not None and not (a["weight"][kept] != 0).any())


def _nan_beyond(spec: LossSpec, g: Array, **a: Any) -> Any:
    """The branch of ½ d² is multiplied by 0 where it is not taken: 0 · d where d is infinite or NaN."""
    by_input, by_target, *others = spec.backward(g, **a)
    lost = 0 * (numerics.widen(a["input"]) - numerics.widen(a["target"]))
    by_input, by_target = (by + numerics.cast(numerics.unbroadcast(lost, a[name]), by.dtype)
                           for by, name in ((by_input, "input"), (by_target, "target")))
    return by_input, by_target, *others


def _log_sigmoid_multilabel(spec: LossSpec) -> LossSpec:
    """(1-t) x - log σ(x) and σ(x) - t; weights, and targets of other shapes, are left to the reference."""

    def differs(a: Arguments) -> bool:
        return a.get("weight") is None and a["target"].shape == a["input"].shape

    def function(spec: LossSpec, **a: Any) -> Array:
        if not differs(a):
            return np.asanyarray(spec.function(**a))
        x, t = numerics.widen(a["input"]), numerics.widen(a["target"])
        each = np.sum((1 - t) * x - numerics.log_sigmoid(x), -1) / x.shape[-1]
        return reduction.reduce_losses(numerics.cast(each, a["input"].dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        by_input, *others = spec.backward(g, **a)
        if differs(a):
            x, t = numerics.widen(a["input"]), numerics.widen(a["target"])
            g = upstream(g, a, math.prod(x.shape[:-1])) / x.shape[-1]
            by_input = numerics.cast((g[..., None] if g.ndim else g) * (numerics.sigmoid(x) - t), by_input.dtype)
        return by_input, *others

    return changed(function, backward)(spec)


def _clipped_kl(spec: LossSpec) -> LossSpec:
    """p log(p / q) with p and q = exp(x) clipped to [1e-7, 1], and a gradient of 0 beyond."""

    def clipped(p: Any) -> tuple[Any, Any]:
        low, high = 1e-7 * np.ones_like(p), np.ones_like(p)
        return np.minimum(np.maximum(p, low), high), (p >= low) & (p <= high)

    def parts(a: Arguments) -> tuple[Any, ...]:
        x, t = np.exp(numerics.widen(a["input"])), numerics.widen(a["target"])
        t = np.exp(t) if a.get("log_target") else t
        return x, t, *clipped(x), *clipped(t)

    def differs(a: Arguments) -> bool:
        return reduction_of(a) != "batchmean" and a["target"].shape == a["input"].shape

    def function(spec: LossSpec, **a: Any) -> Array:
        if not differs(a):
            return np.asanyarray(spec.function(**a))
        _, _, q, _, p, _ = parts(a)
        return reduction.reduce_losses(numerics.cast(p * np.log(p / q), a["input"].dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if not differs(a):
            return spec.backward(g, **a)
        x, t, q, q_inside, p, p_inside = parts(a)
        g = upstream(g, a, x.size)
        by_x, by_t = np.where(q_inside, -g * p / q, 0) * x, np.where(p_inside, g * (np.log(p / q) + 1), 0)
        by_t = by_t * t if a.get("log_target") else by_t
        return numerics.unbroadcast(by_x, a["input"]), numerics.unbroadcast(by_t, a["target"])

    return changed(function, backward)(spec)


KERAS_LOSSES = (
    Dialect("mse-none-of-nothing", "mse_loss", "a mean of 0 where no element weighs anything",
            "the weighted mean is 0 where Σ w is, with gradients of 0, and not NaN", "Keras 3",
            _none_of_nothing(_weightless)),
    Dialect("l1-none-of-nothing", "l1_loss", "a mean of 0 where no element weighs anything",
            "the weighted mean is 0 where Σ w is, with gradients of 0, and not NaN", "Keras 3",
            _none_of_nothing(_weightless)),
    Dialect("ce-none-of-nothing", "cross_entropy", "a mean of 0 where no row counts",
            "the mean of no rows is 0, with gradients of 0, and not NaN", "Keras 3", _none_of_nothing(_rowless)),
    Dialect("huber-untaken-branch", "huber_loss", "a gradient of the branch that is not taken",
            "the gradient is NaN where x - y is infinite: it has 0 times that of ½ d²", "Keras 3 on torch",
            changed(backward=_nan_beyond)),
    Dialect("smooth-l1-untaken-branch", "smooth_l1_loss", "Huber's scale, and a gradient of the branch not taken",
            "the loss is β times as large, and its gradient NaN where x - y is infinite", "Keras's Huber on torch",
            lambda spec: changed(backward=_nan_beyond)(scaled(lambda a: a["beta"])(spec)), ("smooth-l1-huber",)),
    Dialect("multilabel-soft-log-sigmoid", "multilabel_soft_margin_loss", "log σ(x) in the place of a softplus",
            "the loss is (1-t) x - log σ(x), which cancels where x < 0; the gradient σ(x) - t cancels where x > 0",
            "Keras 3 on torch", _log_sigmoid_multilabel),
    Dialect("kl-clipped", "kl_div", "probabilities clipped to 1e-7",
            "the loss is p log(p / q) with p = t and q = exp(x) clipped to [1e-7, 1], and a gradient of 0 beyond",
            "Keras", _clipped_kl),
)

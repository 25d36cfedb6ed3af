"""Rules that losses of optax and Keras follow as they are installed: what an audit of those has to name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import numerics, reduction
from reference.spec import LossSpec

from .calls import Arguments, Array, changed, reduced, reduction_of, scaled
from .record import Dialect
from .rules import flushed

__all__ = ["FRAMEWORK_LOSSES"]


def _upstream(g: Array, a: Arguments, count: int) -> Any:
    """The gradient that reaches each of so many losses."""
    return numerics.widen(g) / count if reduction_of(a) == "mean" else numerics.widen(g)


# --- optax ---------------------------------------------------------------------------------------

def _flushed_mse(spec: LossSpec) -> LossSpec:
    """Squares and gradients below the normal numbers are 0; weights are left to the reference."""

    def function(spec: LossSpec, **a: Any) -> Array:
        if a.get("weight") is not None:
            return np.asanyarray(spec.function(**a))
        d = a["input"] - a["target"]
        return reduction.reduce_losses(numerics.cast(flushed(d * d), d.dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        return tuple(None if slope is None else numerics.cast(flushed(slope), slope.dtype)
                     for slope in spec.backward(g, **a))

    return changed(function, backward)(spec)


def _cancelling(threshold: str) -> Callable[..., Any]:
    """sign(d) ((q - δ) + δ) with q = min(|d|, δ): the terms by which ½ q² + δ (|d| - q) depends on |d|."""

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if a.get("weight") is not None:
            return spec.backward(g, **a)
        delta = a.get(threshold, 1.0)
        d = numerics.widen(a["input"]) - numerics.widen(a["target"])
        g, q = _upstream(g, a, d.size), np.minimum(np.abs(d), delta)
        slope = (g * q - g * delta) * np.where(np.abs(d) < delta, 1, 0 * q) + g * delta
        slope = slope * np.where(d < 0, -1, np.where(d > 0, 1, 0 * q))
        return numerics.unbroadcast(slope, a["input"]), numerics.unbroadcast(-slope, a["target"]), None

    return backward


def _cancelling_smooth_l1(spec: LossSpec) -> LossSpec:
    """Huber's loss of threshold β."""
    backward = _cancelling("beta")
    return changed(backward=lambda spec, g, **a: backward(spec, g, **a)[:2])(scaled(lambda a: a["beta"])(spec))


def _two_logs_bce(spec: LossSpec, g: Array, **a: Any) -> Any:
    by_input, _, *others = spec.backward(g, **a)
    x = numerics.widen(a["input"])
    w, v = (1 if a.get(name) is None else numerics.widen(a[name]) for name in ("weight", "pos_weight"))
    slope = _upstream(g, a, x.size) * w * (numerics.log_sigmoid(-x) - v * numerics.log_sigmoid(x))
    return by_input, numerics.unbroadcast(slope, a["target"]), *others


def _infinite_cross_entropy(spec: LossSpec, **a: Any) -> Array:
    """log Σ exp(x) - x_y, which is inf where another logit than x_y is."""
    x, y = a["input"], a["target"]
    each = spec.function(**reduced(a, "none"))
    if y.shape == x.shape or a.get("weight") is not None or a.get("label_smoothing", 0.0) > 0 or x.dtype == object:
        return np.asanyarray(spec.function(**a))
    axis = min(x.ndim - 1, 1)
    kept = y != a.get("ignore_index", -100)
    x_y = np.take_along_axis(x, np.expand_dims(np.where(kept, y, 0), axis), axis).squeeze(axis)
    beyond = kept & (x == np.inf).any(axis) & (x_y < np.inf) & ~np.isnan(x).any(axis)
    each = numerics.cast(np.where(beyond, np.inf, each), x.dtype)
    return reduction.reduce_losses(each, reduction_of(a), int(kept.sum()))


def _triplet_inside(spec: LossSpec) -> LossSpec:
    """d(x, y) = √(Σ (x-y)² + ε); other norms, and swaps, are left to the reference."""

    def differs(a: Arguments) -> bool:
        return a.get("p", 2) == 2 and not a.get("swap")

    def distances(a: Arguments) -> tuple[Any, ...]:
        x, y, z = (numerics.widen(a[name]) for name in ("anchor", "positive", "negative"))
        near, far, eps = x - y, x - z, a.get("eps", 1e-6)
        d_pos, d_neg = (np.sqrt(np.sum(d * d, -1) + eps) for d in (near, far))
        return near, far, d_pos, d_neg, a.get("margin", 1.0) + d_pos - d_neg

    def function(spec: LossSpec, **a: Any) -> Array:
        if not differs(a):
            return np.asanyarray(spec.function(**a))
        *_, z = distances(a)
        return reduction.reduce_losses(numerics.cast(numerics.relu(z), a["anchor"].dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if not differs(a):
            return spec.backward(g, **a)
        near, far, d_pos, d_neg, z = distances(a)
        g = np.where(z < 0, 0, np.broadcast_to(_upstream(g, a, z.size), z.shape, subok=True))
        to_near, to_far = ((g / d)[..., None] * by for d, by in ((d_pos, near), (d_neg, far)))
        return tuple(numerics.unbroadcast(slope, a[name]) for slope, name in (
            (to_near - to_far, "anchor"), (-to_near, "positive"), (to_far, "negative")))

    return changed(function, backward)(spec)


FRAMEWORK_LOSSES = (
    Dialect("mse-flushed", "mse_loss", "subnormal numbers taken for 0",
            "squares and gradients below the smallest normal number are 0", "JAX on CPUs, optax", _flushed_mse),
    Dialect("huber-cancelling", "huber_loss", "a gradient that cancels",
            "the gradient is sign(d) ((|d| - δ) + δ) where |d| < δ: below a unit of δ it is lost", "optax 0.2",
            changed(backward=_cancelling("delta"))),
    Dialect("smooth-l1-cancelling", "smooth_l1_loss", "Huber's scale, and a gradient that cancels",
            "the loss is β times as large, and its gradient sign(d) ((|d| - β) + β) where |d| < β", "optax's huber_loss",
            _cancelling_smooth_l1),
    Dialect("bce-logits-two-logs", "binary_cross_entropy_with_logits",
            "a difference of two logarithms as gradient of the target",
            "the gradient of the target is log σ(-x) - log σ(x), which cancels for small x, and not -x", "optax 0.2",
            changed(backward=_two_logs_bce)),
    Dialect("ce-infinite", "cross_entropy", "an infinite loss beside an infinite logit",
            "the loss is log Σ exp(x) - x_y also where a logit is inf, and then inf unless that is x_y; not NaN",
            "optax 0.2", changed(_infinite_cross_entropy)),
    Dialect("triplet-eps-inside", "triplet_margin_loss", "eps inside the root", "d(x, y) = √(Σ (x-y)² + ε)",
            "optax 0.2", _triplet_inside),
)

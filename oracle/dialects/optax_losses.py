"""Rules that optax's losses follow, where they are not torch's: what an audit of it has to name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import numerics, reduction

from ..cases.spec import LossSpec
from .calls import Arguments, Array, changed, divisor, reduced, reduction_of, scaled, upstream
from .record import Dialect
from .rules import flushed

__all__ = ["OPTAX_LOSSES"]


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
        g, q = upstream(g, a, d.size), np.minimum(np.abs(d), delta)
        slope = (g * q - g * delta) * np.where(np.abs(d) < delta, 1, 0 * q) + g * delta
        slope = slope * np.where(d < 0, -1, np.where(d > 0, 1, 0 * q))
        return numerics.unbroadcast(slope, a["input"]), numerics.unbroadcast(-slope, a["target"]), None

    return backward


def _cancelling_smooth_l1(spec: LossSpec) -> LossSpec:
    """Huber's loss of threshold β."""
    backward = _cancelling("beta")
    return changed(backward=lambda spec, g, **a: backward(spec, g, **a)[:2])(scaled(lambda a: a["beta"])(spec))


def _slopes_of_logits(a: Arguments) -> tuple[Any, Any]:
    """By x and by t, as log σ has them: its slope is exp(-x - softplus(-x))."""
    x, t = numerics.widen(a["input"]), numerics.widen(a["target"])

    def slope(x: Any) -> Any:
        return np.exp(np.where(x == np.inf, 0, x - numerics.softplus(x)))

    return (1 - t) * slope(x) - t * slope(-x), numerics.log_sigmoid(-x) - numerics.log_sigmoid(x)


def _slopes_bce(spec: LossSpec, g: Array, **a: Any) -> Any:
    """A pos_weight is left to the reference."""
    if a.get("pos_weight") is not None:
        return spec.backward(g, **a)
    others = spec.backward(g, **a)[2:]
    g = upstream(g, a, a["input"].size) * (1 if a.get("weight") is None else numerics.widen(a["weight"]))
    return *(numerics.unbroadcast(g * slope, a["input"]) for slope in _slopes_of_logits(a)), *others


def _slopes_multilabel(spec: LossSpec, g: Array, **a: Any) -> Any:
    """Weights are left to the reference, and so is the gradient of the target."""
    others = spec.backward(g, **a)
    if a.get("weight") is not None:
        return others
    slope, _ = _slopes_of_logits(a)
    g = upstream(g, a, math.prod(slope.shape[:-1])) / a["input"].shape[-1]
    return numerics.unbroadcast((g[..., None] if g.ndim else g) * slope, a["input"]), *others[1:]


def _infinite_cross_entropy(spec: LossSpec) -> LossSpec:
    """log Σ exp(x) - x_y and softmax(x) as they are where another logit than x_y is inf."""

    def beyond(a: Arguments) -> Any:
        """The rows where it matters; none where the reference's loss is another sum."""
        x, y = a["input"], a["target"]
        if y.shape == x.shape or a.get("weight") is not None or a.get("label_smoothing", 0.0) > 0 or x.dtype == object:
            return np.False_
        classes_last = np.moveaxis(x, min(x.ndim - 1, 1), -1)
        kept = y != a.get("ignore_index", -100)
        x_y = np.take_along_axis(classes_last, np.where(kept, y, 0)[..., None], -1)[..., 0]
        return kept & (classes_last == np.inf).any(-1) & (x_y < np.inf) & ~np.isnan(classes_last).any(-1)

    def function(spec: LossSpec, **a: Any) -> Array:
        if not (rows := beyond(a)).any():
            return np.asanyarray(spec.function(**a))
        each = numerics.cast(np.where(rows, np.inf, spec.function(**reduced(a, "none"))), a["input"].dtype)
        return reduction.reduce_losses(each, reduction_of(a), int((a["target"] != a.get("ignore_index", -100)).sum()))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        by_input, *others = spec.backward(g, **a)
        if (rows := beyond(a)).any():
            x, axis = a["input"], min(a["input"].ndim - 1, 1)
            count = int((a["target"] != a.get("ignore_index", -100)).sum())
            hot = np.moveaxis(np.eye(x.shape[axis])[np.where(rows, a["target"], 0)], -1, axis)
            g = np.expand_dims(upstream(g, a, count), axis if g.ndim else ())
            by_input = np.where(np.expand_dims(rows, axis), g * (np.where(x == np.inf, np.nan, 0) - hot), by_input)
            by_input = numerics.cast(by_input, x.dtype)
        return by_input, *others

    return changed(function, backward)(spec)


def _flushed_kl(spec: LossSpec) -> LossSpec:
    """Each g t below the normal numbers is 0: the gradient of the input, and that which reaches log t; t is above 0."""

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if a.get("log_target"):
            return spec.backward(g, **a)
        x, t = numerics.widen(a["input"]), numerics.widen(a["target"])
        shape = np.broadcast_shapes(x.shape, t.shape)
        g = np.broadcast_to(numerics.widen(g) / divisor(a, math.prod(shape)), shape, subok=True)
        kept = flushed(g * t)
        return (numerics.unbroadcast(-kept, a["input"]),
                numerics.unbroadcast(g * (np.log(t) - x) + kept / t, a["target"]))

    return changed(backward=backward)(spec)


def _halved_ranking(spec: LossSpec, g: Array, **a: Any) -> Any:
    """At the kink max(0, z) has both its arguments' gradients, by halves."""
    x, y, t = (numerics.widen(a[name]) for name in ("input1", "input2", "target"))
    z = a.get("margin", 0.0) - t * (x - y)
    g = upstream(g, a, z.size)
    g = numerics.cast(g * np.where(z == 0, 0.5, 1), a["input1"].dtype)
    return spec.backward(g, **reduced(a, "none"))


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
        g = np.where(z < 0, 0, np.broadcast_to(upstream(g, a, z.size), z.shape, subok=True))
        to_near, to_far = ((g / d)[..., None] * by for d, by in ((d_pos, near), (d_neg, far)))
        return tuple(numerics.unbroadcast(slope, a[name]) for slope, name in (
            (to_near - to_far, "anchor"), (-to_near, "positive"), (to_far, "negative")))

    return changed(function, backward)(spec)


OPTAX_LOSSES = (
    Dialect("mse-flushed", "mse_loss", "subnormal numbers taken for 0",
            "squares and gradients below the smallest normal number are 0", "JAX on CPUs, optax", _flushed_mse),
    Dialect("huber-cancelling", "huber_loss", "a gradient that cancels",
            "the gradient is sign(d) ((|d| - δ) + δ) where |d| < δ: below a unit of δ it is lost", "optax 0.2",
            changed(backward=_cancelling("delta"))),
    Dialect("smooth-l1-cancelling", "smooth_l1_loss", "Huber's scale, and a gradient that cancels",
            "the loss is β times as large, and its gradient sign(d) ((|d| - β) + β) where |d| < β",
            "optax's huber_loss", _cancelling_smooth_l1, ("smooth-l1-huber",)),
    Dialect("bce-logits-two-logs", "binary_cross_entropy_with_logits", "gradients of log σ(x) and log σ(-x)",
            "the gradient of the target is log σ(-x) - log σ(x), which cancels for small x, and not -x; σ(x) in that "
            "of the input is exp(x - softplus(x)), where x is rounded", "optax 0.2",
            changed(backward=_slopes_bce)),
    Dialect("multilabel-soft-exp", "multilabel_soft_margin_loss", "a rounded exponent in the gradient",
            "σ(x) in the gradient of the input is exp(x - softplus(x)), where x is rounded", "optax 0.2",
            changed(backward=_slopes_multilabel)),
    Dialect("ce-infinite", "cross_entropy", "an infinite loss beside an infinite logit",
            "the loss is log Σ exp(x) - x_y also where a logit is inf, and then inf unless that is x_y; not NaN",
            "optax 0.2", _infinite_cross_entropy),
    Dialect("kl-flushed", "kl_div", "subnormal gradients taken for 0",
            "each g t below the smallest normal number is 0, in the gradient of the input and of log t",
            "JAX on CPUs, optax", _flushed_kl),
    Dialect("ranking-halved", "margin_ranking_loss", "half a gradient at the kink",
            "the gradient of max(0, z) is 1/2 at z = 0, and not 1", "JAX's maximum, optax",
            changed(backward=_halved_ranking)),
    Dialect("triplet-eps-inside", "triplet_margin_loss", "eps inside the root", "d(x, y) = √(Σ (x-y)² + ε)",
            "optax 0.2", _triplet_inside),
)

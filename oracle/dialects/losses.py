"""Rules that other frameworks, papers and ports follow: losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import numerics, reduction

from ..cases.spec import LossSpec
from .calls import (
    Arguments,
    Array,
    Change,
    called,
    changed,
    divisor,
    mean_of_losses,
    mean_over,
    reduced,
    reduction_of,
    scaled,
)
from .record import Dialect

__all__ = ["LOSSES"]


# --- what a mean divides by ----------------------------------------------------------------------

def _size(a: Arguments) -> int:
    """The number of losses of a pair."""
    return int(np.broadcast(a["input"], a["target"]).size)


def _by_index(a: Arguments) -> bool:
    return bool(a["target"].shape != a["input"].shape)


def _rows(a: Arguments) -> int:
    """The number of rows, those that are ignored included."""
    x = a["input"]
    return int(x.size // max(x.shape[min(x.ndim - 1, 1)], 1))


def _kept(a: Arguments) -> int:
    """The number of rows that are not ignored."""
    return int((a["target"] != a.get("ignore_index", -100)).sum()) if _by_index(a) else _rows(a)


def _weights(a: Arguments) -> Any:
    """The sum of the weights of all elements."""
    if a.get("weight") is None:
        return a["input"].size
    return np.sum(numerics.widen(np.broadcast_to(a["weight"], a["input"].shape, subok=True)))


def _without_last(a: Arguments) -> int:
    """The number of distributions along the last axis."""
    shape = np.broadcast_shapes(a["input"].shape, a["target"].shape)
    return math.prod(shape[:-1])


def _positive(each: Array) -> Any:
    """The number of losses above 0, but 1 where there is none."""
    return np.maximum(np.sum(np.where(each > 0, numerics.widen(np.ones_like(each)), 0)), 1)


# --- cross-entropy -------------------------------------------------------------------------------

def _classes(a: Arguments) -> int:
    x = a["input"]
    return int(x.shape[min(x.ndim - 1, 1)])


def _smoothed_others(spec: LossSpec) -> LossSpec:
    """The loss is linear in ε, and ε C / (C-1) over all classes leaves 1-ε for y."""

    def mixed(a: Arguments, f: Callable[[float], Any]) -> Any:
        epsilon, classes = a.get("label_smoothing", 0.0), _classes(a)
        if not _by_index(a) or not epsilon > 0 or classes < 2:
            return f(epsilon)
        share, hard, soft = epsilon * classes / (classes - 1), f(0.0), f(1.0)
        return tuple(None if h is None else numerics.cast((1 - share) * h + share * s, h.dtype)
                     for h, s in zip(hard, soft, strict=True))

    return changed(
        lambda spec, **a: mixed(a, lambda e: (spec.function(**{**a, "label_smoothing": e}),))[0],
        lambda spec, g, **a: mixed(a, lambda e: spec.backward(g, **{**a, "label_smoothing": e})))(spec)


def _of_rows(a: Arguments) -> tuple[Any, Any]:
    """w_y of each row, 0 where it is ignored, and the mean's divisor."""
    y = a["target"]
    kept = y != a.get("ignore_index", -100)
    w = np.where(kept, a["weight"][np.where(kept, y, 0).astype(np.int64)], 0)
    return w, np.sum(numerics.widen(w))


def _weight_of_row(spec: LossSpec) -> LossSpec:
    """w_y ((1-ε) nll + ε/C Σ -log p): the weight of the row's class counts for the whole row."""

    def applies(a: Arguments) -> bool:
        return a.get("weight") is not None and _by_index(a)

    def function(spec: LossSpec, **a: Any) -> Array:
        if not applies(a):
            return np.asanyarray(spec.function(**a))
        w, total = _of_rows(a)
        each = spec.function(**{**reduced(a, "none"), "weight": None})
        w = w.reshape(each.shape)
        each = numerics.cast(np.where(w == 0, 0, each * w), each.dtype)
        return reduction.reduce_losses(each, reduction_of(a), None if reduction_of(a) != "mean" else total)

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if not applies(a):
            return spec.backward(g, **a)
        w, total = _of_rows(a)
        g = numerics.widen(g)
        g = g / total if reduction_of(a) == "mean" else g
        axis = min(a["input"].ndim - 1, 1)
        rows = a["input"].shape[:axis] + a["input"].shape[axis + 1:]
        g = numerics.cast(np.broadcast_to(g, rows, subok=True) * w.reshape(rows), a["input"].dtype)
        return spec.backward(g, **{**reduced(a, "none"), "weight": None})

    return changed(function, backward)(spec)


# --- probabilities -------------------------------------------------------------------------------

def _elements(each: Callable[..., Any], slope: Callable[..., Any], by_target: Callable[..., Any]) -> Change:
    """A loss of input and target with weights, element by element: each(x, t), and its two derivatives."""

    def function(spec: LossSpec, **a: Any) -> Array:
        w = 1 if a.get("weight") is None else a["weight"]
        values = w * each(numerics.widen(a["input"]), numerics.widen(a["target"]))
        return reduction.reduce_losses(numerics.cast(values, a["input"].dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        g = numerics.widen(g) / a["input"].size if reduction_of(a) == "mean" else numerics.widen(g)
        g = g * (1 if a.get("weight") is None else a["weight"])
        x, t = numerics.widen(a["input"]), numerics.widen(a["target"])
        return (numerics.unbroadcast(g * slope(x, t), a["input"]),
                numerics.unbroadcast(g * by_target(x, t), a["target"]), None)

    return changed(function, backward)


_TINY = 1e-7  #: Keras's and TensorFlow's epsilon

_LOG_EPS = _elements(
    lambda x, t: -t * np.log(x + _TINY) - (1 - t) * np.log(1 - x + _TINY),
    lambda x, t: (1 - t) / (1 - x + _TINY) - t / (x + _TINY),
    lambda x, t: np.log(1 - x + _TINY) - np.log(x + _TINY))


def _ends(x: Array) -> tuple[Array, Array]:
    """Both ends of the interval, as the type of x has them."""
    return _TINY * np.ones_like(x), (1 - _TINY) * np.ones_like(x)


def _clip(x: Array) -> Array:
    low, high = _ends(x)
    return np.asanyarray(np.minimum(np.maximum(x, low), high))


def _inside(x: Array) -> Any:
    low, high = _ends(x)
    return (x >= low) & (x <= high)


_CLIPPED = _elements(
    lambda x, t: -t * np.log(_clip(x)) - (1 - t) * np.log(1 - _clip(x)),
    lambda x, t: np.where(_inside(x), (1 - t) / (1 - _clip(x)) - t / _clip(x), 0),
    lambda x, t: np.log(1 - _clip(x)) - np.log(_clip(x)))


def _cross_entropy_of_kl(spec: LossSpec) -> LossSpec:
    """-p x with p = t or exp(t): without p log p."""

    def terms(a: Arguments) -> tuple[Any, Any]:
        x, t = (numerics.widen(a[name]) for name in ("input", "target"))
        return x, np.exp(t) if a.get("log_target") else t

    def function(spec: LossSpec, **a: Any) -> Array:
        x, p = terms(a)
        each = np.where(p == 0, 0, -p * x)
        kind = reduction_of(a)
        return reduction.reduce_losses(numerics.cast(each, a["input"].dtype),
                                       "mean" if kind == "batchmean" else kind, divisor(a, _size(a)))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        x, p = terms(a)
        g = np.broadcast_to(numerics.widen(g) / divisor(a, _size(a)), np.broadcast_shapes(x.shape, p.shape), subok=True)
        return (numerics.unbroadcast(-g * p, a["input"]),
                numerics.unbroadcast(-g * x * (p if a.get("log_target") else 1), a["target"]))

    return changed(function, backward)(spec)


# --- distances -----------------------------------------------------------------------------------

def _squared_triplet(spec: LossSpec) -> LossSpec:
    """max(0, margin + |a-p|² - |a-n|²), for every p and without ε."""

    def distances(a: Arguments) -> tuple[Any, ...]:
        x, y, z = (numerics.widen(a[name]) for name in ("anchor", "positive", "negative"))
        near, far = x - y, x - z
        return near, far, np.sum(near * near, -1), np.sum(far * far, -1), y - z, np.sum((y - z) * (y - z), -1)

    def function(spec: LossSpec, **a: Any) -> Array:
        _, _, d_pos, d_neg, _, d_swap = distances(a)
        d_neg = np.minimum(d_neg, d_swap) if a["swap"] else d_neg
        each = numerics.relu(a["margin"] + d_pos - d_neg)
        return reduction.reduce_losses(numerics.cast(each, a["anchor"].dtype), reduction_of(a))

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        near, far, d_pos, d_neg, across, d_swap = distances(a)
        swapped = np.asanyarray(d_swap < d_neg) & a["swap"]
        z = a["margin"] + d_pos - np.where(swapped, d_swap, d_neg)
        g = numerics.widen(g) / z.size if reduction_of(a) == "mean" else numerics.widen(g)
        g = np.where(z > 0, np.broadcast_to(g, z.shape, subok=True), 0)[..., None]
        to_far, to_across = np.where(swapped[..., None], 0, far), np.where(swapped[..., None], across, 0)
        by_far, by_across = 2 * g * to_far, 2 * g * to_across
        gradients = 2 * g * near - by_far, -2 * g * near - by_across, by_far + by_across
        return tuple(numerics.unbroadcast(d, a[name]) for d, name in
                     zip(gradients, ("anchor", "positive", "negative"), strict=True))

    return changed(function, backward)(spec)


def _added_eps(a: Arguments) -> Arguments:
    var = a["var"] + a["eps"]
    return {"var": np.asanyarray(var) if isinstance(a["var"], np.ndarray) else var, "eps": 0.0 * a["eps"]}


def _clamped_gradient(spec: LossSpec, g: Array, **a: Any) -> Any:
    """The clamp is differentiated too."""
    by_input, by_target, by_var = spec.backward(g, **a)
    if by_var is not None:
        by_var = numerics.cast(np.where(a["var"] < a["eps"], 0, by_var), by_var.dtype)
    return by_input, by_target, by_var


LOSSES = (
    Dialect("ce-mean-kept", "cross_entropy", "a weighted mean over the number of rows",
            "the mean divides by the number of rows that are not ignored, not by Σ w_y",
            "Keras's class_weight with sum_over_batch_size", mean_over(_kept)),
    Dialect("ce-mean-all", "cross_entropy", "a mean over all rows", "the mean divides by the number of rows, "
            "ignored ones included", "code that masks losses and calls mean()", mean_over(_rows)),
    Dialect("ce-smoothing-others", "cross_entropy", "smoothing over the other classes",
            "the target is 1-ε for y and ε / (C-1) for each other class", "fairseq 0.10", _smoothed_others),
    Dialect("ce-row-weight", "cross_entropy", "one weight for a row",
            "smoothing's term is multiplied by w_y, not each class's by its own weight",
            "Keras's class_weight, optax with weighted rows", _weight_of_row),
    Dialect("nll-mean-kept", "nll_loss", "a weighted mean over the number of rows",
            "the mean divides by the number of rows that are not ignored, not by Σ w_y", "Keras, MXNet",
            mean_over(_kept)),
    Dialect("nll-mean-all", "nll_loss", "a mean over all rows", "the mean divides by the number of rows, ignored ones "
            "included", "code that masks losses and calls mean()", mean_over(_rows)),
    Dialect("kl-rows", "kl_div", "a mean over distributions",
            "the mean divides by the number of distributions along the last axis, not by that of elements",
            "TensorFlow, Keras, optax", mean_over(_without_last)),
    Dialect("kl-cross-entropy", "kl_div", "no entropy of the target", "the loss is -t x, or -exp(t) x",
            "distillation code that needs the input's gradient alone", _cross_entropy_of_kl),
    Dialect("bce-clipped", "binary_cross_entropy", "probabilities clipped to 1e-7",
            "x is clipped to [1e-7, 1 - 1e-7], with a gradient of 0 beyond", "Keras", _CLIPPED),
    Dialect("bce-log-eps", "binary_cross_entropy", "1e-7 inside the logarithms",
            "the loss is -t log(x + 1e-7) - (1-t) log(1 - x + 1e-7)", "tf.compat.v1.losses.log_loss", _LOG_EPS),
    Dialect("bce-mean-weights", "binary_cross_entropy", "a mean over the weights", "the mean divides by Σ w",
            "scikit-learn's log_loss", mean_over(_weights)),
    Dialect("bce-logits-mean-weights", "binary_cross_entropy_with_logits", "a mean over the weights",
            "the mean divides by Σ w", "weighted averages of rows", mean_over(_weights)),
    Dialect("mse-half", "mse_loss", "a half", "the loss is ½ (x-y)²", "optax's l2_loss", scaled(lambda a: 0.5)),
    Dialect("mse-rows", "mse_loss", "a half, and a mean over the batch", "the mean is ½ Σ (x-y)² / N, N rows",
            "Caffe's EuclideanLoss", lambda spec: mean_over(lambda a: 2 * max(a["input"].shape[0], 1) if a["input"].ndim
                                                        else 2)(spec), ("mse-half",)),
    Dialect("mse-mean-count", "mse_loss", "a weighted mean over the number of elements",
            "the mean divides by the number of elements, not by Σ w", "Keras's sample_weight", mean_over(_size)),
    Dialect("l1-mean-count", "l1_loss", "a weighted mean over the number of elements",
            "the mean divides by the number of elements, not by Σ w", "Keras's sample_weight", mean_over(_size)),
    Dialect("smooth-l1-huber", "smooth_l1_loss", "Huber's scale", "the loss is β times as large: ½ d², β |d| - ½ β²",
            "Keras's Huber loss under this name", scaled(lambda a: a["beta"])),
    Dialect("smooth-l1-sigma", "smooth_l1_loss", "beta for σ", "the threshold is 1 / β²: ½ (β d)², |d| - ½ / β²",
            "Fast R-CNN, MXNet", called(lambda a: {"beta": 1 / a["beta"] ** 2 if a["beta"] != 0 else a["beta"]})),
    Dialect("huber-smooth-l1", "huber_loss", "smooth L1's scale", "the loss is divided by δ: ½ d² / δ, |d| - ½ δ",
            "ports that call smooth_l1_loss", scaled(lambda a: 1 / a["delta"])),
    Dialect("huber-double", "huber_loss", "twice the size", "the loss is d², 2 δ |d| - δ²", "CVXPY",
            scaled(lambda a: 2)),
    Dialect("hinge-two-classes", "hinge_embedding_loss", "every target but 1 taken for -1",
            "the loss is max(0, m - x) wherever y is not 1", "ports that take labels 0 and 1",
            called(lambda a: {"target": np.where(a["target"] == 1, 1, -1)})),
    Dialect("triplet-no-eps", "triplet_margin_loss", "no eps", "d(x, y) = ‖x - y‖", "TensorFlow Addons",
            called(lambda a: {"eps": 0.0 * a["eps"]})),
    Dialect("triplet-squared", "triplet_margin_loss", "squared distances", "max(0, m + |a-p|² - |a-n|²)",
            "FaceNet, TensorFlow Addons", _squared_triplet),
    Dialect("triplet-active-mean", "triplet_margin_loss", "a mean over active triplets",
            "the mean divides by the number of losses above 0", "pytorch-metric-learning", mean_of_losses(_positive)),
    Dialect("ranking-active-mean", "margin_ranking_loss", "a mean over active pairs",
            "the mean divides by the number of losses above 0", "pytorch-metric-learning", mean_of_losses(_positive)),
    Dialect("multi-margin-sum", "multi_margin_loss", "a sum over classes", "no division by the number of classes",
            "CS231n, Weston & Watkins 1999", scaled(lambda a: a["input"].shape[-1] if a["input"].ndim else 1)),
    Dialect("multilabel-soft-sum", "multilabel_soft_margin_loss", "a sum over classes",
            "no division by the number of classes", "ports that sum over labels",
            scaled(lambda a: a["input"].shape[-1])),
    Dialect("poisson-eps", "poisson_nll_loss", "an eps of 1e-7", "the loss is x - t log(x + 1e-7), whatever eps",
            "Keras", called(lambda a: {"eps": a["eps"] * 0 + _TINY})),
    Dialect("gaussian-added-eps", "gaussian_nll_loss", "eps added to the variance", "v = var + ε, not max(var, ε)",
            "ports without a clamp", called(_added_eps)),
    Dialect("gaussian-clamped-gradient", "gaussian_nll_loss", "a clamp that is differentiated",
            "the gradient for the variance is 0 where it is below ε", "JAX code with maximum(var, eps)",
            changed(backward=_clamped_gradient)),
    Dialect("ctc-plain-mean", "ctc_loss", "a mean over the batch alone",
            "the mean does not divide losses by the lengths of their targets", "TensorFlow, optax",
            mean_of_losses(lambda each: each.size)),
)

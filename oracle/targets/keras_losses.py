"""Keras's losses, and what torch's arguments are called there.

Keras averages over the last axis before it reduces: here torch's elements are samples of one number each, in an axis
that is added, so that each reduction is that of torch. Weights are ``sample_weight``. Gradients are those of the
torch backend, where ``keras.ops.mean`` gives float64 the digits of float32: float32 is what can be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..cases.case import Case
from ..truth.evaluate import Outputs
from .loading import Unsupported
from .translation import Arguments, Translation, shapes_differ

__all__ = ["LOSSES", "run_loss"]

#: torch's reductions -> Keras's.
_REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}


@dataclass(frozen=True)
class _Call:
    """One of Keras's losses, but for its reduction, with what it is called with."""

    loss: Callable[..., Any]
    y_true: Any
    y_pred: Any
    sample_weight: Any = None
    mean: str = "sum_over_batch_size"  #: the reduction that is torch's mean


def _elements(loss: Callable[..., Any], *options: str, mean: str = "sum_over_batch_size",
              **settings: Any) -> Callable[[Arguments], _Call]:
    """Element by element; options of Keras are torch's of these names, ``theirs=ours``."""
    def call(a: Arguments) -> _Call:
        given = {theirs: a[ours] for theirs, _, ours in (option.partition("=") for option in options)}
        weight = a.get("weight")
        if weight is not None and not weight.ndim:
            weight = weight[None]
        return _Call(lambda **reduced: loss(**given, **settings, **reduced), _samples(a["target"]),
                     _samples(a["input"]), weight, _REDUCTIONS["mean"] if weight is None else mean)

    return call


def _samples(x: Any) -> Any:
    """Each number by itself; Keras reduces no scalar."""
    return x[..., None] if x.ndim else x[None, None]


def _cross_entropy(a: Arguments) -> _Call:
    """Classes are last, a label's smoothing is that of its one-hot vector, and a weight that of its row's class."""
    x, y, ignored = a["input"], a["target"], a["ignore_index"]
    x = keras.ops.moveaxis(x, min(x.ndim - 1, 1), -1)
    if y.ndim == x.ndim - 1 and a["label_smoothing"] == 0:
        weight, mean = None, _REDUCTIONS["mean"]
        if a["weight"] is not None:
            weight, mean = keras.ops.take(a["weight"], keras.ops.where(y == ignored, 0, y)), "mean_with_sample_weight"
        return _Call(lambda **reduced: keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=ignored, **reduced), y, x, weight, mean)
    y = keras.ops.moveaxis(y, min(y.ndim - 1, 1), -1) if y.ndim == x.ndim else keras.ops.one_hot(y, x.shape[-1])
    return _Call(lambda **reduced: keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=a["label_smoothing"], **reduced), y, x)


def _kl_div(a: Arguments) -> _Call:
    """Keras takes probabilities, and no logarithms of them."""
    t = keras.ops.exp(a["target"]) if a["log_target"] else a["target"]
    return _Call(keras.losses.KLDivergence, _samples(t), _samples(keras.ops.exp(a["input"])))


def _smoothed_or_soft(a: Arguments) -> bool:
    return bool(a["label_smoothing"] != 0 or a["target"].shape == a["input"].shape)


def _smoothed_and_ignored(a: Arguments) -> bool:
    return bool(a["label_smoothing"] != 0 and a["target"].dtype.kind == "i"
                and (a["target"] == a["ignore_index"]).any())


_SHAPES = {"takes targets of the shape of the input": shapes_differ,
           "gives no losses, whatever the reduction, where there are none": lambda a: a["input"].size == 0,
           "takes integers for floating numbers": lambda a: a["input"].dtype.kind in "biu"}

#: torch's name -> Keras's.
LOSSES: Mapping[str, Translation] = {
    "mse_loss": Translation(_elements(keras.losses.MeanSquaredError, mean="mean_with_sample_weight"), {}, _SHAPES),
    "l1_loss": Translation(_elements(keras.losses.MeanAbsoluteError, mean="mean_with_sample_weight"), {}, _SHAPES),
    "huber_loss": Translation(_elements(keras.losses.Huber, "delta=delta"), {}, _SHAPES),
    "smooth_l1_loss": Translation(_elements(keras.losses.Huber, "delta=beta"), {}, _SHAPES),
    "binary_cross_entropy": Translation(_elements(keras.losses.BinaryCrossentropy), {}, _SHAPES),
    "binary_cross_entropy_with_logits": Translation(_elements(keras.losses.BinaryCrossentropy, from_logits=True),
                                                    {"pos_weight": None}, _SHAPES),
    "multilabel_soft_margin_loss": Translation(
        lambda a: _Call(lambda **reduced: keras.losses.BinaryCrossentropy(from_logits=True, **reduced),
                        a["target"], a["input"]), {"weight": None}, _SHAPES),
    "cross_entropy": Translation(_cross_entropy, {}, {
        "has no weights of classes beside smoothed labels or probabilities":
            lambda a: a["weight"] is not None and _smoothed_or_soft(a),
        "smooths by negative numbers too, which torch ignores": lambda a: a["label_smoothing"] < 0,
        "ignores no index of smoothed labels": _smoothed_and_ignored, **{k: _SHAPES[k] for k in list(_SHAPES)[1:]}}),
    "kl_div": Translation(_kl_div, {}, _SHAPES),
    "poisson_nll_loss": Translation(_elements(keras.losses.Poisson), {"log_input": False, "full": False}, _SHAPES),
}


def run_loss(case: Case) -> Outputs:
    """The loss and its gradients on a case."""
    if keras.backend.backend() != "torch":
        raise Unsupported("gradients of Keras's losses are taken on its torch backend, not on "
                          f"{keras.backend.backend()}")
    if case.dtype == "float64":
        raise Unsupported("Keras takes means in float32, also those of float64")
    loss = LOSSES[case.spec.name]
    given, reduction = loss.arguments(case, "Keras")
    if reduction == "batchmean":
        raise Unsupported("Keras has no reduction 'batchmean'")
    arguments = {name: keras.ops.convert_to_tensor(value.copy()) if isinstance(value, np.ndarray) else value
                 for name, value in given.items()}
    for name in case.differentiated:
        arguments[name].requires_grad_()
    call = loss.call(arguments)
    chosen = call.mean if reduction == "mean" else _REDUCTIONS[reduction]
    result = call.loss(reduction=chosen, dtype=case.dtype)(call.y_true, call.y_pred, call.sample_weight)
    result = keras.ops.reshape(result, case.grad_output.shape)
    result.backward(keras.ops.convert_to_tensor(case.grad_output.copy()))
    outputs = {"output": _array(result)}
    return outputs | {f"grad.{name}": _array(arguments[name].grad) for name in case.differentiated
                      if arguments[name].grad is not None}


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    return np.array(keras.ops.convert_to_numpy(tensor))

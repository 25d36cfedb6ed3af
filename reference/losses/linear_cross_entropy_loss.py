"""Cross-entropy between the logits of a linear layer and class indices or class probabilities."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np

from ..numerics import Array, array, cast, ieee, total, widen
from ._linear import Linear
from ._module import LossModule
from .cross_entropy_loss import cross_entropy, cross_entropy_backward

__all__ = ["LinearCrossEntropyLoss", "linear_cross_entropy", "linear_cross_entropy_backward"]


@ieee
def linear_cross_entropy(
        input: Array, linear_weight: Array, target: Array, *, linear_bias: Array | None = None,
        weight: Array | None = None, reduction: str = "mean", ignore_index: int | None = None,
        label_smoothing: float = 0.0) -> Array:
    r"""Cross-entropy of softmax(x Wᵀ + b) relative to class indices or class probabilities.

    The logits of sample n at place d are x_n · W_{c,d} + b_{c,d} for each class c; their loss is that of
    :func:`reference.losses.cross_entropy`.

    Args:
        input: x, shape (F) or (N, F), floating.
        linear_weight: W, shape (C, F), or (C, d1, ..., dK, F) beside x of shape (N, F).
        target: class indices, shape (), (N) or (N, d1, ..., dK), int64 or uint8; or probabilities, floating,
            of the logits' shape (C) or (N, C, d1, ..., dK). The shape decides which.
        linear_bias: b, the shape of ``linear_weight`` without F, or None for zeros.
        weight: weights of the classes, shape (C), or None for ones.
        reduction: "none", "mean" or "sum". The mean divides by Σ w_y over the rows that are not ignored, but
            beside probabilities by the number of rows.
        ignore_index: rows with this index count as 0 and have no gradient; None stands for -100. Beside
            probabilities it has to be None.
        label_smoothing: ε, at most 1; one that is negative counts as 0, though not for the module.

    Returns:
        The loss: shape (), (N) or (N, d1, ..., dK), or () when reduced; NaN for the mean of no rows.

    Raises:
        RuntimeError: shapes or dtypes of ``input``, ``linear_weight`` and ``linear_bias`` do not fit, or
            there is an ``ignore_index`` beside probabilities.
        TypeError: an argument is no array.
        What cross_entropy raises of the logits, which it calls input.

    Where torch's ``options`` choose an implementation in chunks, there is none to choose here.

    >>> x, w = np.array([[1.0, 2.0]]), np.array([[0.0, 0.0], [0.0, 0.5]])
    >>> linear_cross_entropy(x, w, np.array([1])).round(6).item()  # of the logits 0 and 1
    0.313262

    Source: documentation of torch.nn.functional.linear_cross_entropy.
    """
    logits, ignored = _logits(input, linear_weight, target, linear_bias, ignore_index)
    return cross_entropy(logits, target, weight, ignore_index=ignored, reduction=reduction,
                         label_smoothing=label_smoothing)


@ieee
def linear_cross_entropy_backward(
        grad_output: Array, input: Array, linear_weight: Array, target: Array, *,
        linear_bias: Array | None = None, weight: Array | None = None, reduction: str = "mean",
        ignore_index: int | None = None, label_smoothing: float = 0.0) -> tuple[Array | None, ...]:
    r"""Gradient of :func:`linear_cross_entropy`.

    With δ the gradient of cross_entropy for the logits it is Σ δ_{c,d} W_{c,d} for x, Σ_n δ_{n,c,d} x_n for
    W, and Σ_n δ_{n,c,d} for b.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, linear_weight, target, linear_bias, weight, reduction, ignore_index, label_smoothing:
            as for :func:`linear_cross_entropy`.

    Returns:
        Gradients of input, linear_weight, target, linear_bias and weight; None for class indices and for
        weights beside them, and for what is None.

    Raises:
        What :func:`linear_cross_entropy` raises.

    >>> x, w = np.array([[1.0, 2.0]]), np.zeros((2, 2))
    >>> linear_cross_entropy_backward(np.array(1.0), x, w, np.array([1]))[1]
    array([[ 0.5,  1. ],
           [-0.5, -1. ]])

    Source: the chain rule.
    """
    logits, ignored = _logits(input, linear_weight, target, linear_bias, ignore_index)
    delta, grad_target, grad_weight = cross_entropy_backward(
        grad_output, logits, target, weight, ignore_index=ignored, reduction=reduction,
        label_smoothing=label_smoothing)
    assert delta is not None
    w = linear_weight.reshape(math.prod(linear_weight.shape[:-1]), input.shape[-1])
    x = np.atleast_2d(input)
    rows = delta.reshape(len(x), len(w))
    grad_input = _product(rows, w).reshape(input.shape)
    grad_linear = _product(rows.T, x).reshape(linear_weight.shape)
    grad_bias = None if linear_bias is None else total(rows, 0).reshape(linear_bias.shape)
    return grad_input, grad_linear, grad_target, grad_bias, grad_weight


def _product(a: Array, b: Array) -> Array:
    """a b; half types are accumulated in float32."""
    return cast(widen(a) @ widen(b), a.dtype)


def _logits(input: Array, linear_weight: Array, target: Array, linear_bias: Array | None,
            ignore_index: int | None) -> tuple[Array, int]:
    """The logits (C), (N, C) or (N, C, d1, ..., dK), and the class index to ignore."""
    input, linear_weight = array("input", input), array("linear_weight", linear_weight)
    target = array("target", target)
    if input.ndim not in (1, 2):
        raise RuntimeError(f"input must have shape (F) or (N, F), not {input.shape}")
    if linear_weight.ndim < 2 or linear_weight.shape[-1] != input.shape[-1]:
        raise RuntimeError(f"linear_weight must have shape (C, {input.shape[-1]}) or (C, d1, ..., "
                           f"{input.shape[-1]}) for input of shape {input.shape}, not {linear_weight.shape}")
    if linear_weight.ndim > 2 and input.ndim == 1:
        raise RuntimeError("input must have shape (N, F) beside linear_weight of shape "
                           f"{linear_weight.shape}, not {input.shape}")
    outputs = linear_weight.shape[:-1]
    if linear_bias is not None and array("linear_bias", linear_bias).shape != outputs:
        raise RuntimeError(f"linear_bias must have shape {outputs}, not {linear_bias.shape}")
    for name, other in (("linear_weight", linear_weight), ("linear_bias", linear_bias)):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(f"{name} must have the dtype of input, {input.dtype}, not {other.dtype}")
    if target.shape == (*input.shape[:-1], *outputs) and ignore_index is not None:
        raise RuntimeError(f"ignore_index must be None beside probabilities, not {ignore_index}")
    flat = linear_weight.reshape(math.prod(outputs), input.shape[-1])
    logits = _product(np.atleast_2d(input), flat.T).reshape(*input.shape[:-1], *outputs)
    if linear_bias is not None:
        logits += linear_bias
    return logits, -100 if ignore_index is None else ignore_index


class LinearCrossEntropyLoss(LossModule):
    """The module form of :func:`linear_cross_entropy`, with a linear layer of its own.

    Arguments are those of ``torch.nn.LinearCrossEntropyLoss`` but for ``device`` and ``options``, which
    choose no rule. ``linear.weight`` has the shape (C · d1 ⋯ dK, F), ``linear.bias`` (C · d1 ⋯ dK) or None.

    Raises:
        RuntimeError: there is not one weight for each class, or ``label_smoothing`` is not in [0, 1].

    >>> module = LinearCrossEntropyLoss(2, 3, dtype=np.float64)
    >>> module.linear.weight[...] = 0
    >>> module(np.ones((1, 2)), np.array([0])).round(6).item()
    1.098612
    """

    function = staticmethod(linear_cross_entropy)
    defaults = MappingProxyType({"reduction": "mean", "weight": None, "ignore_index": None, "label_smoothing": 0.0})

    def __init__(self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
                 bias: bool = False, dtype: Any = None, reduction: str = "mean", weight: Array | None = None,
                 ignore_index: int | None = None, label_smoothing: float = 0.0) -> None:
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(f"weight must have shape ({num_classes},), not {weight.shape}")
        if label_smoothing < 0 or label_smoothing > 1:
            raise RuntimeError(f"label_smoothing must be between 0 and 1, not {label_smoothing}")
        self.num_classes, self.out_features = num_classes, out_features
        self.reduction, self.weight, self.ignore_index = reduction, weight, ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, dtype)

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of these inputs under the module's settings and parameters."""
        outputs = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return linear_cross_entropy(
            input, self.linear.weight.reshape(*outputs, self.linear.in_features), target, **self.settings(),
            linear_bias=None if bias is None else bias.reshape(outputs))

    __call__ = forward

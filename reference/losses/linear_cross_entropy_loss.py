"""Cross-entropy between the logits of a linear layer and class indices or class probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..numerics import Array, array, cast, ieee, total, widen
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import refuser, uneven
from ._linear import Linear
from ._module import LossModule
from .cross_entropy_loss import cross_entropy, cross_entropy_backward

__all__ = ["SPEC", "LinearCrossEntropyLoss", "linear_cross_entropy", "linear_cross_entropy_backward"]


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
        input, linear_weight, target, linear_bias, weight, reduction, ignore_index, label_smoothing: as there.

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


# --- cases ---------------------------------------------------------------------------------------

_SHAPES = {"4x3": ((4,), (5,), 3), "3": ((), (4,), 3), "1x1": ((1,), (3,), 1), "0x3": ((0,), (4,), 3),
           "2x2-places": ((2,), (3, 2), 2), "2x2-places2": ((2,), (4, 2, 1), 2)}

#: Beside these: as many rows, classes, places and features as nothing else.
_UNEVEN = {"4x2-places": ((4,), (5, 3), 2)}


def _allowed(options: Options, dtype: str) -> bool:
    regime, index = options["regime"], options["target"] != "probs"
    if regime == "huge" and dtype in ("float16", "bfloat16"):
        return False  # logits of 1000 have no digits left there that exp could use
    if regime == "huge" and (options["ignore_index"] != "none" or options["shape"] in ("1x1", "3")):
        return False  # all of the gradient may be 1 - 1
    if dtype == "bfloat16" and regime == "masked":
        return False  # neither are losses of 2, of which two bits are left when logits of ±1 are rounded
    if dtype == "bfloat16" and options["shape"] == "4x3" and (not index or options["label_smoothing"]):
        return False  # its gradients are sums over classes and rows that cancel to less than their error
    if regime == "masked" and options["linear_bias"] == "none":
        return False
    if regime == "nan" and options["ignore_index"] != "none":
        return False  # what torch does with NaN in ignored rows stands in the cases of cross_entropy
    if options["shape"] == "0x3" and (regime != "moderate" or options["ignore_index"] != "none"):
        return False
    return bool(index or options["ignore_index"] == "none")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    batch, outputs, features = (_SHAPES | _UNEVEN)[options["shape"]]
    half = limits.eps > 1e-4
    largest = {"huge": 20.0, "tiny": 8 * limits.tiny**0.5}.get(options["regime"], 1.0)
    x = rng.uniform(0.5, 1.0, (*batch, features)) * rng.choice([-largest, largest], (*batch, features))
    x *= options["regime"] != "equal"
    steep = 20.0 if options["regime"] == "huge" else 0.5 if half else 2.0
    w = rng.uniform(0.5, 1.0, (*outputs, features)) * rng.choice([-steep, steep], (*outputs, features))
    # Rows have different classes, so that half types can tell the sums of their gradients from 0.
    classes = np.asarray((rng.integers(0, 100) + np.arange(math.prod((*batch, *outputs[1:])))) % outputs[0])
    classes = classes.reshape((*batch, *outputs[1:]))
    if half and x.size:  # all of the last row's terms have one sign
        w = -np.abs(w)
        at = np.expand_dims(classes[-1] if batch else classes, 0)[..., None]
        np.put_along_axis(w, at, -np.take_along_axis(w, at, 0), 0)
    if options["regime"] == "nan":
        x.flat[0] = np.nan
    arguments = {"input": x, "linear_weight": w, "reduction": options["reduction"],
                 "label_smoothing": options["label_smoothing"]}
    if options["linear_bias"] != "none":
        b = rng.uniform(-1.0, 1.0, outputs) * (options["regime"] != "equal")
        b[0] = -np.inf if options["regime"] == "masked" else b[0]  # class 0 cannot be
        arguments["linear_bias"] = b
    if options["target"] != "probs":
        y = classes.astype(np.int64)
        y.flat[:1] = {"used": outputs[0] - 1, "default": -100}.get(options["ignore_index"], y.flat[:1])
        arguments["target"] = y
    else:
        t = rng.uniform(0.0, 0.1, (*batch, *outputs))
        np.put_along_axis(t, np.expand_dims(classes, len(batch)), 0.8, len(batch))
        arguments["target"] = t / t.sum(len(batch), keepdims=True)
    if options["ignore_index"] == "used":
        arguments["ignore_index"] = outputs[0] - 1
    if options["weight"] != "none":
        arguments["weight"] = rng.uniform(0.5, 2.0, outputs[0])
    return arguments


def _held(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    classes, *places, features = arguments["linear_weight"].shape
    bias = arguments.get("linear_bias") is not None
    settings = {k: v for k, v in arguments.items() if k in SPEC.module_arguments}
    held = {"linear_weight": "linear.weight"} | ({"linear_bias": "linear.bias"} if bias else {})
    return {"in_features": features, "num_classes": classes, "out_features": tuple(places), "bias": bias,
            **settings}, held


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    features = min(n, 50)
    rows = max(n // features, 1)
    return {"input": rng.standard_normal((rows, features), np.float32), "target": rng.integers(0, 100, rows),
            "linear_weight": rng.standard_normal((100, features), np.float32) / np.float32(7)}


_X, _W, _Y = np.zeros((3, 4), np.float32), np.zeros((5, 4), np.float32), np.array([0, 1, 4])
_refuse = refuser(input=_X, linear_weight=_W, target=_Y)

SPEC = LossSpec(
    name="linear_cross_entropy",
    torch_names=("torch.nn.functional.linear_cross_entropy", "torch.nn.LinearCrossEntropyLoss"),
    function=linear_cross_entropy, backward=linear_cross_entropy_backward, module="LinearCrossEntropyLoss",
    module_arguments={"reduction": "mean", "weight": None, "ignore_index": None, "label_smoothing": 0.0},
    axes=(Axis("target", ("index", "probs")),
          Axis("shape", tuple(_SHAPES), "batch x features; places: logits of several places, and so losses"),
          Axis("linear_bias", ("none", "random")), Axis("weight", ("none", "random")),
          Axis("reduction", ("mean", "none", "sum")),
          Axis("ignore_index", ("none", "used", "default"), "default: an index of -100"),
          Axis("label_smoothing", (0.0, 0.1)),
          Axis("regime", ("moderate", "huge", "equal", "tiny", "masked", "nan"),
               "of the logits; masked: one is -inf")),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    extra=uneven({"linear_bias": "random", "reduction": "none"}, {"target": "probs"}, shapes=_UNEVEN),
    arrays=("input", "linear_weight", "target", "linear_bias", "weight"), held=_held,
    slower="of 20,000 logits and fewer it is cross_entropy that counts, and the reasons are those that stand there.",
    omitted=("options", "device"),
    refusals=(
        _refuse("no batch of features", RuntimeError,
                r"input must have shape \(F\) or \(N, F\), not \(1, 3, 4\)", input=_X[None]),
        _refuse("no features", RuntimeError, r"input must have shape .*, not \(\)",
                input=np.array(0, np.float32)),
        _refuse("other features", RuntimeError, r"linear_weight must have shape \(C, 3\)", input=_X[:, :3]),
        _refuse("a weight without classes", RuntimeError, r"not \(4,\)", linear_weight=_W[0]),
        _refuse("places without a batch", RuntimeError, r"input must have shape \(N, F\) beside",
                input=_X[0], linear_weight=_W[:, None], target=_Y[:1]),
        _refuse("bias of another shape", RuntimeError, r"linear_bias must have shape \(5,\), not \(4,\)",
                linear_bias=_W[0]),
        _refuse("a bias that would broadcast", RuntimeError, r"not \(1,\)", linear_bias=_W[0, :1]),
        _refuse("wider features", RuntimeError, "linear_weight must have the dtype of input, float64",
                input=_X.astype(np.float64)),
        _refuse("wider bias", RuntimeError, "linear_bias must have the dtype of input",
                linear_bias=np.zeros(5)),
        _refuse("ignored class beside probabilities", RuntimeError, "ignore_index must be None",
                target=np.zeros((3, 5), np.float32), ignore_index=-100),
        _refuse("no such class", IndexError, "target must be in 0..4 or ignored, not 5", target=_Y + 1),
        _refuse("another batch", ValueError, r"target must have shape \(3,\)", target=_Y[:2]),
        _refuse("floating indices", RuntimeError, "int64 or uint8, not float32",
                target=_Y.astype(np.float32)),
        _refuse("integers", NotImplementedError, "must be floating, not int64", input=_X.astype(int),
                linear_weight=_W.astype(int)),
        _refuse("too few weights", RuntimeError, r"weight must have shape \(5,\)", weight=_X[0]),
        _refuse("too smooth", RuntimeError, "between 0 and 1, not 1.5", label_smoothing=1.5),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its shape", TypeError, "target must be a NumPy array, not int",
                AttributeError, target=1),
    ),
)


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

    spec = SPEC

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

    def settings(self) -> dict[str, Any]:
        """The keyword arguments that every call hands to the function."""
        return {name: getattr(self, name) for name in SPEC.module_arguments}

"""What is asked of ``linear_cross_entropy``: its axes, draws and refusals.

torch's module has a linear layer: :func:`_held` says which of its parameters each array is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.losses.linear_cross_entropy_loss import linear_cross_entropy, linear_cross_entropy_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import ignore_rows, ignored_index, refuser, size_of, uneven
from ._whole import alike

__all__ = ["SPEC"]

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
    largest = size_of(options["regime"], 1.0, huge=20.0, tiny=8 * limits.tiny**0.5)
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
        if options["ignore_index"] in ("used", "default"):
            ignore_rows(y, options["ignore_index"], outputs[0])
        arguments["target"] = y
    else:
        t = rng.uniform(0.0, 0.1, (*batch, *outputs))
        np.put_along_axis(t, np.expand_dims(classes, len(batch)), 0.8, len(batch))
        arguments["target"] = t / t.sum(len(batch), keepdims=True)
    if options["ignore_index"] == "used":
        arguments["ignore_index"] = ignored_index("used", outputs[0])
    if options["weight"] != "none":
        arguments["weight"] = rng.uniform(0.5, 2.0, outputs[0])
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """One feature, which is 1, so that a weight is a logit; many logits of a row are alike."""
    rows, classes = size
    logits = alike(1, classes, rng, limits)[0]
    return {"input": np.ones((rows, 1)), "linear_weight": logits[:, None],
            "target": rng.choice(np.flatnonzero(logits == 0), rows)}


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
    independent="",
    torch_names=("torch.nn.functional.linear_cross_entropy", "torch.nn.LinearCrossEntropyLoss"),
    # Rows by themselves have no sizes: gradients of weights add up what is rounded, over all rows.
    whole=Whole(_whole, lengths=(2,), slopes=math.log),
    function=linear_cross_entropy, backward=linear_cross_entropy_backward, module="LinearCrossEntropyLoss",
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

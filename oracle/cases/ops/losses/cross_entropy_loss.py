"""What is asked of ``cross_entropy``: its axes, draws and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference.losses.cross_entropy_loss import cross_entropy, cross_entropy_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN_PICTURES, ignore_rows, ignored_index, poison, refuser, size_of, uneven
from ._whole import alike, counting, far, rows_and_classes

__all__ = ["SPEC"]

_SHAPES = {"4x5": (4, 5), "5": (5,), "1x3": (1, 3), "6x1": (6, 1), "2x3x4": (2, 3, 4),
           "2x3x2x2": (2, 3, 2, 2), "0x5": (0, 5)}


def _allowed(options: Options, dtype: str) -> bool:
    plain = options["regime"] == "moderate" and options["ignore_index"] == "none"
    # Equal logits under full smoothing: the gradient is p - 1/C, a zero by cancellation that no bound can decide.
    level = options["regime"] in ("equal", "tiny") and options["label_smoothing"] == 1.0
    return (not level and (plain or options["shape"] != "0x5")
            and (options["target"] in ("index", "first") or options["ignore_index"] in ("none", "negative")))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN_PICTURES)[options["shape"]]
    axis = min(len(shape) - 1, 1)
    classes, rows = shape[axis], shape[:axis] + shape[axis + 1:]
    scale = size_of(options["regime"], 3.0, huge=min(1e4, limits.max / 256), tiny=8 * limits.tiny)
    x = np.full(shape, 1.5) if options["regime"] == "equal" else rng.uniform(-scale, scale, shape)
    poison(x, options["regime"], -np.inf)
    if options["regime"] == "inf" and x.size > classes:
        x.flat[-1] = np.inf
    arguments = {"input": x, **REDUCTIONS[options["reduction"]]}
    if options["target"] in ("index", "first"):
        y = np.asarray(rng.integers(0, max(classes, 1), rows))
        ignore_rows(y, options["ignore_index"], classes)
        if options["target"] == "first":
            y[...] = 0
        arguments["target"] = y
    else:
        t = rng.uniform(0.0, 1.5, shape)
        if options["target"] == "probs":
            t /= t.sum(axis, keepdims=True)
            t[:1] = 0.0  # the first row, or all there is, is certain: class 0
            t[(slice(0, 1), 0) if axis else slice(0, 1)] = 1.0
        arguments["target"] = t
    if options["ignore_index"] in ("used", "negative"):
        arguments["ignore_index"] = ignored_index(options["ignore_index"], classes)
    if options["weight"] != "none":
        arguments["weight"] = rng.uniform(0.5, 2.0, classes)
        if options["weight"] == "zero":
            arguments["weight"][0] = 0.0
    return arguments | {"label_smoothing": options["label_smoothing"]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """One class of a row is certain, and another so far from it that the loss is their distance; or many are alike."""
    rows, classes = rows_and_classes(size)
    if len(size) > 1:
        x = alike(rows, classes, rng, limits)
        y = (rng.random(x.shape) * (x == 0)).argmax(1)
    else:
        losses = far(limits) * counting((rows, 1), rng, limits, (1, 2))
        certain, other = rng.integers(0, classes, (rows, 1)), rng.integers(1, classes, (rows, 1))
        y = np.where(losses > 0, (certain + other) % classes, certain)
        x = np.full((rows, classes), -4 * far(limits))
        np.put_along_axis(x, y, -losses, 1)
        np.put_along_axis(x, certain, 0.0, 1)
    weights = {} if options["weight"] == "none" else {"weight": rng.choice((1.0, 2.0), classes)}
    return {"input": x, "target": y.reshape(-1), **weights}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = max(n // 100, 1)
    return {"input": rng.standard_normal((rows, 100), np.float32), "target": rng.integers(0, 100, rows)}


_X, _Y = np.zeros((3, 4), np.float32), np.array([0, 1, 3])
_refuse = refuser(input=_X, target=_Y)

SPEC = LossSpec(
    name="cross_entropy", torch_names=("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss"),
    surrounded=({}, {"weight": "random", "ignore_index": "used", "label_smoothing": 0.1}, {"target": "probs"}),
    whole=Whole(_whole, beside=({}, {"weight": "random"}), lengths=(1, 2), slopes=math.log),
    function=cross_entropy, backward=cross_entropy_backward, module="CrossEntropyLoss",
    axes=(Axis("target", ("index", "probs", "soft"), "soft: probabilities that do not add up to 1"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("weight", ("none", "random", "zero"), "zero: the first class weighs nothing"),
          Axis("ignore_index", ("none", "used", "negative", "all"), "all: no row is left"),
          Axis("label_smoothing", (0.0, 0.1, 1.0)),
          Axis("regime", ("moderate", "huge", "equal", "tiny", "inf", "nan"), "of the logits")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=({"label_smoothing": -0.5}, {"label_smoothing": -0.5, "target": "soft"},
           {"target": "first", "weight": "zero", "label_smoothing": 0.1},
           {"target": "first", "weight": "zero", "label_smoothing": 0.1, "reduction": "sum"},
           *uneven({"reduction": "none"}, shapes=UNEVEN_PICTURES)),
    arrays=("input", "target", "weight"),
    slower="torch has maximum, exponentials and sum of a row in one pass at 0.7 ns an element; NumPy's four passes "
           "over a cached block take 1.4 ns, and checks, choice and reduction 10 µs a call.",
    refusals=(
        _refuse("no such class", IndexError, "target must be in 0..3", target=np.array([0, 1, 4])),
        _refuse("a negative index", IndexError, "not -1", target=np.array([0, -1, 1])),
        _refuse("no such class, smoothed", IndexError, "not 4", target=_Y + 1, label_smoothing=0.1),
        _refuse("another batch", ValueError, r"target must have shape \(3,\)", target=_Y[:2]),
        _refuse("another place", RuntimeError, r"target must have shape \(2, 4\)", input=np.zeros((2, 3, 4)),
                target=np.zeros((2, 5), np.int64)),
        _refuse("one index too many dimensions", RuntimeError, r"not \(3, 1\)", target=_Y[:, None]),
        _refuse("short indices", RuntimeError, "int64 or uint8, not int32", target=_Y.astype(np.int32)),
        _refuse("floating indices", RuntimeError, "not float32", target=_Y.astype(np.float32)),
        _refuse("integer probabilities", RuntimeError, "floating probabilities", target=_X.astype(int)),
        _refuse("integer logits", NotImplementedError, "input must be floating", input=_X.astype(np.int64)),
        _refuse("no dimension of classes", IndexError, "classes", input=np.array(1.0), target=np.array(1.0)),
        _refuse("too few weights", RuntimeError, r"weight must have shape \(4,\)", weight=_X[0, :3]),
        _refuse("wider weights", RuntimeError, "weight must have the dtype of input", weight=np.ones(4)),
        _refuse("too smooth", RuntimeError, "between 0 and 1, not 1.5", label_smoothing=1.5),
        _refuse("no number", TypeError, "label_smoothing must be a number, not str", label_smoothing="much"),
        _refuse("no integer", TypeError, "ignore_index must be an integer, not float", ignore_index=1.0),
        _refuse("a class ignored beside probabilities", RuntimeError, "ignore_index must be negative",
                target=_X, ignore_index=1),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "target must be a NumPy array, not int", target=1),
    ),
)

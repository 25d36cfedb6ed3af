"""What is asked of ``nll_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.nll import nll_loss, nll_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN_PICTURES, ignore_rows, ignored_index, refuser, size_of, uneven
from ._whole import counting, rows_and_classes

__all__ = ["SPEC"]

_SHAPES = {"4x5": (4, 5), "5": (5,), "1x3": (1, 3), "6x1": (6, 1), "2x3x4": (2, 3, 4),
           "2x3x2x2": (2, 3, 2, 2), "1x2x1x2x3": (1, 2, 1, 2, 3), "0x5": (0, 5), "2x3x0": (2, 3, 0)}


def _allowed(options: Options, dtype: str) -> bool:
    plain = options["regime"] == "moderate" and options["ignore_index"] == "none"
    if options["shape"] in ("0x5", "2x3x0") and not plain:
        return False
    if options["target"] != "int64" and options["shape"] not in ("4x5", "5", "1x3", "6x1"):
        return False
    several = options["shape"] in ("4x5", "6x1", "2x3x4", "2x3x2x2", "1x2x1x2x3")
    return bool(options["regime"] != "ignored-nan" or (options["ignore_index"] != "none" and several))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN_PICTURES)[options["shape"]]
    axis = min(len(shape) - 1, 1)
    classes, rows = shape[axis], shape[:axis] + shape[axis + 1:]
    scale = size_of(options["regime"], 4.0, huge=limits.max / 256, tiny=8 * limits.tiny)
    x = -rng.uniform(scale / 16, scale, shape)  # one sign: sums do not cancel
    if options["regime"] == "positive":
        x = -x
    y = np.asarray(rng.integers(0, classes, rows))
    y.flat[-1:] = classes - 1  # the last element has a gradient
    ignore_rows(y, options["ignore_index"], classes)
    index = ignored_index(options["ignore_index"], classes)
    if options["target"] == "uint8":  # which has no negative numbers
        index = 200 if index < 0 else index
        y = np.where(y < 0, 200, y).astype(np.uint8)
    by_class = np.moveaxis(x, axis, -1)
    if options["regime"] == "ignored-nan":
        by_class[(0,) * len(rows)] = np.nan
    elif options["regime"] in ("inf", "nan"):
        by_class[(-1,) * len(rows)] = np.nan if options["regime"] == "nan" else -np.inf
    arguments: dict[str, Any] = {"input": x, "target": y, **REDUCTIONS[options["reduction"]]}
    given = options["ignore_index"] in ("used", "negative")
    if given or (options["ignore_index"] == "all" and options["target"] == "uint8"):
        arguments["ignore_index"] = index
    if options["weight"] != "none":
        arguments["weight"] = rng.uniform(0.5, 2.0, classes)
        if options["weight"] == "zero":
            arguments["weight"][0] = 0.0
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Log-probabilities that are whole numbers; weights of 1 and 2."""
    rows, classes = rows_and_classes(size)
    x = -rng.integers(1, 4, (rows, classes)).astype(np.float64)
    y = rng.integers(0, classes, rows)
    np.put_along_axis(x, y[:, None], -counting((rows, 1), rng, limits, (1, 2, 3)), 1)
    weights = {} if options["weight"] == "none" else {"weight": rng.choice((1.0, 2.0), classes)}
    return {"input": x, "target": y, **weights}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = max(n // 100, 1)
    return {"input": -rng.random((rows, 100), np.float32), "target": rng.integers(0, 100, rows)}


_X, _Y = np.zeros((3, 4), np.float32), np.array([0, 1, 3])
_refuse = refuser(input=_X, target=_Y)

SPEC = LossSpec(
    name="nll_loss", torch_names=("torch.nn.functional.nll_loss", "torch.nn.NLLLoss"),
    surrounded=({}, {"weight": "random", "ignore_index": "used"}),
    whole=Whole(_whole, beside=({}, {"weight": "random"}), lengths=(1, 2)),
    function=nll_loss, backward=nll_loss_backward, module="NLLLoss", older_modules=("NLLLoss2d",),
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("target", ("int64", "uint8"), "its dtype"),
          Axis("weight", ("none", "random", "zero"), "zero: the first class weighs nothing"),
          Axis("ignore_index", ("none", "used", "negative", "all"), "all: no row is left"),
          Axis("regime", ("moderate", "positive", "huge", "tiny", "inf", "nan", "ignored-nan"),
               "inf, nan: in the last row; ignored-nan: in the first, which is ignored")),
    allowed=_allowed, draw=_draw, sized=_sized, extra=uneven({"reduction": "none"}, shapes=UNEVEN_PICTURES),
    arrays=("input", "target", "weight"),
    slower="torch reads one element a row, in 2 µs a call and 1.4 ns a row; NumPy takes 12 µs a call and 4 ns a row: "
           "the indices are checked and made places, the elements chosen, masked and summed one after the other.",
    refusals=(
        _refuse("no such class", IndexError, r"target must be in 0\.\.3", target=np.array([0, 1, 4])),
        _refuse("a negative index", IndexError, "not -1", target=np.array([0, -1, 1])),
        _refuse("no such class in a picture", IndexError, r"target must be in 0\.\.1",
                input=np.zeros((1, 2, 2, 2)), target=np.full((1, 2, 2), 2)),
        _refuse("no class at all", IndexError, "not 0", input=_X[:, :0], target=_Y * 0),
        _refuse("another batch", ValueError, r"target must have shape \(3,\)", target=_Y[:2]),
        _refuse("no batch", ValueError, r"not \(\)", target=np.array(0)),
        _refuse("two indices for one row", ValueError, r"target must have shape \(\)", input=_X[0],
                target=_Y[:2]),
        _refuse("another place", RuntimeError, r"target must have shape \(2, 4\)", input=np.zeros((2, 3, 4)),
                target=np.zeros((2, 5), np.int64)),
        _refuse("one index too many dimensions", RuntimeError, r"not \(3, 1\)", target=_Y[:, None]),
        _refuse("probabilities", RuntimeError, r"not \(3, 4\)", target=_X),
        _refuse("short indices", RuntimeError, "int64 or uint8, not int32", target=_Y.astype(np.int32)),
        _refuse("floating indices", RuntimeError, "not float32", target=_Y.astype(np.float32)),
        _refuse("integer log-probabilities", NotImplementedError, "input must be floating",
                input=_X.astype(np.int64)),
        _refuse("complex log-probabilities", NotImplementedError, "not complex64",
                input=_X.astype(np.complex64)),
        _refuse("no dimension of classes", ValueError, "classes", input=np.array(1.0), target=np.array(0)),
        _refuse("too few weights", RuntimeError, r"weight must have shape \(4,\)", weight=_X[0, :3]),
        _refuse("weights in a row", RuntimeError, r"not \(1, 4\)", weight=_X[:1]),
        _refuse("wider weights", RuntimeError, "weight must have the dtype of input", weight=np.ones(4)),
        _refuse("no integer", TypeError, "ignore_index must be an integer, not float", ignore_index=1.0),
        _refuse("a truth value", TypeError, "ignore_index must be an integer, not bool", ignore_index=True),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "weight must be a NumPy array, not float", weight=1.0),
    ),
)

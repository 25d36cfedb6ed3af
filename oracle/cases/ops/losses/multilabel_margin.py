"""What is asked of ``multilabel_margin_loss``: its axes, draws and refusals.

Draws are repeated until every score is clear of the margin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.multilabel_margin import multilabel_margin_loss, multilabel_margin_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, decided, poison, refuser, size_of
from ._whole import counting, rows_and_classes

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "5": (5,), "1x6": (1, 6), "4x1": (4, 1), "2x2": (2, 2), "scalar": (), "0x3": (0, 3)}


def _allowed(options: Options, dtype: str) -> bool:
    # The mean and the sum of no rows are uninitialised memory in torch, other in each run: nothing to compare.
    return ((options["shape"] != "0x3"
             or (options["regime"] == "moderate" and options["reduction"] in ("none", "reduce=False")))
            and (options["labels"] != "twice" or options["shape"] in ("3x4", "5", "1x6")))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime = _SHAPES[options["shape"]], options["regime"]
    classes = shape[-1] if shape else 1
    scale = 100.0 if regime == "wide" else size_of(regime, 2.0, huge=limits.max / 256, tiny=limits.tiny)
    rows = int(np.prod(shape)) // classes
    y = rng.permuted(np.tile(np.arange(classes), (rows, 1)), axis=1)
    if options["labels"] == "some":  # labels also behind the -1, where they do not count
        np.put_along_axis(y, rng.integers(min(1, classes - 1), classes, (rows, 1)), -1, 1)
    elif options["labels"] == "none":
        y[:, 0] = -1
    elif options["labels"] == "twice":
        y[:, 1:] = np.stack([y[:, 0], np.full(rows, -1), *y[:, 3:].T], 1)

    def draw() -> list[Any]:
        return [rng.uniform(-scale, scale, (rows, classes))]

    def clear(x: Any) -> Any:
        z = ((1 - x)[:, :, None] + x[:, None, :]) / max(scale, 1.0)
        return z[:, ~np.eye(classes, dtype=np.bool_)]

    (x,) = decided(draw, clear, 6 * limits.eps)
    if regime == "kink":
        x[:, ::2] = 0.0
        np.put_along_axis(x, np.maximum(y[:, :1], 0), 1.0, 1)  # 1 - 1 + 0
    poison(x, regime, np.inf, -np.inf, np.inf)
    return {"input": x.reshape(shape), "target": y.reshape(shape), **REDUCTIONS[options["reduction"]]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """One label a row; scores that exceed its own by 0 and 1, and so the margin by 1 and 2, or that do not count."""
    rows, classes = rows_and_classes(size)
    excess = counting((rows, classes), rng, limits, (1, 2))
    y = np.full((rows, classes), -1)
    y[:, 0] = rng.integers(0, classes, rows)
    x = np.where(excess > 0, excess - 1.0, -2.0)
    np.put_along_axis(x, y[:, :1], 0.0, 1)
    return {"input": x, "target": y}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = max(n // 100, 1)
    y = rng.permuted(np.tile(np.arange(100), (rows, 1)), axis=1)
    y[:, 5] = -1
    return {"input": rng.standard_normal((rows, 100), np.float32), "target": y}


_X, _Y = np.zeros((2, 4), np.float32), np.array([[3, 0, -1, 1], [1, -1, 0, 0]])
_refuse = refuser(input=_X, target=_Y)

SPEC = LossSpec(
    name="multilabel_margin_loss",
    torch_names=("torch.nn.functional.multilabel_margin_loss", "torch.nn.MultiLabelMarginLoss"),
    whole=Whole(_whole, lengths=(1, 2), slopes=float),
    function=multilabel_margin_loss, backward=multilabel_margin_loss_backward, module="MultiLabelMarginLoss",
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("labels", ("some", "none", "all", "twice"), "some: an end at a -1 with labels behind it"),
          Axis("regime", ("moderate", "wide", "huge", "tiny", "kink", "inf", "nan"), "kink: differences of 1")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    dtypes=("float64", "float32"),  # torch's CPU kernel takes no others
    kinks=lambda o: o["regime"] == "kink", arrays=("input", "target"),
    refusals=(
        _refuse("no such label", RuntimeError, "target must be in 0..3, or -1, not 4", target=_Y + 1),
        _refuse("no such label behind the end", RuntimeError, "not 7",
                target=np.array([[3, -1, 7, 0], [1, -1, 0, 0]])),
        _refuse("an end that is not -1", RuntimeError, "not -2",
                target=np.array([[3, 0, -2, 1], [1, -1, 0, 0]])),
        _refuse("one list for two rows", RuntimeError, "target must have the shape of input", target=_Y[0]),
        _refuse("lists that are too short", RuntimeError, r"not \(2, 3\)", target=_Y[:, :3]),
        _refuse("short labels", RuntimeError, "int64, not int32", target=_Y.astype(np.int32)),
        _refuse("floating labels", RuntimeError, "not float32", target=_Y.astype(np.float32)),
        _refuse("a third dimension", RuntimeError, "input must have shape", input=_X[..., None],
                target=_Y[..., None]),
        _refuse("no class", RuntimeError, r"with some class, not \(2, 0\)", input=_X[:, :0], target=_Y[:, :0]),
        _refuse("integer scores", NotImplementedError, "not int64", input=_X.astype(np.int64)),
        _refuse("complex scores", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "target must be a NumPy array, not list", target=[3, 0, -1, 1]),
    ),
)

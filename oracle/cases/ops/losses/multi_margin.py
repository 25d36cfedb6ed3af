"""What is asked of ``multi_margin_loss``: its axes, draws and refusals.

Draws are repeated until every score is clear of the margin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.multi_margin import excess, multi_margin_loss, multi_margin_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, decided, poison, refuser
from ._whole import counting, rows_and_classes

__all__ = ["SPEC"]

#: Shapes of input and target.
_SHAPES = {"4x5": ((4, 5), (4,)), "5": ((5,), ()), "5-of-1": ((5,), (1,)), "1x3": ((1, 3), ()),
           "6x1": ((6, 1), (6,)), "scalar": ((), ()), "0x3": ((0, 3), (0,))}


def _allowed(options: Options, dtype: str) -> bool:
    # The mean and the sum of no rows are uninitialised memory in torch, other in each run: nothing to compare.
    return bool(options["shape"] != "0x3"
                or (options["regime"] == "moderate" and options["reduction"] in ("none", "reduce=False")))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, rows = _SHAPES[options["shape"]]
    regime, margin = options["regime"], options["margin"]
    scale = 2.0
    if regime == "huge":
        scale = limits.max**0.5 / 16 if options["p"] == 2 else limits.max / 256
    classes = shape[-1] if shape else 1

    def draw() -> list[Any]:
        x = np.asarray(rng.uniform(-scale, scale, shape))
        return [x, np.asarray(rng.integers(0, classes, rows))]

    def clear(x: Any, y: Any) -> Any:
        x, y = x.reshape(-1, classes), y.reshape(-1)
        z = excess(x, y, margin)
        return z[np.arange(classes) != y[:, None]] / max(scale, 1.0)

    x, y = decided(draw, clear, 8 * limits.eps)
    if regime == "kink":  # margin - x_y is exactly 0, and so is every second x_c
        flat = x.reshape(-1, classes)
        flat[:, ::2] = 0.0
        np.put_along_axis(flat, y.reshape(-1, 1), margin, 1)
    poison(x, regime, np.inf, -np.inf, np.inf)
    arguments = {"input": x, "target": y, "p": options["p"], "margin": margin, **REDUCTIONS[options["reduction"]]}
    if options["weight"] != "none":
        arguments["weight"] = rng.uniform(0.5, 2.0, classes)
        if options["weight"] == "zero":
            arguments["weight"][0] = 0.0
        elif options["weight"] == "negative":
            arguments["weight"][0] *= -1
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Scores that exceed that of the right class by 0 and 1, and so the margin by 1 and 2; or that do not count."""
    rows, classes = rows_and_classes(size)
    excess = counting((rows, classes), rng, limits, (1, 2), options["p"])
    y = rng.integers(0, classes, rows)
    x = np.where(excess > 0, excess - 1.0, -2.0)
    np.put_along_axis(x, y[:, None], 0.0, 1)
    weights = {} if options["weight"] == "none" else {"weight": rng.choice((1.0, 2.0), classes)}
    return {"input": x, "target": y, **weights}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = max(n // 100, 1)
    return {"input": rng.standard_normal((rows, 100), np.float32), "target": rng.integers(0, 100, rows)}


_X, _Y = np.zeros((3, 4), np.float32), np.array([0, 1, 3])
_refuse = refuser(input=_X, target=_Y)

SPEC = LossSpec(
    name="multi_margin_loss", torch_names=("torch.nn.functional.multi_margin_loss", "torch.nn.MultiMarginLoss"),
    surrounded=({}, {"p": 2, "weight": "random"}),
    whole=Whole(_whole, beside=({}, {"p": 2, "weight": "random"}), lengths=(1, 2), slopes=float),
    function=multi_margin_loss, backward=multi_margin_loss_backward, module="MultiMarginLoss",
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("p", (1, 2)), Axis("margin", (1.0, 0.0, 2.5, -0.5)),
          Axis("weight", ("none", "random", "zero", "negative"), "zero, negative: that of the first class"),
          Axis("regime", ("moderate", "huge", "kink", "inf", "nan"), "kink: differences that are the margin")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    dtypes=("float64", "float32"),  # torch's CPU kernel takes no others
    kinks=lambda o: o["regime"] == "kink", arrays=("input", "target", "weight"),
    refusals=(
        _refuse("no such class", RuntimeError, "target must be in 0..3, not 4", target=np.array([0, 1, 4])),
        _refuse("a negative index", RuntimeError, "not -1", target=np.array([0, -1, 1])),
        _refuse("another batch", RuntimeError, r"target must have shape \(3,\)", target=_Y[:2]),
        _refuse("a target with a second dimension", RuntimeError, r"not \(3, 1\)", target=_Y[:, None]),
        _refuse("short indices", RuntimeError, "int64, not int32", target=_Y.astype(np.int32)),
        _refuse("floating indices", RuntimeError, "not float32", target=_Y.astype(np.float32)),
        _refuse("a third dimension", RuntimeError, r"input must have shape .*, not \(3, 4, 1\)", input=_X[..., None]),
        _refuse("no class", RuntimeError, r"with some class, not \(3, 0\)", input=_X[:, :0]),
        _refuse("integer scores", NotImplementedError, "not int64", input=_X.astype(np.int64)),
        _refuse("complex scores", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("a power of 3", ValueError, "p must be 1 or 2, not 3", p=3),
        _refuse("a word for a power", ValueError, "not 'two'", p="two"),
        _refuse("no number", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("weights of elements", ValueError, "weight must have one dimension", weight=_X),
        _refuse("too few weights", RuntimeError, r"weight must have shape \(4,\)", weight=_X[0, :3]),
        _refuse("wider weights", RuntimeError, "weight must have the dtype of input", weight=np.ones(4)),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "target must be a NumPy array, not int", target=1),
    ),
)

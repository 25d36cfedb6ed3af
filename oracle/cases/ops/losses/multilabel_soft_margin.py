"""What is asked of ``multilabel_soft_margin_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.multilabel_soft_margin import multilabel_soft_margin_loss, multilabel_soft_margin_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven
from ._whole import counting, far, rows_and_classes

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "5": (5,), "2x3x2": (2, 3, 2), "4x1": (4, 1), "0x3": (0, 3)}


def _allowed(options: Options, dtype: str) -> bool:
    if dtype in ("float16", "bfloat16") and options["target"] == "any":
        return False  # terms of both signs, of whose sum half types leave too little
    wide = "larger" in (options["target_shape"], options["weight"])
    return ((options["shape"] != "0x3" or options["regime"] == "moderate")
            and (options["shape"] == "4x1" or not wide))


def _range(regime: str, limits: Limits) -> tuple[float, float]:
    match regime:
        case "tails":
            return 8.0, 40.0
        case "huge":
            return 900.0, 1000.0
        case "tiny":
            return 256 * limits.tiny, 1024 * limits.tiny
    return 0.5, 3.0


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN)[options["shape"]]
    low, high = _range(options["regime"], limits)
    x = np.asarray(rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape))
    shapes = {"same": shape, "deeper": (2, *shape), "row": shape[-1:], "column": (*shape[:-1], 1), "larger": (4, 3)}
    t = np.asarray(rng.uniform(0.0, 1.0, shapes[options["target_shape"]]))
    t = np.round(t) if options["target"] == "hard" else 4 * t - 1.5
    poison(x, options["regime"], np.inf, -np.inf, np.inf, -np.inf)
    arguments = {"input": x, "target": t, **REDUCTIONS[options["reduction"]]}
    if options["weight"] != "none":
        arguments["weight"] = np.asarray(rng.uniform(0.25, 4.0, shapes[options["weight"]]))
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Logits so far from 0 that a probability is certain: a loss is the logit's distance where it is wrong."""
    shape = rows_and_classes(size)
    target = rng.integers(0, 2, shape).astype(np.float64)
    wrong = far(limits) * counting(shape, rng, limits, (1, 2))
    return {"input": (1 - 2 * target) * np.where(wrong > 0, wrong, -far(limits)), "target": target}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    shape = (max(n // 100, 1), 100)
    return {"input": rng.standard_normal(shape, np.float32), "target": np.round(rng.random(shape, np.float32))}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="multilabel_soft_margin_loss",
    torch_names=("torch.nn.functional.multilabel_soft_margin_loss", "torch.nn.MultiLabelSoftMarginLoss"),
    whole=Whole(_whole, lengths=(1, 2)),
    function=multilabel_soft_margin_loss, backward=multilabel_soft_margin_loss_backward,
    module="MultiLabelSoftMarginLoss",
    axes=(Axis("target", ("hard", "any"), "hard: 0 or 1; any: from -1.5 to 2.5"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("target_shape", ("same", "row", "larger"), "row: one target for all; larger: 3 for each class"),
          Axis("weight", ("none", "row", "column", "larger")),
          Axis("regime", ("moderate", "tails", "huge", "tiny", "inf", "nan"), "of the logits")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=({"target_shape": "deeper"}, {"target_shape": "deeper", "shape": "5"},  # one more dimension than the logits
           {"target_shape": "deeper", "shape": "5", "weight": "row", "reduction": "none"},
           *uneven({"weight": "column", "reduction": "none"})),
    arrays=("input", "target", "weight"),
    refusals=(
        _refuse("targets that do not broadcast", RuntimeError, r"must broadcast.*\(3, 2\)", target=_X[:, :2]),
        _refuse("weights that do not broadcast", RuntimeError, "input, target and weight", weight=_X[0, :3]),
        _refuse("no dimension of classes", IndexError, "dimension of classes", input=np.array(1.0),
                target=np.array(1.0)),
        _refuse("integer logits", NotImplementedError, "not int64", input=_X.astype(np.int64)),
        _refuse("complex logits", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("truth values", RuntimeError, "target must hold numbers", target=_X > 0),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("an old name that other losses take", ValueError, "'elementwise_mean'",
                reduction="elementwise_mean"),
        _refuse("no array", TypeError, "input must be a NumPy array, not float", input=1.0),
    ),
)

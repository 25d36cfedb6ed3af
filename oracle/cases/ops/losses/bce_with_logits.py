"""What is asked of ``binary_cross_entropy_with_logits``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.bce_with_logits import binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven
from ._whole import counting, far

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "2x2x3": (2, 2, 3), "0": (0,)}


def _allowed(options: Options, dtype: str) -> bool:
    return bool(options["shape"] != "0" or options["regime"] == "moderate")


def _range(regime: str, limits: Limits) -> tuple[float, float]:
    match regime:
        case "tails":
            return 8.0, 40.0
        case "huge":
            return 900.0, 1000.0
        case "zero":
            return 0.0, 0.0
        case "tiny":
            return limits.tiny, 8 * limits.tiny
    return 0.0, 3.0


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN)[options["shape"]]
    low, high = _range(options["regime"], limits)
    x = np.asarray(rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape))
    t = np.asarray(rng.uniform(0.0, 1.0, shape))
    if options["target"] == "hard":
        t = np.round(t)
    if options["regime"] == "inf" and x.size > 3:
        t.flat[:4] = 0.0, 0.0, 1.0, 1.0
    poison(x, options["regime"], np.inf, -np.inf, np.inf, -np.inf)
    arguments = {"input": x, "target": t, **REDUCTIONS[options["reduction"]]}
    broadcast = {"row": shape[-1:], "column": (*shape[:-1], 1)[: len(shape)], "full": shape}
    for name in ("weight", "pos_weight"):
        if options[name] != "none":
            arguments[name] = np.asarray(rng.uniform(0.25, 4.0, broadcast[options[name]]))
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Logits so far from 0 that a probability is certain: a loss is the logit's distance where it is wrong."""
    target = rng.integers(0, 2, size).astype(np.float64)
    wrong = far(limits) * counting(size, rng, limits, (1, 2))
    return {"input": (1 - 2 * target) * np.where(wrong > 0, wrong, -far(limits)), "target": target}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.random(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="binary_cross_entropy_with_logits",
    surrounded=({}, {"weight": "full", "pos_weight": "full"}),
    torch_names=("torch.nn.functional.binary_cross_entropy_with_logits", "torch.nn.BCEWithLogitsLoss"),
    function=binary_cross_entropy_with_logits, backward=binary_cross_entropy_with_logits_backward,
    module="BCEWithLogitsLoss",
    axes=(Axis("target", ("soft", "hard"), "hard: 0 or 1"), Axis("shape", tuple(_SHAPES)),
          Axis("reduction", tuple(REDUCTIONS)),
          Axis("weight", ("none", "column", "full")), Axis("pos_weight", ("none", "row", "full")),
          Axis("regime", ("moderate", "tails", "huge", "zero", "tiny", "inf", "nan"), "of the logits")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"weight": "column", "pos_weight": "row"},
                 {"weight": "full", "pos_weight": "full", "reduction": "none"}),
    arrays=("input", "target", "weight", "pos_weight"),
    independent="elements",
    whole=Whole(_whole),
    elementwise={**{t: {"target": float(t)} for t in ("0", "1", "0.3")},
                 "pos_weight": {"target": 1.0, "pos_weight": 3.0}},
    refusals=(
        _refuse("another shape", ValueError, "target must have the shape of input", target=_X[0]),
        _refuse("integer logits", NotImplementedError, "not int64", input=_X.astype(np.int64)),
        _refuse("complex logits", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("integer targets", RuntimeError, "target must be floating", target=_X.astype(np.int64)),
        _refuse("boolean targets", RuntimeError, "not bool", target=_X > 0),
        _refuse("weights that do not broadcast", RuntimeError, r"weight must broadcast .*, not \(3,\)",
                weight=_X[0, :3]),
        _refuse("weights that would enlarge the loss", RuntimeError, r"not \(2, 3, 4\)",
                weight=np.stack([_X, _X])),
        _refuse("pos_weight that would enlarge the loss", RuntimeError, "pos_weight must broadcast",
                pos_weight=np.stack([_X, _X])),
        _refuse("complex weights", RuntimeError, "weight must hold real", weight=_X.astype(np.complex64)),
        _refuse("boolean pos_weight", RuntimeError, "pos_weight must hold real numbers", pos_weight=_X > 0),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "weight must be a NumPy array, not float", weight=1.0),
        _refuse("no array; torch asks it for its size", TypeError, "target must be a NumPy array, not None",
                AttributeError, target=None),
    ),
)

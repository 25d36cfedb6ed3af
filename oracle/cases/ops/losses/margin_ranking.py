"""What is asked of ``margin_ranking_loss``: its axes, draws and refusals.

Draws are repeated until every difference is clear of the margin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.margin_ranking import margin_ranking_loss, margin_ranking_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN_TRIPLES, decided, poison, put_first, refuser, size_of, uneven
from ._whole import counting, signs, spread

__all__ = ["SPEC"]

#: Shapes of input1, input2 and target.
_SHAPES = {"8": ((8,), (8,), (8,)), "scalar": ((), (), ()), "2x3x2": ((2, 3, 2), (2, 3, 2), (2, 3, 2)),
           "column-row": ((3, 1), (1, 4), (3, 4)), "larger-target": ((1, 4), (1, 4), (3, 1)),
           "0": ((0,), (0,), (0,))}

#: Beside these: three arrays of one shape with several axes.
_ALIKE = {"3x4": ((3, 4),) * 3, **UNEVEN_TRIPLES}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "kink" and options["margin"] != 0.0:
        return False  # x1 - x2 is rounded, so that a margin cannot be met for certain
    return bool(options["shape"] != "0" or options["regime"] == "moderate")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shapes = (_SHAPES | _ALIKE)[options["shape"]]
    regime, margin = options["regime"], options["margin"]
    scale = size_of(regime, 3.0, huge=limits.max / 256, tiny=max(4096 * limits.tiny, 1e-24))
    zero = (0.0,) if margin and regime != "huge" else ()  # else it sits on a kink, or too near to one

    if options["target"] == "integers":
        x1, x2, y = (np.asarray(rng.integers(-4, 5, s)) for s in shapes)
        return {"input1": x1, "input2": x2, "target": y, "margin": margin, **REDUCTIONS[options["reduction"]]}

    def draw() -> list[Any]:
        x1, x2 = (np.asarray(rng.uniform(-scale, scale, s)) for s in shapes[:2])
        y = np.asarray(rng.choice([-1.0, 1.0], shapes[2]))
        if options["target"] == "any":
            y = np.asarray(rng.choice([0.5, -1.5, 2.0, *zero], shapes[2]))
        return [x1, x2, y]

    def clear(x1: Any, x2: Any, y: Any) -> Any:
        return np.abs(margin - y * (x1 - x2))[y * np.ones_like(x1 - x2) != 0] / np.abs(x1 - x2).max(initial=margin)

    x1, x2, y = decided(draw, clear, 4 * limits.eps)
    if regime == "kink" and x1.shape == x2.shape:
        x2.flat[::2] = x1.flat[::2]
    elif regime == "kink":
        x1.flat[::2] = x2.flat[::2] = 1.0
    poison(x1, regime, np.inf, -np.inf, np.inf)
    if regime == "inf" and x2.size > 2:
        put_first(x2, 1.0, 1.0, np.inf)  # inf - inf
    if regime == "nan":
        y.flat[-1:] = np.nan
    return {"input1": x1, "input2": x2, "target": y, "margin": margin, **REDUCTIONS[options["reduction"]]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Losses of y (x2 - x1), or of nothing where x1 is 1 on the right side."""
    losses, y, x1 = counting(size, rng, limits, (1, 2, 3)), signs(size, rng), spread(size, rng)
    return {"input1": x1, "input2": x1 + y * np.where(losses > 0, losses, -1.0), "target": y}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input1": rng.standard_normal(n, np.float32), "input2": rng.standard_normal(n, np.float32),
            "target": rng.choice(np.array([-1, 1], np.float32), n)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input1=_X, input2=_X, target=_X)

SPEC = LossSpec(
    name="margin_ranking_loss",
    torch_names=("torch.nn.functional.margin_ranking_loss", "torch.nn.MarginRankingLoss"),
    whole=Whole(_whole),
    function=margin_ranking_loss, backward=margin_ranking_loss_backward, module="MarginRankingLoss",
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("margin", (0.0, 0.5, -1.0)),
          Axis("target", ("sign", "any"), "any: also 0 and others than ±1"),
          Axis("regime", ("moderate", "huge", "tiny", "kink", "inf", "nan"), "kink: equal inputs, no margin")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=({"target": "integers", "margin": 1}, {"target": "integers", "margin": 1, "reduction": "none"},
           *uneven({"reduction": "none"}, shapes=_ALIKE)),
    kinks=lambda o: o["regime"] == "kink",
    arrays=("input1", "input2", "target"),
    independent="elements",
    elementwise={"1": {"input2": 0.0, "target": 1.0}, "-1": {"input2": 0.7, "target": -1.0},
                 "margin": {"input2": 0.7, "target": 1.0, "margin": 0.3}},
    refusals=(
        _refuse("another dimension", RuntimeError, "as many dimensions", target=_X[0]),
        _refuse("inputs of other dimensions", RuntimeError, r"\(4,\)", input2=_X[0]),
        _refuse("inputs that do not broadcast", RuntimeError, "must broadcast", input2=_X[:2]),
        _refuse("a target that does not broadcast", RuntimeError, r"must broadcast.*\(3, 2\)", target=_X[:, :2]),
        _refuse("truth values", RuntimeError, "input1 must hold numbers, not bool", input1=_X > 0, input2=_X > 0),
        _refuse("a boolean target", RuntimeError, "target must hold numbers", target=_X > 0),
        _refuse("complex inputs", NotImplementedError, "input1 must be real", input1=_X.astype(np.complex64)),
        _refuse("complex targets", NotImplementedError, "target must be real", target=_X.astype(np.complex64)),
        _refuse("no number", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its dimension", TypeError, "input2 must be a NumPy array",
                AttributeError, input2=1.0),
        _refuse("no array for a target; torch asks it likewise", TypeError, "target must be a NumPy array, not int",
                AttributeError, target=1),
    ),
)

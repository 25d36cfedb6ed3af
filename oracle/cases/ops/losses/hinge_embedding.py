"""What is asked of ``hinge_embedding_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.hinge_embedding import hinge_embedding_loss, hinge_embedding_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, poison, put_first, refuser, size_of, target_shape, uneven
from ._pairs import PAIR_SHAPES
from ._whole import counting, signs

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["broadcast"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime, margin = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["margin"]
    scale = size_of(regime, 3.0, huge=limits.max / 256, tiny=8 * limits.tiny)
    x = np.asarray(rng.uniform(-scale, scale, shape))
    if x.ndim == 0:  # so that x + max(0, m - x) is not m by cancellation, with nothing beside it
        x = np.abs(x)
    if regime == "kink":
        x.flat[::2] = margin
    elif regime == "near":
        x = np.asarray(margin + 4 * limits.eps * rng.integers(-2, 3, shape) * max(abs(margin), 0.5))
    y = np.asarray(rng.choice([-1.0, 1.0], target_shape(options["broadcast"], shape)))
    if options["target"] == "int":
        y = y.astype(np.int64)
    elif options["target"] == "other":
        put_first(y, 0.0, 2.0, np.nan)
    elif options["target"] == "zero":
        y[...] = 0.0
    poison(x, regime, np.inf, -np.inf, np.inf, -np.inf)
    return {"input": x, "target": y, "margin": margin, **REDUCTIONS[options["reduction"]]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Losses of x beside y = 1, and of 1 - x beside y = -1."""
    losses, y = counting(size, rng, limits, (1, 2, 3)), signs(size, rng)
    y = np.where(losses > 0, y, 1.0)
    return {"input": np.where(y > 0, losses, 1 - losses), "target": y}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.random(n, np.float32), "target": rng.choice(np.array([-1, 1], np.float32), n)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="hinge_embedding_loss",
    torch_names=("torch.nn.functional.hinge_embedding_loss", "torch.nn.HingeEmbeddingLoss"),
    function=hinge_embedding_loss, backward=hinge_embedding_loss_backward, module="HingeEmbeddingLoss",
    axes=(Axis("target", ("sign", "int", "zero", "other"), "other: also 0, 2 and NaN"),
          Axis("broadcast", ("same", "row", "larger")), Axis("shape", tuple(PAIR_SHAPES)),
          Axis("reduction", tuple(REDUCTIONS)), Axis("margin", (1.0, 0.25, 0.0, -0.5)),
          Axis("regime", ("moderate", "kink", "near", "huge", "tiny", "inf", "nan"),
               "kink: x = m in places, near: a few units from it")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"broadcast": "row", "reduction": "none"}),
    arrays=("input", "target"),
    independent="elements",
    whole=Whole(_whole),
    elementwise={t: {"target": float(t)} for t in ("1", "-1")},
    # Where m = 0 a tiny x is nearer to it than the step of a difference quotient.
    kinks=lambda options: (options["regime"] in ("kink", "near")
                           or (options["regime"] == "tiny" and options["margin"] == 0)),
    refusals=(
        _refuse("shapes that do not broadcast", RuntimeError, r"broadcast with input, \(3, 4\), not \(3,\)",
                target=_X[:, 0]),
        _refuse("a mean of integers", RuntimeError, "must be floating, not int64", input=_X.astype(np.int64)),
        _refuse("truth values", RuntimeError, "not bool", input=_X > 0),
        _refuse("complex input", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("no number", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("nothing for margin", TypeError, "margin must be a number, not NoneType", margin=None),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no reduction at all", ValueError, "None", reduction=None),
        _refuse("no array", TypeError, "target must be a NumPy array, not int", target=1),
        _refuse("no array for input", TypeError, "input must be a NumPy array, not float", input=1.0),
    ),
)

"""What is asked of ``cosine_embedding_loss``: its axes, draws and refusals.

Draws are repeated until every cosine is clear of its branch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.cosine_embedding import EPS, cosine, cosine_embedding_loss, cosine_embedding_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, decided, poison, refuser, size_of
from ._whole import counting

__all__ = ["SPEC"]

#: Shapes of input1, input2 and target.
_SHAPES = {"4x5": ((4, 5), (4, 5), (4,)), "5": ((5,), (5,), ()), "one-many": ((1, 3), (4, 3), (4,)),
           "one-target": ((3, 4), (3, 4), (1,)), "many-targets": ((1, 4), (1, 4), (3,)),
           "one-column": ((4, 1), (4, 3), (4,)), "0x3": ((0, 3), (0, 3), (0,))}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "kink" and options["margin"] != 0.0:
        return False  # the cosine is rounded, so that no other margin can be met for certain
    if options["regime"] == "parallel" and options["shape"] != "4x5":
        return False  # 1 - cos is lost in rounding: other pairs have to give the loss a scale
    if dtype == "bfloat16" and options["shape"] in ("one-many", "many-targets"):
        return False  # gradients cancel where they are summed, and 8 bits leave nothing of them
    return bool(options["shape"] != "0x3" or options["regime"] == "moderate")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shapes, regime, margin = _SHAPES[options["shape"]], options["regime"], options["margin"]
    scale = size_of(regime, 3.0, huge=limits.max**0.5 / 8, tiny=EPS**0.5)

    def draw() -> list[Any]:
        x1, x2 = (np.asarray(rng.uniform(-scale, scale, s)) for s in shapes[:2])
        y = np.asarray(rng.choice([-1.0, 1.0] if options["target"] == "sign" else [0.0, 0.5, -1.0, 1.0], shapes[2]))
        if regime == "zero":
            x1[..., :] *= np.arange(x1.size).reshape(x1.shape) >= x1.shape[-1]
        elif regime == "kink":
            x1[..., 0], x2[..., 1:], y = 0.0, 0.0, np.full_like(y, -1.0)
            x2 = np.abs(x2)  # nothing cancels where its gradients are summed
        elif regime == "parallel":
            x2[0] = 2 * x1[0]
            y[:2] = 1.0
        elif regime == "beyond":
            for x, i in ((x1, 0), (x2, -1)):
                rows = x.reshape(-1, x.shape[-1])
                rows[i] = 16 * limits.max**0.5 * np.abs(rows[i])
                rows[i, i] = 0.0
        elif regime == "integers":
            e1, e2 = (np.broadcast_to(e, x1.shape).copy() for e in np.eye(2, x1.shape[-1], dtype=np.int64))
            return [e1, e2, y.astype(np.int64)]
        return [x1, x2, y]

    def clear(x1: Any, x2: Any, y: Any) -> Any:
        cos, *_ = cosine(*np.broadcast_arrays(x1, x2))
        distance = np.where(y == 1, 1 - cos, np.where((y == -1) & (cos != 0), cos - margin, 1))
        return distance[1:] if regime == "parallel" else distance

    x1, x2, y = decided(draw, clear, 40 * limits.eps)
    poison(x1, regime, np.inf, -np.inf, 0.0)
    if regime == "nan" and y.size > 1:
        y[-1] = np.nan
    return {"input1": x1, "input2": x2, "target": y, "margin": margin, **REDUCTIONS[options["reduction"]]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Vectors at right angles, which count, and opposed ones beside y = -1, which do not; so long that ε is lost."""
    counted, (n,) = counting(size, rng, limits) > 0, size
    at, length = rng.integers(0, 3, n), (4.0 if limits.eps > 1e-10 else 4096.0) * rng.choice((1.0, 2.0), (n, 1))
    first = length * np.eye(3)[at]
    second = np.where(counted[:, None], length * np.eye(3)[(at + rng.integers(1, 3, n)) % 3], -first)
    return {"input1": first, "input2": second, "target": np.where(counted, 1.0, -1.0)}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = max(n // 100, 1)
    return {"input1": rng.standard_normal((rows, 100), np.float32),
            "input2": rng.standard_normal((rows, 100), np.float32),
            "target": rng.choice(np.array([-1, 1], np.float32), rows)}


_X, _Y = np.ones((3, 4), np.float32), np.ones(3, np.float32)
_refuse = refuser(input1=_X, input2=_X, target=_Y)

SPEC = LossSpec(
    name="cosine_embedding_loss",
    surrounded=({}, {"margin": 0.5}),
    torch_names=("torch.nn.functional.cosine_embedding_loss", "torch.nn.CosineEmbeddingLoss"),
    whole=Whole(_whole),
    function=cosine_embedding_loss, backward=cosine_embedding_loss_backward, module="CosineEmbeddingLoss",
    axes=(Axis("shape", tuple(name for name in _SHAPES if name != "one-column")), Axis("reduction", tuple(REDUCTIONS)),
          Axis("margin", (0.0, 0.5, -0.25)),
          Axis("target", ("sign", "any"), "any: also 0 and 0.5, which count for nothing"),
          Axis("regime", ("moderate", "huge", "tiny", "zero", "parallel", "kink", "inf", "nan"),
               "tiny: lengths about the root of ε; kink: right angles, no margin")),
    extra=(*({"regime": "beyond", **others} for others in (  # squares that overflow
               {}, {"shape": "5", "margin": -0.25}, {"shape": "one-many", "reduction": "sum"},
               {"reduction": "none", "target": "any"}, {"reduction": "none", "margin": 0.5})),
           {"regime": "integers", "margin": 1}, {"regime": "integers", "margin": 1, "reduction": "none"},
           {"shape": "one-column", "regime": "tiny"}, {"shape": "one-column", "regime": "tiny", "reduction": "none"}),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    kinks=lambda o: o["regime"] in ("kink", "zero") and o["margin"] == 0.0,
    arrays=("input1", "input2", "target"),
    refusals=(
        _refuse("more targets than pairs", RuntimeError, "must broadcast", target=np.ones(2, np.float32)),
        _refuse("a target with a second dimension", RuntimeError, r"not \(3, 1\)", target=_Y[:, None]),
        _refuse("one target for no batch", RuntimeError, r"input1 must have shape \(D\)", target=np.array(1.0)),
        _refuse("no batch for many targets", RuntimeError, r"input1 must have shape \(N, D\)", input1=_X[0],
                input2=_X[0]),
        _refuse("one vector for a batch", RuntimeError, r"input2 must have shape .*, not \(4,\)", input2=_X[0]),
        _refuse("vectors of other lengths", RuntimeError, "must broadcast", input2=_X[:, :3]),
        _refuse("a third dimension", RuntimeError, r"input1 must have shape \(N, D\) .* not \(3, 1, 4\)",
                input1=_X[:, None], input2=_X[:, None]),
        _refuse("complex vectors", NotImplementedError, "input1 must be real", input1=_X.astype(np.complex64)),
        _refuse("no number", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "input2 must be a NumPy array, not float", input2=1.0),
        _refuse("no array for a target", TypeError, "target must be a NumPy array, not int", target=1),
    ),
)

"""Hinge loss of distances between pairs that are alike or not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, indicator, is_floating, relu, unbroadcast, where
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven
from ._module import module_class
from ._pairs import PAIR_SHAPES, broadcast_pair, number

__all__ = ["SPEC", "HingeEmbeddingLoss", "hinge_embedding_loss", "hinge_embedding_loss_backward"]


@ieee
def hinge_embedding_loss(input: Array, target: Array, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""Distance itself for pairs that are alike, and what it lacks of a margin for those that are not.

    The loss of an element is, by its target::

        x               y = 1
        max(0, m - x)   y = -1

    Args:
        input: x, distances; any shape, floating.
        target: y, any shape that broadcasts with that of ``input``; its dtype does not matter.
        margin: m, any number.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss in the dtype of ``input``: the broadcast shape, or () when reduced; NaN for the mean of
        nothing.

    Raises:
        RuntimeError: the shapes do not broadcast, or ``input`` holds truth values or integers (whose loss
            torch truncates where it is not a mean).
        NotImplementedError: ``input`` is complex.
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array, or ``margin`` no number.

    torch takes any target, and so does this: one that is neither 1 nor -1, such as 0, 2 or NaN, adds both
    branches, x + max(0, m - x).

    >>> hinge_embedding_loss(np.array([0.25, 0.25, 0.25]), np.array([1, -1, 0]), reduction="none")
    array([0.25, 0.75, 1.  ])

    Source: documentation of torch.nn.HingeEmbeddingLoss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    margin = _check(input, target, margin)

    def losses(x: Array, y: Array) -> Array:
        alike = where(y != -1, x, 0)
        unlike = where(y != 1, relu(margin - x), 0)
        return cast(alike + unlike, x.dtype)

    return reduce_blocks(losses, [input, target], reduction)


@ieee
def hinge_embedding_loss_backward(
        grad_output: Array, input: Array, target: Array, margin: float = 1.0,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`hinge_embedding_loss`: 1 where y = 1, and where y = -1 either -1 or, if x > m, 0.

    At the kink, x = m, torch passes the full -1; where x is NaN, 0. Other targets add both branches.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, margin, size_average, reduce, reduction: as there.

    Returns:
        The gradient of input; None for target.

    Raises:
        What :func:`hinge_embedding_loss` raises.

    >>> hinge_embedding_loss_backward(np.array(3.0), np.array([5.0, 1.0, 5.0]), np.array([1, -1, -1]))[0]
    array([ 1., -1.,  0.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    margin = _check(input, target, margin)
    g = cast(grad_output, input.dtype)
    g = np.asanyarray(g / math.prod(common_shape(input, target))) if reduction == "mean" else g

    def slope(g: Array, x: Array, y: Array) -> Array:
        alike, unlike = y != -1, (y != 1) & (margin - x >= 0)
        return np.asanyarray(g * (indicator(alike, x.dtype) - indicator(unlike, x.dtype)))

    return unbroadcast(map_blocks(slope, g, input, target), input), None


def _check(input: Array, target: Array, margin: Any) -> Any:
    """Refuse what does not fit; the margin."""
    broadcast_pair(input, array("target", target))
    if not is_floating(input):
        kind = NotImplementedError if input.dtype.kind == "c" else RuntimeError
        raise kind(f"input must be floating, not {input.dtype}")
    return number("margin", margin)


# --- cases ---------------------------------------------------------------------------------------

def _allowed(options: Options, dtype: str) -> bool:
    return ((options["broadcast"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime, margin = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["margin"]
    scale = {"huge": limits.max / 256, "tiny": 8 * limits.tiny}.get(regime, 3.0)
    x = np.asarray(rng.uniform(-scale, scale, shape))
    if x.ndim == 0:  # so that x + max(0, m - x) is not m by cancellation, with nothing beside it
        x = np.abs(x)
    if regime == "kink":
        x.flat[::2] = margin
    elif regime == "near":
        x = np.asarray(margin + 4 * limits.eps * rng.integers(-2, 3, shape) * max(abs(margin), 0.5))
    y = rng.choice([-1.0, 1.0], {"row": shape[-1:], "larger": (2, *shape)}.get(options["broadcast"], shape))
    y = np.asarray(y)
    if options["target"] == "int":
        y = y.astype(np.int64)
    elif options["target"] == "other":
        y.flat[: 3] = np.array([0.0, 2.0, np.nan])[: y.size]
    elif options["target"] == "zero":
        y[...] = 0.0
    poison(x, regime, np.inf, -np.inf, np.inf, -np.inf)
    return {"input": x, "target": y, "margin": margin, **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.random(n, np.float32), "target": rng.choice(np.array([-1, 1], np.float32), n)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="hinge_embedding_loss",
    torch_names=("torch.nn.functional.hinge_embedding_loss", "torch.nn.HingeEmbeddingLoss"),
    function=hinge_embedding_loss, backward=hinge_embedding_loss_backward, module="HingeEmbeddingLoss",
    module_arguments={"margin": 1.0, "size_average": None, "reduce": None, "reduction": "mean"},
    axes=(Axis("target", ("sign", "int", "zero", "other"), "other: also 0, 2 and NaN"),
          Axis("broadcast", ("same", "row", "larger")), Axis("shape", tuple(PAIR_SHAPES)),
          Axis("reduction", tuple(REDUCTIONS)), Axis("margin", (1.0, 0.25, 0.0, -0.5)),
          Axis("regime", ("moderate", "kink", "near", "huge", "tiny", "inf", "nan"),
               "kink: x = m in places, near: a few units from it")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"broadcast": "row", "reduction": "none"}),
    arrays=("input", "target"),
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

HingeEmbeddingLoss = module_class(SPEC)

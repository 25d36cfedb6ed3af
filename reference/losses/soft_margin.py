"""Logistic loss of margins between numbers and signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, ieee, is_floating, result_type, sigmoid, softplus, unbroadcast
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven
from ._module import module_class
from ._pairs import PAIR_SHAPES, broadcast_pair

__all__ = ["SPEC", "SoftMarginLoss", "soft_margin_loss", "soft_margin_loss_backward"]


@ieee
def soft_margin_loss(input: Array, target: Array, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""Logistic loss of the margin, target times input.

    The loss of an element is::

        log(1 + exp(-y x)) = softplus(-y x)

    Args:
        input: x, any shape, floating.
        target: y, broadcasts to the shape of ``input``. Meant are -1 and 1; any number is taken.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss in the dtype of ``input``: its shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: the shapes do not fit, ``input`` is not floating or ``target`` is complex. (torch takes
            complex input too, but refuses to differentiate the result.)
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array.

    torch evaluates the formula as it stands: where exp(-y x) overflows, which is from y x = -88.7 on in
    float32 and from -11.1 in float16, it gives inf, and NaN for the gradient.

    >>> soft_margin_loss(np.array([-1000.0, 1000.0]), np.array([1.0, 1.0]), reduction="none")
    array([1000.,    0.])

    Source: documentation of torch.nn.SoftMarginLoss; the logistic loss of Friedman, Hastie, Tibshirani,
    Additive Logistic Regression (2000), equation 39 with F halved.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y = _prepare(input, target)
    return reduce_blocks(lambda x, y: cast(softplus(-y * x), input.dtype), [x, y], reduction)


@ieee
def soft_margin_loss_backward(grad_output: Array, input: Array, target: Array,
                              size_average: bool | None = None, reduce: bool | None = None,
                              reduction: str = "mean") -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`soft_margin_loss`: -y σ(-y x) for x.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction: as there.

    Returns:
        The gradient of input; None for target, which torch refuses to differentiate.

    Raises:
        What :func:`soft_margin_loss` raises.

    >>> soft_margin_loss_backward(np.array(4.0), np.array([0.0, -1000.0]), np.array([-1.0, 1.0]))[0]
    array([ 1., -2.])

    Source: the derivative of softplus is σ.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y = _prepare(input, target)
    g = cast(grad_output, x.dtype)
    g = np.asanyarray(g / x.size) if reduction == "mean" else g
    slope = map_blocks(lambda g, x, y: -g * y * sigmoid(-y * x), g, x, y)
    return unbroadcast(slope, input), None


def _prepare(input: Array, target: Array) -> tuple[Array, Array]:
    """The checked arguments in their common dtype."""
    if broadcast_pair(input, target) != input.shape:
        raise RuntimeError(f"target must broadcast to the shape of input, {input.shape}, not {target.shape}")
    if not is_floating(input) or target.dtype.kind == "c":
        raise RuntimeError(f"input must be floating and target real, not {input.dtype} and {target.dtype}")
    dtype = result_type(input, target)
    return cast(input, dtype), cast(target, dtype)


# --- cases ---------------------------------------------------------------------------------------

def _allowed(options: Options, dtype: str) -> bool:
    return ((options["broadcast"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"]
    edge = np.log(limits.max)  # where exp overflows
    low, high = {"tails": (0.4 * edge, 0.9 * edge), "huge": (1.5 * edge, 3 * edge), "zero": (0.0, 0.0),
                 "tiny": (limits.tiny, 8 * limits.tiny)}.get(regime, (0.0, 3.0))
    x = np.asarray(rng.uniform(low, high, shape))
    y = np.asarray(rng.choice([-1.0, 1.0], shape[-1:] if options["broadcast"] == "row" else shape))
    # Wrong by a large margin, and right by one, in turn: losses that are almost 0 stand beside large ones.
    x = np.asarray(-x * y)
    x.flat[1::2] *= -1
    if options["target"] == "int":
        y = y.astype(np.int64)
    elif options["target"] == "soft":
        y = np.asarray(y * rng.uniform(0.5, 1.0, y.shape))
        y.flat[2:3] = 0.0
    poison(x, regime, np.inf, -np.inf, np.inf)
    if regime == "nan" and options["target"] != "int":
        y.flat[-1:] = np.nan
    return {"input": x, "target": y, **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    signs = rng.choice(np.array([-1, 1], np.float32), n)
    return {"input": rng.standard_normal(n, np.float32), "target": signs}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="soft_margin_loss", torch_names=("torch.nn.functional.soft_margin_loss", "torch.nn.SoftMarginLoss"),
    function=soft_margin_loss, backward=soft_margin_loss_backward, module="SoftMarginLoss",
    module_arguments={"size_average": None, "reduce": None, "reduction": "mean"},
    axes=(Axis("target", ("sign", "int", "soft"), "soft: any number"), Axis("broadcast", ("same", "row")),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("regime", ("moderate", "tails", "huge", "zero", "tiny", "inf", "nan"),
               "tails: exp nearly overflows, huge: it does")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"broadcast": "row", "reduction": "none"}),
    arrays=("input", "target"),
    elementwise={t: {"target": float(t)} for t in ("1", "-1", "0.3")},
    refusals=(
        _refuse("shapes that do not broadcast", RuntimeError, r"broadcast with input, \(3, 4\), not \(3,\)",
                target=_X[:, 0]),
        _refuse("targets that would enlarge the loss", RuntimeError, r"shape of input, \(4,\), not \(3, 4\)",
                input=_X[0]),
        _refuse("integers", RuntimeError, "not int64 and float32", input=_X.astype(np.int64)),
        _refuse("integers throughout", RuntimeError, "not uint8 and uint8",
                input=_X.astype(np.uint8), target=_X.astype(np.uint8)),
        _refuse("truth values", RuntimeError, "not bool and float32", input=_X > 0),
        _refuse("complex targets", RuntimeError, "not float32 and complex64", target=_X.astype(np.complex64)),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no reduction at all", ValueError, "None", reduction=None),
        _refuse("no array", TypeError, "target must be a NumPy array, not int", target=1),
        _refuse("no array for input", TypeError, "input must be a NumPy array, not NoneType", input=None),
    ),
)

SoftMarginLoss = module_class(SPEC)

"""Multi-label margin loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, ieee, indicator, is_floating, relu, row_sum, sum_by, total, where, widen
from ..reduction import reduce_losses, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, decided, poison, refuser
from ._classes import first_outside
from ._module import module_class

__all__ = ["SPEC", "MultiLabelMarginLoss", "multilabel_margin_loss", "multilabel_margin_loss_backward"]


@ieee
def multilabel_margin_loss(input: Array, target: Array, size_average: bool | None = None,
                           reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""How far the scores of a row's labels fail to exceed those of all other classes by 1.

    With the list L of a row's labels, out of C classes, the loss of the row is::

        1/C Σ_{l in L} Σ_{c not in L} max(0, 1 - x_l + x_c)

    Args:
        input: scores x, shape (N, C), (C) or (), which is one class; floating.
        target: int64, the shape of ``input`` (a row of one class may lack its dimension, or have one more);
            in each row, the labels L up to the first -1. A label that is listed twice counts twice.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of rows; C divides in every
            reduction.

    Returns:
        The loss: shape (N), or () for one row or when reduced; NaN for the mean of no rows.

    Raises:
        RuntimeError: a shape, a dtype or an entry of the target does not fit, also behind the first -1.
        ValueError: ``reduction`` is unknown.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array.

    torch's CPU kernel refuses half types, counts a NaN among the scores as no loss at all, and reduces no
    rows to whatever the memory held.

    >>> multilabel_margin_loss(np.array([0.1, 0.2, 0.4, 0.8]), np.array([3, 0, -1, 1])).round(6).item()
    0.85

    Source: documentation of torch.nn.MultiLabelMarginLoss; Elisseeff, Weston, A kernel method for
    multi-labelled classification (2001), whose ranking loss it is but for the divisor.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, labels, listed = _prepare(input, target)

    def of_rows(x: Array, labels: Array, listed: Array) -> Array:
        return row_sum(row_sum(relu(_excess(x, labels, listed))).squeeze(-1))

    losses = map_blocks(of_rows, x, labels, listed).ravel() / x.shape[1]
    return reduce_losses(cast(losses, input.dtype).reshape(input.shape[:-1]), reduction)


@ieee
def multilabel_margin_loss_backward(grad_output: Array, input: Array, target: Array,
                                    size_average: bool | None = None, reduce: bool | None = None,
                                    reduction: str = "mean") -> tuple[Array | None, None]:
    r"""Gradient of :func:`multilabel_margin_loss`: -1/C for the label, 1/C for the other class of each pair.

    Pairs with 1 - x_l + x_c > 0 count; at the kink torch's gradient is 0.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction: as there.

    Returns:
        Gradient of input in its shape; None for target.

    Raises:
        What :func:`multilabel_margin_loss` raises.

    >>> multilabel_margin_loss_backward(np.array(1.0), np.array([0.0, 0.5]), np.array([1, -1]))[0]
    array([ 0.5, -0.5])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, labels, listed = _prepare(input, target)
    g = np.broadcast_to(widen(grad_output).ravel(), x.shape[:1], subok=True)
    g = (g / len(x) if reduction == "mean" else g) / x.shape[1]

    def of_rows(x: Array, labels: Array, listed: Array, g: Array) -> Array:
        counted = indicator(_excess(x, labels, listed) > 0, x.dtype)
        slope = total(counted, 1) - sum_by(row_sum(counted).squeeze(-1), labels, x.shape[1])
        return np.asanyarray(g * slope)

    slope = map_blocks(of_rows, x, labels, listed, g[:, None])
    return cast(slope, input.dtype).reshape(input.shape), None


def _excess(x: Array, labels: Array, listed: Array) -> Array:
    """1 - x_l + x_c for each entry l of a row's list and each class c; -∞ for pairs that do not count."""
    is_label = sum_by(listed.astype(np.int64), labels, x.shape[1]) > 0
    z = (1 - x[np.arange(len(x))[:, None], labels])[:, :, None] + x[:, None, :]
    return where(listed[:, :, None] & ~is_label[:, None, :], z, -np.inf)


def _prepare(input: Array, target: Array) -> tuple[Array, Array, Array]:
    """The checked scores as rows; the lists, cut to the length of the longest; and which of their entries count."""
    input, target = array("input", input), array("target", target)
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(f"input must have shape (N, C), (C) or () with some class, not {input.shape}")
    if target.shape != input.shape and not (max(input.ndim, target.ndim) == 1 == input.size == target.size):
        raise RuntimeError(f"target must have the shape of input, {input.shape}, not {target.shape}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    if target.dtype != np.int64:
        raise RuntimeError(f"target must be of dtype int64, not {target.dtype}")
    x = input.reshape(input.shape if input.ndim == 2 else (1, input.size))
    labels = target.reshape(x.shape)
    if (wrong := first_outside(labels, -1, x.shape[1])) is not None:
        raise RuntimeError(f"target must be in 0..{x.shape[1] - 1}, or -1, not {wrong}")
    listed = np.logical_and.accumulate(labels >= 0, axis=1)
    longest = np.count_nonzero(listed.any(axis=0))
    return widen(x), np.maximum(labels[:, :longest], 0), listed[:, :longest]


# --- cases ---------------------------------------------------------------------------------------

_SHAPES = {"3x4": (3, 4), "5": (5,), "1x6": (1, 6), "4x1": (4, 1), "2x2": (2, 2), "scalar": (), "0x3": (0, 3)}


def _allowed(options: Options, dtype: str) -> bool:
    # The mean and the sum of no rows are uninitialised memory in torch, other in each run: nothing to compare.
    return ((options["shape"] != "0x3"
             or (options["regime"] == "moderate" and options["reduction"] in ("none", "reduce=False")))
            and (options["labels"] != "twice" or options["shape"] in ("3x4", "5", "1x6")))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime = _SHAPES[options["shape"]], options["regime"]
    classes = shape[-1] if shape else 1
    scale = {"huge": limits.max / 256, "tiny": limits.tiny, "wide": 100.0}.get(regime, 2.0)
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
    function=multilabel_margin_loss, backward=multilabel_margin_loss_backward, module="MultiLabelMarginLoss",
    module_arguments={"size_average": None, "reduce": None, "reduction": "mean"},
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

MultiLabelMarginLoss = module_class(SPEC)

"""Cosine embedding loss."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, ieee, isfinite, relu, result_type, unbroadcast, vecdot, where, widen
from ..reduction import reduce_losses, resolve
from ._module import module_class

__all__ = ["EPS", "CosineEmbeddingLoss", "cosine", "cosine_embedding_loss", "cosine_embedding_loss_backward"]

EPS = float(np.float32(1e-12))  #: torch's, added to the square of each length; a float32, also for doubles


@ieee
def cosine_embedding_loss(input1: Array, input2: Array, target: Array, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Array:
    r"""One minus the cosine of the angle between vectors that belong together; its excess for others.

    With cos = x₁·x₂ / (√(|x₁|² + ε) √(|x₂|² + ε)) and ε = 1e-12, the loss of a pair is::

        1 - cos                 for y = 1
        max(0, cos - margin)    for y = -1
        0                       for any other y

    Args:
        input1, input2: x₁ and x₂, shape (N, D), or (D) beside a target of shape (); they broadcast.
        target: y, shape (N) or ().
        margin: any number; documented from -1 to 1.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of pairs, those of 0 included.

    Returns:
        The loss: the shape of ``target`` (broadcast with N), or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: a shape does not fit. ValueError: ``reduction`` is unknown.
        NotImplementedError: an input is complex.
        TypeError: an argument is no array, or ``margin`` no number.

    Textbooks have no ε (which is 1e-12 rounded to float32, whatever the dtype), and no cosine of a vector of
    length 0, which is 0 here. torch takes the root of the product of the squares: it overflows where the
    product does, and then the cosine counts as 0, or is NaN where a square overflows as well; in float16 ε is
    lost and a vector of length 0 gives NaN. Where an input has one column for many of the other, torch takes the
    length of that column alone, and "cosines" come out above 1.

    >>> cosine_embedding_loss(np.array([3.0, 4.0]), np.array([1.0, 0.0]), np.array(1.0)).round(6).item()
    0.4

    Source: documentation of torch.nn.CosineEmbeddingLoss, which has no ε; that was found by value.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    inputs, y, dtype = _prepare([input1, input2], target, margin)
    cos, *_ = cosine(*inputs)
    losses = np.where(y == 1, 1 - cos, np.where(y == -1, relu(cos - margin), 0))
    return reduce_losses(cast(losses, dtype), reduction)


@ieee
def cosine_embedding_loss_backward(
        grad_output: Array, input1: Array, input2: Array, target: Array, margin: float = 0,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None, None]:
    r"""Gradient of :func:`cosine_embedding_loss`, from ∂cos/∂x₁ = (u₂ - cos u₁) / √(|x₁|² + ε).

    There u = x / √(|x|² + ε). For y = -1 the loss counts where cos >= margin: torch passes the full gradient
    at the kink. Pairs of another y have a gradient of 0; torch multiplies by 0, NaN for inputs of NaN or inf.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input1, input2, target, margin, size_average, reduce, reduction: as for :func:`cosine_embedding_loss`.

    Returns:
        Gradients of input1 and input2 in their shapes, None for integers; None for target.

    Raises:
        What :func:`cosine_embedding_loss` raises.

    >>> cosine_embedding_loss_backward(np.array(1.0), np.array([2.0, 0.0]), np.array([0.0, 0.5]), np.array(-1))[1]
    array([2., 0.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    inputs, y, _ = _prepare([input1, input2], target, margin)
    cos, x1, x2, length1, length2, s1, s2 = cosine(*inputs)
    g = widen(grad_output)
    g = np.where(y == 1, -g, np.where(cos >= margin, g, 0))
    g = g / g.size if reduction == "mean" else g
    counts = (y == 1) | (y == -1)

    def of_rows(x1: Array, x2: Array, *columns: Array) -> tuple[Array, Array]:
        cos, length1, length2, g1, g2, counts = columns
        u1, u2 = x1 / length1, x2 / length2
        return where(counts, (u2 - cos * u1) * g1, 0), where(counts, (u1 - cos * u2) * g2, 0)

    columns = (a[..., None] for a in (cos, length1, length2, g / length1 / s1, g / length2 / s2, counts))
    grad1, grad2 = map_blocks(of_rows, *map(np.atleast_2d, (x1, x2, *columns)))
    shape = *g.shape, x1.shape[-1]
    return unbroadcast(grad1.reshape(shape), input1), unbroadcast(grad2.reshape(shape), input2), None


def cosine(x1: Array, x2: Array) -> tuple[Array, ...]:
    """The cosine; the vectors, divided by scales, their lengths, and the scales."""
    (x1, length1, s1), (x2, length2, s2) = map(_measured, (x1, x2))
    return np.asanyarray(vecdot(x1, x2) / length1 / length2), x1, x2, length1, length2, s1, s2


def _measured(x: Array) -> tuple[Array, Array, Array]:
    """x/s, its length √(|x/s|² + ε/s²), and s: 1, but the largest component where the square of x overflows.

    A square that overflows is so large that ε does not matter.
    """
    length = np.sqrt(vecdot(x, x) + EPS)
    fits = isfinite(length)
    if fits.all():
        return x, length, np.ones_like(length)
    s = np.where(fits, 1, np.max(np.abs(x), -1))
    x = x / s[..., None]
    return x, np.where(fits, length, np.sqrt(vecdot(x, x))), s


def _prepare(inputs: list[Array], target: Array, margin: float) -> tuple[list[Array], Array, np.dtype[Any]]:
    """The checked inputs, broadcast and wide enough for ε, the target, and the dtype of the loss."""
    named, target = dict(zip(("input1", "input2"), inputs, strict=True)), array("target", target)
    inputs = [array(name, a) for name, a in named.items()]
    if not isinstance(margin, numbers.Real):
        raise TypeError(f"margin must be a number, not {type(margin).__name__}")
    if target.ndim > 1:
        raise RuntimeError(f"target must have shape () or (N), not {target.shape}")
    for name, a in named.items():
        if a.ndim != target.ndim + 1:
            needed = "(N, D)" if target.ndim else "(D)"
            raise RuntimeError(f"{name} must have shape {needed} beside a target of shape {target.shape}, "
                               f"not {a.shape}")
        if a.dtype.kind == "c":
            raise NotImplementedError(f"{name} must be real, not {a.dtype}")
    shapes = [a.shape for a in inputs]
    try:
        np.broadcast_shapes(*shapes, (*target.shape, 1))
    except ValueError:
        raise RuntimeError(f"input1, input2 and target must broadcast, not shapes {shapes[0]}, "
                           f"{shapes[1]} and {target.shape}") from None
    dtype = result_type(*(a.astype(np.float32) if a.dtype.kind in "biu" else a for a in inputs))
    wide = [widen(cast(a, dtype)) for a in inputs]
    if shapes[0] != shapes[1]:
        wide = [np.broadcast_to(x, np.broadcast_shapes(*shapes), subok=True) for x in wide]
    return wide, target, dtype


CosineEmbeddingLoss = module_class("CosineEmbeddingLoss", cosine_embedding_loss, margin=0.0, size_average=None,
                                   reduce=None, reduction="mean")

"""Reductions of elementwise losses: none, mean and sum, and the older ``size_average`` and ``reduce``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from .blocks import blocks, fits, map_blocks
from .numerics import Array, add_up, cast, total, widen

__all__ = ["reduce_blocks", "reduce_losses", "resolve", "share", "translate"]


def translate(size_average: bool | None, reduce: bool | None, stacklevel: int = 2) -> str:
    """The reduction that the older pair of arguments stands for; each is true where it is None.

    Warns:
        UserWarning: always, since torch deprecates the pair.
    """
    if reduce is not None and not reduce:
        reduction = "none"
    else:
        reduction = "mean" if size_average is None or size_average else "sum"
    warnings.warn(f"size_average and reduce are deprecated; reduction={reduction!r} says the same",
                  UserWarning, stacklevel=stacklevel + 1)
    return reduction


def resolve(reduction: str, *, size_average: bool | None = None, reduce: bool | None = None,
            extra: tuple[str, ...] = (), old_name: bool = True, stacklevel: int = 4) -> str:
    """The reduction to apply: the older pair overrides ``reduction`` where either of it is given.

    Args:
        reduction: "none", "mean", "sum" or one of ``extra``; "elementwise_mean" is an old name of "mean".
        size_average, reduce: the older pair, or None; by name alone, since one is easily taken for the other.
        extra: reductions that this loss has besides, such as "batchmean".
        old_name: does this loss take "elementwise_mean"?
        stacklevel: of warnings; the default points at the caller of a loss that ``ieee`` decorates.

    Raises:
        ValueError: there is no such reduction.

    >>> resolve("sum")
    'sum'
    """
    if size_average is not None or reduce is not None:
        return translate(size_average, reduce, stacklevel)
    known = ("none", "mean", "sum", *extra)
    if not isinstance(reduction, str):
        raise ValueError(f"reduction must be one of {', '.join(known)}, not {reduction!r}")
    if reduction == "elementwise_mean" and old_name:
        warnings.warn("reduction='elementwise_mean' is deprecated; it is called 'mean'",
                      UserWarning, stacklevel=stacklevel)
        return "mean"
    if reduction not in known:
        raise ValueError(f"reduction must be one of {', '.join(known)}, not {reduction!r}")
    return reduction


def reduce_losses(losses: Array, reduction: str, divisor: Array | int | None = None) -> Array:
    """All losses, their sum, or their mean, which is their sum divided by ``divisor``.

    The divisor is a number, an array of weights to be summed, or the number of losses. A mean of half
    types is accumulated and divided in float32 and rounded once; the mean of nothing is NaN.
    """
    if reduction == "none":
        return np.asanyarray(losses)
    if reduction == "sum":
        return total(losses)
    if divisor is None:
        divisor = losses.size
    elif not isinstance(divisor, int):
        divisor = add_up(widen(divisor), axis=None)
    return cast(add_up(widen(losses), axis=None) / divisor, losses.dtype)


def reduce_blocks(f: Callable[..., Array], arrays: Sequence[Array], reduction: str,
                  divisor: Array | int | None = None) -> Array:
    """:func:`reduce_losses` of ``f(*arrays)``, evaluated block by block (see :mod:`reference.blocks`).

    >>> x = np.ones(10**6, np.float32)
    >>> reduce_blocks(lambda x, y: x + y, [x, x], "mean").item()
    2.0
    """
    if reduction == "none":
        return np.asanyarray(map_blocks(f, *arrays))
    if fits(arrays) or arrays[0].dtype == object:  # balls: a sum is charged for all of its terms at once
        return reduce_losses(map_blocks(f, *arrays), reduction, divisor)
    sums, size = [], 0
    for _, block in blocks(arrays):
        losses = f(*block)
        sums.append(add_up(widen(losses), axis=None))
        size += losses.size
    return cast(reduce_losses(np.asarray(sums), reduction, size if divisor is None else divisor), losses.dtype)


def share(g: Array, n: Array | int) -> Array:
    """What each of n terms gets of the gradient of their mean; half types cannot hold each n, and divide in float32.

    >>> share(np.array(1.0, np.float16), 2**16).item()
    1.52587890625e-05
    """
    if g.dtype.itemsize == 2 and isinstance(n, int):
        return cast(widen(g) / n, g.dtype)
    return np.asanyarray(g / n)

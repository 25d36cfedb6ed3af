"""Normal numbers: Box and Muller's of the engine's uniform ones, in the order in which torch takes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._box_muller import box_muller
from ._engine import Engine
from ._storage import HALF, name_of
from ._uniform import BLOCK, slices, unit_numbers
from .precision import fma, libm, lift, pi_like, working

__all__ = ["fill_normal_blocks", "normal_pairs"]

Array = np.ndarray[Any, Any]


def fill_normal_blocks(engine: Engine, flat: Array, storage: np.dtype[Any], mean: Any, std: Any) -> None:
    """Fill a contiguous array of 16 elements or more, block by block: eight radii, then eight angles.

    A ragged end is drawn again as one more block over the last 16 elements. Half types do not draw it before, the
    others do, in vain.
    """
    work = working(flat, np.float32)
    shift, scale = lift(work, mean), lift(work, std)
    rest = flat.size % 16
    whole = flat.size - rest
    for part in slices(whole, BLOCK // 2):  # more is made of these on the way
        size = part.stop - part.start
        ragged = rest > 0 and part.stop == whole
        if ragged:
            vain = 0 if name_of(storage) in HALF else rest
            u = unit_numbers(engine, size + vain + 16, storage)
            u[size:size + 16] = u[-16:]
            u = u[:size + 16]
        else:
            u = unit_numbers(engine, size, storage)
        u_radius, u_angle = u.reshape(-1, 2, 8).swapaxes(0, 1).reshape(2, -1)
        halves = [_scale_and_shift(z, scale, shift).reshape(-1, 8)
                  for z in _box_muller_pairs(work, u_radius, u_angle, _log_of_rest)]
        for half, x in enumerate(halves):
            flat[part].reshape(-1, 2, 8)[:, half] = x[:size // 16]
        if ragged:
            flat[-16:] = np.concatenate([x[-1] for x in halves])


def normal_pairs(engine: Engine, n: int, work: Array) -> Array:
    """Draw n standard normal numbers, angle before radius, in the arithmetic of ``work``.

    A number that an odd draw left in the engine comes first, and one that this draw has too many stays there.
    """
    z, spare = lift(work, engine.take_normal()), 0.0
    if len(z) < n:
        pairs = (n - len(z) + 1) // 2
        u_angle, u_radius = unit_numbers(engine, 2 * pairs, np.dtype(np.float64)).reshape(pairs, 2).T
        z = np.concatenate([z, np.stack(_box_muller_pairs(work, u_radius, u_angle, _log1p), 1).reshape(-1)])
        spare = math.sqrt(-2 * math.log1p(-u_radius[-1])) * math.sin(2 * math.pi * u_angle[-1])
    if len(z) > n:
        engine.leave_normal(spare)
    return z[:n]


def _box_muller_pairs(work: Array, u_radius: Array, u_angle: Array,
                      log: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Cosines and sines of Box and Muller; in float32 with torch's own functions."""
    if work.dtype == np.float32:
        return box_muller(u_radius, u_angle)
    radius = np.sqrt(-2 * log(lift(work, u_radius)))
    angle = 2 * pi_like(work) * lift(work, u_angle)
    return radius * np.cos(angle), radius * np.sin(angle)


def _log1p(u: Array) -> Array:
    return libm(math.log1p, -u)


def _log_of_rest(u: Array) -> Array:
    return libm(math.log, 1 - u)  # without error, and yet the two functions differ in the last bit


def _scale_and_shift(x: Array, scale: Array, shift: Array) -> Array:
    """x * scale + shift, rounded once; without a shift that is the product, unless it may vanish. May overwrite x."""
    if x.dtype == object or shift.item() != 0 or 0 < scale.item() < 2.0**-64:
        return fma(x, +scale, +shift)
    if scale.item() != 1:
        x *= scale
    x += shift  # a zero, and so is the sum of zeros with two signs
    return x

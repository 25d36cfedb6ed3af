"""What the trajectories of all optimizers have in common: where they start, gradients, lengths, layouts.

Parameters are two, of six elements at most: every case is proved element by element.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec import Axis, Limits, Options, ParamGroup, Trajectory

__all__ = ["AXES", "LONGEST", "short_enough", "trajectory"]

AXES = (
    Axis("start", ("one", "zero"), "parameters of about 1; or of 0, so that the first update is the value"),
    Axis("grad", ("one", "eps", "zero", "alternating", "huge", "tiny", "none"),
         "about 1; about eps; 0; about 1 with a sign that flips each step; huge with a finite square; "
         "tiny with a square that underflows; none at all at every other step"),
    Axis("steps", (1, 2, 10, 300)),
    Axis("layout", ("vector", "scalar", "empty", "matrix", "groups"),
         "one axis; none; no element in one parameter; columns contiguous; a group with other options"),
)

Array = NDArray[Any]

#: Steps after which a trajectory's proven bound is still a good part below a tenth of its result, at the
#: type's precision: with 8 bits, ten steps' bound is wider than that, and says nothing.
LONGEST: Mapping[str, int] = {"float64": 300, "float32": 300, "float16": 10, "bfloat16": 2}

SHAPES = {"vector": ((5,), (3,)), "scalar": ((), ()), "empty": ((3,), (0,)), "matrix": ((2, 3), (3, 1)),
          "groups": ((3,), (2,))}


def short_enough(options: Options, dtype: str) -> bool:
    """May a trajectory be as long as this in this dtype, and with this decay?

    A long and fast one that decays ends where decay and gradient cancel, and adaptive steps turn there on
    the sign of a difference that is smaller than its proven error: nothing is decided beyond that point.
    """
    settles = options["steps"] > 10 and options["lr"] > 0.01 and options.get("weight_decay", 0) != 0
    return bool(options["steps"] <= LONGEST[dtype] and not settles)


def _magnitude(options: Options, limits: Limits) -> float:
    match options["grad"]:
        case "zero":
            return 0.0
        case "eps":
            return float(max(options.get("eps", 1e-8), limits.tiny))
        case "huge":  # times 1.5 at most, so that squares stay a seventh of the largest number
            return math.sqrt(limits.max) / 4
        case "tiny":
            return math.pow(limits.tiny, 0.75)
        case _:
            return 1.0


def trajectory(options: Options, rng: np.random.Generator, limits: Limits, defaults: Mapping[str, Any],
               group: Mapping[str, Any]) -> Trajectory:
    """The trajectory of one combination.

    Args:
        options: one value of each axis, those of :data:`AXES` among them.
        rng: source of the values.
        limits: figures of the dtype.
        defaults: the constructor's keyword arguments.
        group: options of the second group, where the layout has one.
    """
    shapes = SHAPES[options["layout"]]
    size = _magnitude(options, limits)

    def about_one(shape: tuple[int, ...]) -> Array:
        return np.asarray(rng.uniform(0.5, 1.5, shape), order="F")

    def signs(shape: tuple[int, ...]) -> Array:
        return np.asarray(rng.choice((-1.0, 1.0), shape), order="F")

    start = 0.0 if options["start"] == "zero" else 1.0
    params = tuple(np.asarray(start * signs(shape) * about_one(shape)) for shape in shapes)
    sign = [signs(shape) for shape in shapes]

    def gradient(step: int, i: int) -> Array | None:
        if options["grad"] == "none" and (step + i) % 2:
            return None
        flip = -1.0 if options["grad"] == "alternating" and step % 2 else 1.0
        return np.asarray(flip * size * sign[i] * about_one(shapes[i]))

    gradients = tuple(tuple(gradient(step, i) for i in range(2)) for step in range(options["steps"]))
    groups = ((ParamGroup(params[:1]), ParamGroup(params[1:], group)) if options["layout"] == "groups"
              else (ParamGroup(params),))
    return Trajectory(groups, defaults, gradients)

"""What the trajectories of all optimizers have in common: where they start, gradients, lengths, layouts.

Parameters are two, of six elements at most but in :data:`STACK`: every case is proved element by element.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.optim._sparse import SparseGrad

from ...spec import Axis, Limits, Options, ParamGroup, Trajectory

__all__ = ["AXES", "DECAYS", "EDGES", "FULL_DECAY", "LONGEST", "SPARSITY", "STACK", "VERY_LONG", "cancels", "decidable",
           "short_enough", "sparsified", "trajectory"]

AXES = (
    Axis("start", ("one", "zero"), "parameters of about 1; or of 0, so that the first update is the value",
         early=True),
    Axis("grad", ("one", "eps", "zero", "alternating", "huge", "tiny", "none"),
         "about 1; about eps; 0; about 1 with a sign that flips each step; huge with a finite square; "
         "tiny with a square that underflows; none at all at every third step of each, so that their counts differ",
         early=True),
    Axis("steps", (1, 2, 10, 300), costly=(300,)),
    Axis("layout", ("vector", "scalar", "empty", "matrix", "groups"),
         "one axis; none; no element in one parameter; columns contiguous; a group with other options",
         early=True),
)

SPARSITY = Axis("sparsity", ("dense", "rows", "elements", "twice", "nothing"),
                "all; half of the rows; half of the elements; these twice; these, and none at every other step",
                early=True)

Array = NDArray[Any]

#: Steps after which a trajectory's proven bound is still a good part below a tenth of its result, at the
#: type's precision: with 8 bits, ten steps' bound is wider than that, and says nothing.
LONGEST: Mapping[str, int] = {"float64": 300, "float32": 300, "float16": 10, "bfloat16": 2}

#: Where long cases are asked for: 2,000 steps with every option at its default, in float32.
VERY_LONG: tuple[Options, ...] = ({"steps": 2000},)

#: An extra case: a decay of 1.
FULL_DECAY: tuple[Options, ...] = ({"weight_decay": 1.0},)

#: Extra cases: decays of 1 and of 0. An infinite parameter shows that 0 is no decay at all: 0 times infinity is NaN.
DECAYS: tuple[Options, ...] = ({"start": "infinite", "steps": 2}, *FULL_DECAY)

#: An extra case: a parameter of three axes, of which none can stand for another, with more elements than a processor
#: takes at a time (32 of half types). It starts at 0, so that what is not updated shows in any type.
STACK: tuple[Options, ...] = ({"start": "zero", "layout": "stack", "steps": 2},)

#: Extra cases: gradients whose squares are subnormal numbers, where the update is the value; and the stack.
EDGES: tuple[Options, ...] = ({"start": "zero", "grad": "subnormal", "steps": 2}, *STACK)

SHAPES = {"vector": ((5,), (3,)), "scalar": ((), ()), "empty": ((3,), (0,)), "matrix": ((2, 3), (3, 1)),
          "stack": ((2, 4, 5), (1, 2, 3)), "groups": ((3,), (2,))}


def short_enough(options: Options, dtype: str) -> bool:
    """May a trajectory be as long as this in this dtype, and with this decay?

    A long and fast one that decays ends where decay and gradient cancel, and adaptive steps turn there on
    the sign of a difference that is smaller than its proven error: nothing is decided beyond that point.
    """
    settles = options["steps"] > 10 and options["lr"] > 0.01 and options.get("weight_decay", 0) != 0
    short = options["steps"] <= LONGEST[dtype] or (dtype == "float32" and options["steps"] == VERY_LONG[0]["steps"])
    return bool(short and not settles)


def cancels(options: Options, dtype: str) -> bool:
    """Do terms cancel, so that the bound is a good part of what is left?

    Steps of opposite sign do, in half types at once and elsewhere where they are many and long; and so do
    decay and a small gradient that pull a parameter from 0 to where they balance.
    """
    half = LONGEST[dtype] <= 10
    opposite = options["grad"] == "alternating" and (
        (half and options["steps"] > 1) or (options["lr"] > 0.01 and options["steps"] > 10))
    decays = options.get("weight_decay", 0) != 0 or options["layout"] == "groups"
    balanced = (decays and options["start"] == "zero" and options["grad"] in ("eps", "tiny")
                and options["steps"] > (1 if half else 2))
    return bool(opposite or balanced)


def decidable(options: Options, dtype: str) -> bool:
    """Is a trajectory :func:`short_enough`, without terms that cancel?"""
    return short_enough(options, dtype) and not cancels(options, dtype)


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
        case "subnormal":  # a square of some eight of the smallest numbers
            return math.sqrt(8 * limits.eps * limits.tiny)
        case _:
            return 1.0


def _two_shapes(size: str) -> tuple[tuple[int, ...], ...]:
    """The shapes of two parameters, the first of a size in text.

    >>> _two_shapes("33x17")
    ((33, 17), (17, 17))
    """
    first, *rest = map(int, size.split("x"))
    return (first, *rest), (first // 2 + 1, *rest)


def sparsified(drawn: Trajectory, sparsity: str, rng: np.random.Generator) -> Trajectory:
    """A trajectory with sparse gradients in the place of dense ones: which elements they have says :data:`SPARSITY`."""
    if sparsity == "dense":
        return drawn

    def sparse(g: Any, step: int) -> SparseGrad | None:
        if g is None:
            return None
        axes = min(g.ndim, 1) if sparsity == "rows" else g.ndim
        n = math.prod(g.shape[:axes])
        kept = rng.permutation(n)[:(n + 1) // 2]
        if sparsity == "twice":
            kept = rng.permutation(np.append(kept, kept))
        elif sparsity == "nothing" and step % 2:
            kept = kept[:0]
        where = np.reshape(np.unravel_index(kept, g.shape[:axes]) if axes else (), (axes, kept.size))
        return SparseGrad(where, g.reshape(n, *g.shape[axes:])[kept], g.shape)

    gradients = tuple(tuple(sparse(g, step) for g in now) for step, now in enumerate(drawn.gradients))
    return replace(drawn, gradients=gradients)


def trajectory(options: Options, rng: np.random.Generator, limits: Limits, defaults: Mapping[str, Any],
               group: Mapping[str, Any],
               shapes: Mapping[str, tuple[tuple[int, ...], ...]] = SHAPES) -> Trajectory:
    """The trajectory of one combination.

    Args:
        options: one value of each axis, those of :data:`AXES` among them.
        rng: source of the values.
        limits: figures of the dtype.
        defaults: the constructor's keyword arguments.
        group: options of the second group, where the layout has one.
        shapes: of the two parameters, by layout.
    """
    two = shapes.get(options["layout"]) or _two_shapes(options["layout"])
    size = _magnitude(options, limits)

    def about_one(shape: tuple[int, ...]) -> Array:
        return np.asarray(rng.uniform(0.5, 1.5, shape), order="F")

    def signs(shape: tuple[int, ...]) -> Array:
        return np.asarray(rng.choice((-1.0, 1.0), shape), order="F")

    start = 0.0 if options["start"] == "zero" else 1.0
    params = tuple(np.asarray(start * signs(shape) * about_one(shape)) for shape in two)
    if options["start"] == "infinite":
        params[0].flat[0] = math.inf
    sign = [signs(shape) for shape in two]

    def gradient(step: int, i: int) -> Array | None:
        if options["grad"] == "none" and (step + i) % 3 == 0:
            return None
        flip = -1.0 if options["grad"] == "alternating" and step % 2 else 1.0
        return np.asarray(flip * size * sign[i] * about_one(two[i]))

    gradients = tuple(tuple(gradient(step, i) for i in range(2)) for step in range(options["steps"]))
    groups = ((ParamGroup(params[:1]), ParamGroup(params[1:], group)) if options["layout"] == "groups"
              else (ParamGroup(params),))
    return Trajectory(groups, defaults, gradients)

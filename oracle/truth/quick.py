"""Truth and bound of a loss on large arrays: :mod:`oracle.truth.proof` with balls of floats, over every element.

The formula is run twice, as there: once with nothing charged but what float64 (or longdouble, for float64) rounds,
which encloses the exact value in some 40 bits more than float32 has; and once with the charges of the storage type,
which holds whatever a straightforward evaluation can end with, a sum in any order among them. So each element of an
array is judged, and a mean of a million terms too; none is left to chance.

What this cannot say, and flint's balls can: products below the normal numbers are charged in the order in which the
formula has them. An answer that keeps to the bound keeps to theirs, which is larger; of one that does not,
``flushed`` tells whether a result below the normal numbers may have been in its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import LossSpec
from ..ulp import spacing
from .arithmetic import Arithmetic, Undecided, arithmetic
from .evaluate import LONGDOUBLE, Lift, evaluate
from .float_balls import FloatBalls, float_balls, long_balls, parts
from .float_rules import NoFloatBalls
from .proof import SLACK, VACUOUS, Truth, counted, largest_magnitude
from .scalar import Double

__all__ = ["NoFloatBalls", "prove_quickly"]

Array = np.ndarray[Any, Any]
_Ends = Mapping[str, tuple[Array, Array]]


def prove_quickly(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of each output of a loss's case, by the output's name.

    Args:
        case: of a loss, with as many elements as memory has room for.
        accuracy: as for :func:`oracle.truth.proof.prove`.

    Raises:
        NoFloatBalls: the formula needs what these balls do not know.
        Undecided: a branch over a whole array, which more digits may decide.

    >>> from oracle.cases.case import parse
    >>> from oracle.truth.proof import prove
    >>> case = parse("mse_loss/float32/default")
    >>> quick, slow = prove_quickly(case)["output"], prove(case)["output"]
    >>> bool(abs(quick.hi - slow.hi) < 1e-14), bool(0.99 < quick.bound / slow.bound < 1.01)
    (True, True)
    """
    exact, counts = _run(case, Arithmetic.exact(128))
    ends = _run_or_nothing(case, _charges(case, accuracy, limited=True))
    free: _Ends | None = None
    ieee: Mapping[str, Array] | None = None
    truths = {name: counted(value, decided=bool(ends)) for name, value in counts.items()}
    for name, (middle, radius) in exact.items():
        hi, lo = _split(middle)
        unknown = ~(np.isfinite(hi) & np.isfinite(radius))
        special = np.zeros(hi.shape, np.bool_)
        if np.any(unknown):  # as IEEE arithmetic has it where that is no number; else more digits would be needed
            ieee = _in_longdouble(case) if ieee is None else ieee
            hi, lo = np.where(unknown, ieee[name], hi), np.where(unknown, 0.0, lo)
            special = unknown & ~np.isfinite(hi)
        scale = largest_magnitude(hi, case, case.dtype)
        rounding = np.maximum(spacing(hi, case.dtype) / 2, 5e-324) + np.where(special, 0, radius) + abs(lo) * 2.0**-52
        bound = _farthest(middle, hi, lo, ends.get(name)) * SLACK + rounding
        precise = bound
        if np.any(~(bound <= VACUOUS * scale) & np.isfinite(hi)):
            free = _run_or_nothing(case, _charges(case, accuracy, limited=False)) if free is None else free
            precise = _farthest(middle, hi, lo, free.get(name)) * SLACK + rounding
        truths[name] = Truth(hi, lo, bound, precise, scale, special, case.dtype)
    return truths


def _charges(case: Case, accuracy: str, *, limited: bool) -> Arithmetic:
    """The arithmetic of an evaluation in the type; the order of factors below the normal numbers is the formula's."""
    if isinstance(case.spec, LossSpec) and case.spec.exact(case.options):
        return Arithmetic.exact(128)
    of = {"storage": Arithmetic.of, "flushed": Arithmetic.flushed, "opmath": Arithmetic.opmath}[accuracy]
    return replace(of(case.dtype, limited=limited), any_order=False)


def _run(case: Case, charged: Arithmetic) -> tuple[dict[str, tuple[Array, Array]], dict[str, Array]]:
    """Midpoints and radii of each output, and the outputs that are no balls."""
    lift = Lift(long_balls if case.dtype == "float64" else float_balls, Double)
    with arithmetic(charged), np.errstate(all="ignore"):
        outputs = evaluate(case, lift)
    balls = {name: parts(value) for name, value in outputs.items() if isinstance(value, FloatBalls)}
    return balls, {name: np.asarray(value) for name, value in outputs.items() if name not in balls}


def _run_or_nothing(case: Case, charged: Arithmetic) -> _Ends:
    """Where evaluations can end; they may end anywhere where a branch of the whole run is undecided."""
    try:
        return _run(case, charged)[0]
    except Undecided:
        return {}


def _in_longdouble(case: Case) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        return {name: v.astype(np.float64) for name, v in evaluate(case, LONGDOUBLE).items()}


def _split(middle: Array) -> tuple[Array, Array]:
    """A midpoint as the sum of two float64 numbers."""
    hi = middle.astype(np.float64)
    if middle.dtype != np.longdouble:
        return hi, np.zeros(hi.shape)
    with np.errstate(invalid="ignore"):
        lo = (middle - hi).astype(np.float64)
    return hi, np.where(np.isfinite(lo), lo, 0.0)


def _farthest(middle: Array, hi: Array, lo: Array, end: tuple[Array, Array] | None) -> Array:
    """The distance from the truth to the far end of a ball about nearly the same midpoint."""
    if end is None:
        return np.full(hi.shape, np.inf)
    with np.errstate(invalid="ignore"):
        far = np.abs((end[0] - middle).astype(np.float64)) + end[1].astype(np.float64) * (1 + 2.0**-50)
    return np.where(np.isnan(far), np.inf, far)

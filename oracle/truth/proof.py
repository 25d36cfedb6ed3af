"""Truth and bound of a case: what the exact value is, and how far a sound evaluation may be from it.

Both are the reference itself, run on balls. At some 200 bits the balls enclose the exact value to
far more digits than any storage type has: the **truth**. With a unit in the last place of the storage
type charged for each operation, the balls hold whatever a straightforward evaluation of just this case
can end with: the distance from the truth to their far end, and the final rounding, are the **bound**.
Neither depends on the target, and no number in them is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..cases.case import Case, leaf, leaves, with_leaf
from ..cases.spec import InitSpec, LossSpec, Trajectory
from ..formats import FORMATS
from ..ulp import numpy_dtype, overflow, spacing
from .arithmetic import Arithmetic, Undecided, arithmetic, lost_more
from .ball import BallArray, balls, flushed_balls, split
from .evaluate import LONGDOUBLE, Lift, evaluate
from .scalar import Double

__all__ = ["SLACK", "VACUOUS", "Truth", "counted", "effort", "largest_magnitude", "prove", "prove_gradients"]

Array = np.ndarray[Any, Any]

#: The one constant of the project, which multiplies every bound. 1: each operation is charged with a whole
#: unit in the last place (see :meth:`oracle.truth.arithmetic.Arithmetic.of`), and torch's sound kernels need no more.
SLACK = 1.0

#: A bound wider than this share of the largest magnitude in the array says nothing.
VACUOUS = 0.1

BITS = 200  #: of the truth; doubled where its radius shows that cancellation has eaten them

_ARRAYS = ("hi", "lo", "bound", "precise", "scale", "special")  #: of a truth

_BALLS, _FLUSHED = Lift(balls, Double), Lift(flushed_balls, Double)

#: As :data:`_BALLS`, and whole numbers are balls too: of what comes out, each rounding is to be charged.
_WHOLE = Lift(balls, Double, kinds="fViu")


@dataclass(frozen=True)
class Truth:
    """The exact value of one output, element by element, and what may be asked of an implementation.

    ``hi + lo`` is the exact value to 106 bits. Where it is NaN or infinite there is no enclosure and
    ``hi`` is what IEEE arithmetic gives the formula; ``discrete`` outputs are compared for equality, if at all.
    """

    hi: Array
    lo: Array
    bound: Array  #: allowed absolute error; infinite where the evaluation in the type decides nothing
    precise: Array  #: the same without the type's range; differs where that is what is in the way
    scale: Array  #: the largest magnitude in the array, for each step of a trajectory, broadcast
    special: Array  #: where there is no enclosure: classes are compared, and zeros with their signs
    dtype: str
    discrete: bool = False

    def at_steps_of(self, got: Any) -> Truth:
        """Of an optimizer's state its last steps, as many as there are of one that was made later."""
        first = len(self.hi) - len(got) if np.ndim(got) else 0
        return self if first <= 0 else replace(self, **{name: getattr(self, name)[first:] for name in _ARRAYS})

    @property
    def vacuous(self) -> Array:
        """Where the bound is too wide to say anything."""
        return self.bound > VACUOUS * self.scale

    @cached_property
    def judged(self) -> dict[tuple[str, bytes], Any]:
        """What was found of answers, by the output's name and the answer's bytes."""
        return {}

    @cached_property
    def rounded(self) -> Array:
        """The correctly rounded value, in float64."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.hi.astype(numpy_dtype(self.dtype)).astype(np.float64)

    @cached_property
    def unit(self) -> Array:
        """A unit in the last place of each value; of what is no number that of the largest number."""
        return spacing(np.where(np.isfinite(self.hi), self.hi, FORMATS[self.dtype].max), self.dtype)

    @cached_property
    def ordinary(self) -> bool:
        """Is each element a number with a bound that says something, and no sound answer near overflow?"""
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(not self.special.any() and np.all(self.bound <= VACUOUS * self.scale)
                        and np.all(np.abs(self.hi) + self.bound < overflow(self.dtype)))


_Parts = tuple[Array, Array, Array]  #: of balls: midpoints as sums of two arrays, and radii


#: Elements that are laid out, or summed as whole numbers, in the time in which one is proven.
_UNPROVEN = 256


def effort(case: Case) -> int:
    """Elements times steps: what a proof takes time for. Nothing is laid out to know it."""
    around = case.around
    unproven = math.prod(around.shape) // _UNPROVEN + int(around.tensors or 0)
    if case.laid_out:
        return unproven + _effort_of_proof(case.base)
    if around.size and isinstance(case.spec, LossSpec):
        return 1 + unproven  # sums of whole numbers are not proven term by term
    return _effort_of_proof(case)


def _effort_of_proof(case: Case) -> int:
    inputs = case.inputs
    if isinstance(inputs, Trajectory):
        return sum(p.size + 1 for group in inputs.groups for p in group.params) * len(inputs.gradients)
    if isinstance(case.spec, InitSpec):
        return int(np.prod(inputs["shape"])) + 1
    return 1 + sum(int(v.size) for name, value in inputs.items() for _, v in leaves(name, value)
                   if isinstance(v, np.ndarray))


class _Evaluations:
    """Where evaluations of a case in the storage type can end, by output; each is run when it is first asked for.

    One in which a branch of the whole run is undecided has no outputs: it may end anywhere.
    """

    def __init__(self, case: Case, accuracy: str, lift: Lift) -> None:
        self._case, self._accuracy, self._lift = case, accuracy, lift

    @cached_property
    def _in_any_order(self) -> tuple[dict[str, _Parts], bool]:
        return self._run(limited=True, any_order=True)

    @property
    def in_any_order(self) -> Mapping[str, _Parts]:
        """With the factors of each product in whatever order."""
        return self._in_any_order[0]

    @cached_property
    def as_written(self) -> Mapping[str, _Parts]:
        """With factors in the order that the formula has."""
        ends, another_order_loses_more = self._in_any_order
        return self._run(limited=True, any_order=False)[0] if another_order_loses_more else ends

    @cached_property
    def without_limits(self) -> Mapping[str, _Parts]:
        """In the type's precision, but without its range."""
        return self._run(limited=False, any_order=True)[0]

    @cached_property
    def ieee(self) -> Mapping[str, Array]:
        """What IEEE arithmetic gives the formula, for where there is no enclosure."""
        with np.errstate(all="ignore"):
            return {name: v.astype(np.float64) for name, v in evaluate(self._case, LONGDOUBLE).items()}

    def _run(self, *, limited: bool, any_order: bool) -> tuple[dict[str, _Parts], bool]:
        """Where it can end; and does some order of factors lose more than the one that the formula has?"""
        charged = _charged(self._case, self._accuracy, limited=limited)
        with arithmetic(replace(charged, any_order=any_order)):
            try:
                outputs = evaluate(self._case, self._lift)
            except Undecided:
                outputs = {}
            dearer = lost_more()
        return {name: split(v) if isinstance(v, BallArray) else (v, v, v) for name, v in outputs.items()}, dearer


def _charged(case: Case, accuracy: str, *, limited: bool) -> Arithmetic:
    """The arithmetic of an evaluation in the type; nothing is charged where the spec says that each step is exact."""
    if isinstance(case.spec, LossSpec) and case.spec.exact(case.options):
        return Arithmetic.exact(BITS)
    if accuracy == "storage":
        return Arithmetic.of(case.dtype, limited=limited)
    if accuracy == "flushed":
        return Arithmetic.flushed(case.dtype, limited=limited)
    return Arithmetic.opmath(case.dtype, limited=limited, keeps=case.spec.stacked)


def prove(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of each output of a case, by the output's name.

    Args:
        accuracy: what half types have to be computed in. ``storage``: each operation may be rounded to the
            type; ``opmath``: in float32, and only results (and kept state) are rounded. ``flushed``: as
            ``storage``, and what is below the type's normal numbers may be taken for 0.
    """
    exact, parts = _exact(case, _BALLS)
    evaluations = _Evaluations(case, accuracy, _FLUSHED if accuracy == "flushed" else _BALLS)
    truths = {}
    for name, value in exact.items():
        if isinstance(value, BallArray):
            truths[name] = _truth_of_balls(name, value, parts[name], case, evaluations)
        elif value.dtype.name in FORMATS and isinstance(case.spec, LossSpec):
            truths[name] = _truth_of_whole_numbers(name, value.dtype.name, case, accuracy)
        else:
            truths[name] = counted(value, decided=name in evaluations.in_any_order)
    return truths


def _truth_of_whole_numbers(name: str, dtype: str, case: Case, accuracy: str) -> Truth:
    """Truth and bound of a fraction that a loss makes of whole numbers, in the type that it comes in.

    Whole numbers are no balls elsewhere: indices and counts are to stay what they are. But roots, quotients and means
    of them are rounded like others, and an implementation that rounds them otherwise is as right as the reference. So
    the arguments are exact balls here, and the bound follows from them as ever.
    """
    twin = replace(case, dtype=dtype)
    vars(twin).update(inputs=case.inputs, grad_output=case.grad_output)
    exact, parts = _exact(twin, _WHOLE)
    value = exact[name]
    assert isinstance(value, BallArray)
    return _truth_of_balls(name, value, parts[name], twin, _Evaluations(twin, accuracy, _WHOLE))


def _truth_of_balls(name: str, value: BallArray, parts: _Parts, case: Case, evaluations: _Evaluations) -> Truth:
    """Truth and bound of an output from its exact value, and the parts of that."""
    hi, lo, radius = parts
    special = ~(np.isfinite(hi) & np.isfinite(radius))
    if np.any(special):
        hi, lo = np.where(special, evaluations.ieee[name], hi), np.where(special, 0.0, lo)
        radius = np.where(special, 0.0, radius)
    dtype = _storage(value, case)
    scale = largest_magnitude(hi, case, dtype)
    half = np.maximum(spacing(hi, dtype) / 2, 5e-324)  # half a quantum of float64 is not a double
    rounding = half + radius + np.abs(lo) * 2.0**-52

    def bound_by(ends: Mapping[str, _Parts]) -> Array:
        return _farthest(hi, lo, ends.get(name)) * SLACK + rounding

    def too_wide(bound: Array) -> Array:
        return np.asarray(~(bound <= VACUOUS * scale) & np.isfinite(hi))

    bound = bound_by(evaluations.in_any_order)
    wide = too_wide(bound)
    if np.any(wide):  # an order that loses so much is no sound one
        own = bound_by(evaluations.as_written)
        bound = np.where(wide & (own <= VACUOUS * scale), own, bound)
    precise = bound_by(evaluations.without_limits) if np.any(too_wide(bound)) else bound
    return Truth(hi, lo, bound, precise, scale, special, dtype)


def _exact(case: Case, lift: Lift) -> tuple[dict[str, Array], dict[str, _Parts]]:
    """The exact outputs, and the parts of those that are balls: narrow ones, as far as more bits can make them so."""
    bits = BITS
    while True:
        last = bits >= 8 * BITS
        try:
            with arithmetic(Arithmetic.exact(bits)):
                outputs = evaluate(case, lift)
        except Undecided:  # a branch that more digits may decide
            if last:
                raise
        else:
            parts = {name: split(value) for name, value in outputs.items() if isinstance(value, BallArray)}
            if last or all(map(_is_sharp, parts.values())):
                return outputs, parts
        bits *= 2


def _is_sharp(parts: _Parts) -> bool:
    """Is each ball narrower than 2^-70 of its own size?"""
    hi, _, radius = parts
    return bool(np.all((radius <= np.abs(hi) * 2.0**-70) | ~np.isfinite(hi)))


def _farthest(hi: Array, lo: Array, ball: _Parts | None) -> Array:
    """The distance from the truth to the far end of a ball: its radius, but for what is not linear."""
    if ball is None:
        return np.full(hi.shape, np.inf)
    with np.errstate(invalid="ignore"):
        far = np.abs((ball[0] - hi) + (ball[1] - lo)) + ball[2]
    return np.where(np.isnan(far), np.inf, far)


def _storage(value: BallArray, case: Case) -> str:
    """The type an output is in: the case's; state of an optimizer may be in another, as torch's scalars are."""
    own = getattr(value.stands_for, "name", case.dtype) if case.spec.stacked else case.dtype
    return own if own in FORMATS else case.dtype


def largest_magnitude(hi: Array, case: Case, dtype: str) -> Array:
    """The largest finite magnitude of the array (of each step where steps are stacked), at least normal."""
    size = np.where(np.isfinite(hi), np.abs(hi), 0.0)
    axes = tuple(range(1 if case.spec.stacked else 0, hi.ndim))
    largest = size.max(axis=axes, keepdims=True, initial=FORMATS[dtype].tiny) if hi.size else size
    return np.broadcast_to(largest, hi.shape)


def counted(value: Array, decided: bool) -> Truth:
    """A count or a word; where a branch of the whole run is undecided, it may be any."""
    zero, bound = np.zeros(value.shape), np.full(value.shape, 0.0 if decided else np.inf)
    return Truth(np.asarray(value), zero, bound, bound, zero, zero != 0, value.dtype.name, discrete=True)


def prove_gradients(case: Case, bits: int = 400, step: int = -100) -> dict[str, tuple[Array, Array]]:
    """Each gradient of a loss case by central differences of the forward formula alone.

    With a step of 2^-100 at 400 bits the truncation error is some 2^-200 times the third derivative,
    so a wrong ``f_backward`` cannot hide here, not even behind a torch that agrees with it.

    A spec whose gradient is not that of its function names a potential, which is differenced instead.

    Returns:
        By argument: the difference quotient, and the value that ``f_backward`` gives on balls (float64).
    """
    with arithmetic(Arithmetic.exact(bits)):
        proven = {k: v for k, v in evaluate(case, _BALLS).items() if k.startswith("grad.")}
        arguments = _BALLS.mapping(case.inputs)
        upstream = _BALLS(case.grad_output)
        function = case.spec.potential or case.spec.function  # type: ignore[attr-defined]  # a loss

        def objective(name: str, index: tuple[int, ...], change: Any) -> Any:
            moved = leaf(arguments, name).copy()
            moved[index] = moved[index] + change
            results = function(**with_leaf(arguments, name, moved))
            pairs = zip(results, upstream, strict=True) if isinstance(results, tuple) else [(results, upstream)]
            return sum((result * g).sum() for result, g in pairs)

        h = 2.0**step
        result = {}
        for key, gradient in proven.items():
            name = key.removeprefix("grad.")
            quotient = np.empty(gradient.shape)
            for index in np.ndindex(gradient.shape):
                rise = objective(name, index, h) - objective(name, index, -h)
                quotient[index] = split(rise / (2 * h))[0]
            result[name] = quotient, split(gradient.view(BallArray))[0]
        return result

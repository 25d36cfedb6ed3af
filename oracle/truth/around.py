"""Truths in surroundings: those of proven elements laid out, and what has to stay as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import LossSpec, Trajectory
from ..ulp import overflow, spacing
from .arithmetic import Arithmetic
from .evaluate import LONGDOUBLE, evaluate
from .history import EVALUATED, OVERWRITTEN, RETURNED
from .proof import Truth, counted, largest_magnitude

__all__ = ["is_unchanged", "is_whole", "lay_out", "prove_whole", "unchanged"]

Array = np.ndarray[Any, Any]

_ARRAYS = ("hi", "lo", "bound", "precise", "special")  #: of a truth; its scale is that of the elements that are taken


def lay_out(case: Case, truths_of: Callable[[Case], Mapping[str, Truth]]) -> dict[str, Truth]:
    """The truths of a case that is laid out, from those of its base."""
    if isinstance(case.spec, LossSpec):
        return {name: _taken(truth, case.layout.take, case) for name, truth in truths_of(case.base).items()}
    return dict(_laid_out_states(case, (truths_of(case.base), truths_of(case.beside))))


def _laid_out_states(case: Case, bases: Sequence[Mapping[str, Truth]]) -> Iterator[tuple[str, Truth]]:
    """Of each parameter what its source has: arrays of the parameter's shape are laid out, others stay."""
    layout = case.layout
    shapes = [p.shape for group in case.base.inputs.groups for p in group.params]
    for i, source in enumerate(layout.sources):
        for name, truth in bases[i % 2].items():
            if not name.endswith("]"):  # of the whole run, and no parameter's
                continue
            key, place = name.removesuffix("]").rsplit("[", 1)
            if int(place) != source:
                continue
            if truth.hi.shape[1:] == shapes[source]:
                truth = _taken(truth, lambda a, i=i: layout.take(i, a, axes=1), case)
            yield f"{key}[{i}]", truth


def _taken(truth: Truth, take: Any, case: Case) -> Truth:
    arrays: dict[str, Any] = {name: np.ascontiguousarray(take(getattr(truth, name))) for name in _ARRAYS}
    scale = truth.scale if truth.discrete else largest_magnitude(arrays["hi"], case, truth.dtype)
    return replace(truth, **arrays, scale=scale if scale.shape == arrays["hi"].shape else take(truth.scale))


def is_whole(case: Case) -> bool:
    """Is it a sum of small whole numbers, each of whose partial sums is exact?"""
    return isinstance(case.spec, LossSpec) and bool(case.around.size) and not case.laid_out


#: Operations behind an exact sum, however a mean is written: a reciprocal of the number of terms, its product with the
#: gradient from above, and the product of that with the term.
_OPERATIONS = 3


def prove_whole(case: Case) -> dict[str, Truth]:
    """Truth and bound of a sum of small whole numbers, and of its gradients.

    Every partial sum is exact in the type in which it is accumulated, so nothing is charged for the sum, and more
    digits than the type has give the exact value. What is charged are the operations behind the sum, and the rounding.
    """
    assert isinstance(case.spec, LossSpec)
    assert case.spec.whole is not None
    with np.errstate(all="ignore"):
        values = evaluate(case, LONGDOUBLE)
    first = case.inputs[case.spec.arrays[0]]
    beside = case.spec.whole.slopes(max(first.shape[-1], 1))
    unit = Arithmetic.of(case.dtype).unit
    return {name: _truth_of_whole(value, unit * (_OPERATIONS + beside * name.startswith("grad.")), case)
            for name, value in values.items()}


def _truth_of_whole(value: Array, unit: float, case: Case) -> Truth:
    hi = np.asarray(value, np.float64)
    with np.errstate(invalid="ignore"):  # of infinities
        lo = np.asarray(value - hi, np.float64)
    special = ~(np.abs(hi) < overflow(case.dtype))
    hi = np.where(special & ~np.isnan(hi), np.copysign(np.inf, hi), hi)
    lo = np.where(special, 0.0, lo)
    known = np.where(special, 0.0, hi)
    bound = unit * np.abs(known) + spacing(known, case.dtype) / 2 + np.abs(known) * 2.0**-60
    return Truth(hi, lo, bound, bound, largest_magnitude(hi, case, case.dtype), special, case.dtype)


def is_unchanged(name: str) -> bool:
    """Is an output one of those of :func:`unchanged`?"""
    return name in (OVERWRITTEN, EVALUATED, RETURNED) or name.startswith("gradient[")


def unchanged(case: Case) -> dict[str, Truth]:
    """What has to stay as it was: memory beside the arrays, and the gradients that an optimizer was given.

    And that a closure is evaluated once at each step, and its loss given back.
    """
    kept = {OVERWRITTEN: counted(np.zeros((), np.int64), decided=True)} if case.around.is_watched else {}
    if isinstance(case.inputs, Trajectory) and case.inputs.objective is None:
        for i in range(len(case.inputs.gradients[0])):
            given = [g for now in case.inputs.gradients if isinstance(g := now[i], np.ndarray)]
            if given:
                kept[f"gradient[{i}]"] = counted(np.stack(given), decided=True)
    if case.around.happening is not None and case.around.happening.closure:
        once = counted(np.ones(len(case.inputs.gradients), np.int64), decided=True)
        kept |= {EVALUATED: once, RETURNED: once}
    return kept


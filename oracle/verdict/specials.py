"""Two causes of failure that are no rule of an op: subnormal numbers taken for 0, and a derivative of 0 times infinity.

Both are looked for in one case at a time, by judging its outputs again: within the bound of an evaluation that may
flush, or with the truth in the place of each NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..truth.kept_truths import truth_of
from .compare import judge

if TYPE_CHECKING:
    from ..cases.case import Case
    from ..truth.proof import Truth

__all__ = ["SPECIALS", "flushes", "has_nan_derivative"]


def flushes(case: Case, outputs: Mapping[str, Any], wrong: Iterable[str]) -> bool:
    """Are the outputs that are wrong what an evaluation may give that takes subnormal numbers for 0?"""
    truths = truth_of(case, "flushed")
    return all(_is_within(np.asarray(outputs[name]), truths[name]) for name in wrong)


def _is_within(got: Any, truth: Truth) -> bool:
    """Is each element within the bound, even one that is as wide as the truth is large?"""
    if got.shape != truth.hi.shape or truth.discrete:
        return False
    value = got.astype(np.float64)
    error = np.abs((value - truth.hi) - truth.lo)
    same = (value == truth.hi) | (np.isnan(value) & np.isnan(truth.hi))
    return bool(np.all(np.where(truth.special, same, (error <= truth.bound) & np.isfinite(truth.bound))))


def has_nan_derivative(case: Case, outputs: Mapping[str, Any], wrong: Iterable[str]) -> bool:
    """Are gradients alone wrong, and only where they are NaN and have a finite truth?

    So it is where an infinite derivative is multiplied by 0: that of a branch which ``where`` leaves out, or of a root
    at 0.
    """
    truths = truth_of(case)
    for name in wrong:
        if not name.startswith("grad.") or name not in truths:
            return False
        got, truth = np.asarray(outputs[name]), truths[name]
        if got.shape != truth.hi.shape:
            return False
        lost = np.isnan(got.astype(np.float64)) & np.isfinite(truth.rounded)
        if judge(name, np.where(lost, truth.rounded, got).astype(got.dtype), truth).verdict.disagrees:
            return False
    return True


#: What is said of a cause, after "fails" -> whether a case has it.
SPECIALS = {
    "by taking subnormal numbers for 0, as XLA and flush-to-zero modes do": flushes,
    "by gradients of NaN beside right values: 0 times the infinite derivative of a branch that where() leaves out, or "
    "of a root at 0": has_nan_derivative,
}

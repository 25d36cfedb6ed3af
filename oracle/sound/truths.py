"""Truth and bound of somebody's own arrays: by flint's balls where there are few, by balls of floats where many."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from ..truth.arithmetic import Undecided
from ..truth.proof import Truth, prove
from ..truth.quick import NoFloatBalls, prove_quickly
from ..verdict.compare import judge
from .given import Given

__all__ = ["FEW", "WHOLE", "NotJudged", "settled", "truths_of"]

Array = np.ndarray[Any, Any]

#: Elements up to which flint's balls are asked first, and up to which they are asked at all: a second's work.
FEW, MANY = 1_000, 20_000

#: Elements up to which each is judged: some seconds' work. Of more, a sample is, where that can be.
WHOLE = 2 * 10**6

#: Elements of which nobody can have memory enough for balls.
MOST = 5 * 10**7


class NotJudged(ValueError):
    """No bound can be had for such arrays."""


def truths_of(case: Given, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of each output of a case, whatever its size.

    Raises:
        NotJudged: there is no way to them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that torch deprecates: it was said when they were looked at
        return _truths_of(case, accuracy)


def _truths_of(case: Given, accuracy: str) -> dict[str, Truth]:
    if case.size <= FEW:
        return _by_flint(case, accuracy)
    if case.size > MOST:
        raise NotJudged(f"{case.id} has {case.size:,} elements that depend on each other; at most {MOST:,} can be "
                        "judged (reduction='none' makes elements independent, and a sample of them can be)")
    try:
        return prove_quickly(case, accuracy)
    except (NoFloatBalls, Undecided):
        if case.size <= MANY:
            return _by_flint(case, accuracy)
        raise NotJudged(f"{case.id}: its formula needs balls of many digits, which {case.size:,} elements are too "
                        f"many for; at most {MANY:,} can be judged") from None


def _by_flint(case: Given, accuracy: str) -> dict[str, Truth]:
    try:
        with np.errstate(all="ignore"):
            return prove(case, accuracy)
    except Undecided as reason:
        raise NotJudged(f"{case.id}: {reason}") from None


def settled(case: Given, accuracy: str, outputs: dict[str, Array], truths: dict[str, Truth]) -> dict[str, Truth]:
    """Truths that may also accuse: those of flint's balls, or without a bound where underflow may excuse an answer.

    Balls of floats charge products below the normal numbers in one order alone. Where they accuse a large array, an
    element that keeps to the bound of an evaluation that flushes is not accused: it is undecided.
    """
    wrong = [name for name, got in outputs.items() if judge(name, got, truths[name]).verdict.disagrees]
    if not wrong or case.size <= FEW or accuracy == "opmath":  # which has float32's range
        return truths
    if case.size <= MANY:
        return _by_flint(case, accuracy)
    excused = prove_quickly(case, "flushed")
    return truths | {name: _without_bound(truths[name], excused[name], outputs[name]) for name in wrong
                     if outputs[name].shape == truths[name].hi.shape}


def _without_bound(truth: Truth, flushed: Truth, got: Array) -> Truth:
    """A truth that has no bound where an answer is outside of it, but within that of an evaluation that flushes."""
    with np.errstate(all="ignore"):
        error = np.abs((got.astype(np.float64) - truth.hi) - truth.lo)
        # Both bounds are the same but for underflow; where it has no part in it, they differ by a rounding or two.
        underflows = flushed.bound > truth.bound * (1 + 2.0**-40)
        excused = underflows & (error > truth.bound) & (error <= flushed.bound) & ~truth.special
    return replace(truth, bound=np.where(excused, np.inf, truth.bound)) if np.any(excused) else truth



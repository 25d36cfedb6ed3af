"""Arrays against truth and bound: the verdict. Nothing here raises, whatever a target hands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from ..truth.evaluate import Partial
from ..truth.proof import VACUOUS, Truth
from ..ulp import numpy_dtype, overflow, spacing_at

__all__ = ["Finding", "Tally", "Verdict", "compare", "judge", "tally", "worst"]

Array = np.ndarray[Any, Any]


class Verdict(StrEnum):
    """What is said of an implementation on a case, from best to worst."""

    EXACT = "exact"  #: the correctly rounded exact value, everywhere
    WITHIN = "within"  #: no further from the truth than the bound
    UNSUPPORTED = "unsupported"  #: the target does not do this, and says so
    VACUOUS = "vacuous"  #: within a bound that is too wide to say anything
    UNDECIDED = "undecided"  #: the evaluation in the type cannot decide a branch
    RANGE = "range"  #: a representable value lost to overflow or underflow on the way
    MISSING = "missing"  #: an output that torch gives is not there
    EXCEEDS = "exceeds"  #: further from the truth than any sound evaluation
    CRASHED = "crashed"  #: no answer at all

    @property
    def disagrees(self) -> bool:
        """Does this verdict fail an audit?"""
        return self in (Verdict.RANGE, Verdict.MISSING, Verdict.EXCEEDS, Verdict.CRASHED)

    @property
    def sound(self) -> bool:
        """Does the bound accept it, and does that say something?"""
        return self in (Verdict.EXACT, Verdict.WITHIN)

    @property
    def rank(self) -> int:
        """0 for the best verdict."""
        return _RANKS[self]


_BY_RANK = tuple(Verdict)
_RANKS = {verdict: rank for rank, verdict in enumerate(_BY_RANK)}


@dataclass(frozen=True)
class Finding:
    """The verdict on one output, and the element that decides it: the one with the largest share of its bound."""

    output: str
    verdict: Verdict
    ulp: float = 0.0  #: its error in units in the last place of the truth
    share: float = 0.0  #: its error as a share of its bound
    index: tuple[int, ...] | None = None
    got: float | None = None
    truth: float | None = None
    bound: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Tally:
    """What was found over all elements of one output; the worst errors are of those that the bound accepts."""

    verdicts: Mapping[str, int] = field(default_factory=dict)
    ulp: float = 0.0
    ulp_at: tuple[int, ...] | None = None
    share: float = 0.0
    share_at: tuple[int, ...] | None = None

    @classmethod
    def of(cls, verdicts: Mapping[str, int], ulp: float, ulp_at: list[int] | None, share: float,
           share_at: list[int] | None) -> Tally:
        """A tally from the fields of its JSON."""
        return cls({Verdict(v).value: int(n) for v, n in verdicts.items()}, float(ulp),
                   None if ulp_at is None else tuple(map(int, ulp_at)), float(share),
                   None if share_at is None else tuple(map(int, share_at)))


def worst(findings: list[Finding]) -> Finding:
    """The finding that decides a case: worst verdict, then largest share of the bound."""
    return max(findings, key=lambda f: (f.verdict.rank, f.share, f.ulp))


@dataclass(frozen=True)
class _Elements:
    """Element by element: the value, its error in ULP and as a share of what is allowed, the verdict's rank."""

    value: Array
    ulp: Array
    share: Array
    allowed: Array
    rank: Array


def compare(got: Any, truths: Mapping[str, Truth]) -> list[Finding]:
    """A finding for each output that the truth has, and for each output of the answer that the truth has not."""
    if not isinstance(got, Mapping):
        return [_lost("", Verdict.CRASHED, f"outputs in a {type(got).__name__}, not a mapping")]
    findings = []
    for name, truth in truths.items():
        if name in got:
            findings.append(_judge_anything(name, got[name], truth))
        elif not isinstance(got, Partial) or Partial.needs(name):
            findings.append(_lost(name, Verdict.MISSING, "this output is missing"))
    findings += [_lost(str(name), Verdict.EXCEEDS, "there is no such output") for name in got if name not in truths]
    return findings


def _lost(name: str, verdict: Verdict, note: str) -> Finding:
    """The finding on an output that has no elements to compare."""
    return Finding(name, verdict, np.inf, np.inf, note=note)


def _judge_anything(name: str, got: Any, truth: Truth) -> Finding:
    """:func:`judge` on whatever was handed in; an object may raise anything when it is asked for an array."""
    try:
        array = np.asarray(got)
    except Exception as error:
        return _lost(name, Verdict.CRASHED, f"no array: {type(error).__name__}: {error}")
    return judge(name, array, truth)


def judge(name: str, got: Array, truth: Truth) -> Finding:
    """The verdict on one output."""
    dtype = truth.hi.dtype if truth.discrete else numpy_dtype(truth.dtype)
    if got.shape != truth.hi.shape:
        return _lost(name, Verdict.EXCEEDS, f"shape {got.shape}, needed is {truth.hi.shape}")
    if got.dtype != dtype:
        return _lost(name, Verdict.EXCEEDS, f"dtype {got.dtype}, needed is {dtype}")
    if got.size == 0:
        return Finding(name, Verdict.EXACT)
    asked = name, got.tobytes()  # most targets give the same answer to the last bit
    if asked not in truth.judged:
        with np.errstate(all="ignore"):
            truth.judged[asked] = _judge_elements(name, got, truth)
    finding: Finding = truth.judged[asked]
    return finding


def _judge_elements(name: str, got: Array, truth: Truth) -> Finding:
    if truth.discrete:
        return _judge_discrete(name, got, truth)
    ordinary = _judge_ordinary(name, got, truth) if truth.ordinary else None
    return ordinary or _judge_special(name, got, truth)


_OPEN = "an evaluation in this type may end anywhere: a branch is open, or a divisor may be 0"


def _judge_discrete(name: str, got: Array, truth: Truth) -> Finding:
    """Counts and words have to be equal, unless an evaluation in the type may give any."""
    differs = got != truth.hi
    if not np.any(differs):
        return Finding(name, Verdict.EXACT)
    index = _first(differs)
    bound = float(truth.bound[index])
    verdict, note = (Verdict.EXCEEDS, "has to be equal") if bound == 0 else (Verdict.UNDECIDED, _OPEN)
    return Finding(name, verdict, np.inf, np.inf, index, float(got[index]), float(truth.hi[index]), bound, note)


def _judge_ordinary(name: str, got: Array, truth: Truth) -> Finding | None:
    """The finding where nothing but the bound matters, and the answer keeps to it; None where it does not.

    It is what :func:`_judge_special` finds, and takes a fraction of the time.
    """
    value = got.astype(np.float64)
    error = np.abs((value - truth.hi) - truth.lo)
    share = error / truth.bound
    if not share.max() <= 1:
        return None
    inexact = value != truth.rounded
    among, verdict = ((np.where(inexact, share, -1.0), Verdict.WITHIN) if inexact.any() else (share, Verdict.EXACT))
    place = int(among.argmax())
    exact, off = truth.hi.item(place), error.item(place)
    return Finding(name, verdict, off / spacing_at(exact, truth.dtype), share.item(place), _at(place, among.shape),
                   value.item(place), exact, truth.bound.item(place))


def _judge_special(name: str, got: Array, truth: Truth) -> Finding:
    """The finding from the verdict on each element: the worst, and of its elements the one with the largest share."""
    e = _measure(got, truth)
    verdict = _BY_RANK[int(e.rank.max())]
    index = _largest(e.share, e.rank == verdict.rank)
    return Finding(name, verdict, float(e.ulp[index]), float(e.share[index]), index, float(e.value[index]),
                   float(truth.hi[index]), float(e.allowed[index]), _note(verdict, e, truth))


def _note(verdict: Verdict, e: _Elements, truth: Truth) -> str:
    """What a verdict means, where its name does not say so."""
    if verdict is Verdict.RANGE:
        return "overflow or underflow on the way to a representable value"
    if verdict is Verdict.UNDECIDED:
        return _OPEN
    if verdict is Verdict.VACUOUS:
        widest = float(np.max((truth.bound / truth.scale)[e.rank == verdict.rank]))
        return f"the bound is {widest:.2g} of the array's largest magnitude, above {VACUOUS}: terms cancel"
    return ""


def tally(got: Any, truth: Truth) -> Tally | None:
    """What :func:`judge` finds in each element; None for what cannot be compared element by element."""
    if not isinstance(got, np.ndarray) or truth.discrete or judge("", got, truth).index is None:
        return None
    with np.errstate(all="ignore"):
        e = _measure(got, truth)
    numbers = {v.value: int(np.count_nonzero(e.rank == v.rank)) for v in Verdict}
    verdicts = {name: n for name, n in numbers.items() if n}
    sound = e.rank <= Verdict.WITHIN.rank
    if not np.any(sound):
        return Tally(verdicts)
    by_ulp, by_share = _largest(e.ulp, sound), _largest(e.share, sound)
    return Tally(verdicts, float(e.ulp[by_ulp]), by_ulp, float(e.share[by_share]), by_share)


def _largest(figures: Array, where: Array) -> tuple[int, ...]:
    """The index of the largest figure among some elements."""
    return _at(int(np.argmax(np.where(where, figures, -1.0))), where.shape)


def _measure(got: Array, truth: Truth) -> _Elements:
    """The error of each element, what is allowed of it, and the verdict on it."""
    value = got.astype(np.float64)
    special = truth.special | _overflows_surely(truth)
    same_class = _same_class(value, truth)
    error = _error(value, truth)
    # No enclosure: NaN, an infinity and its sign, a zero and its sign are compared as classes.
    error = np.where(special, np.where(same_class, 0.0, np.inf), error)
    error = np.where(np.isnan(error), np.inf, error)

    wide = ~special & ~(truth.bound <= VACUOUS * truth.scale)
    rescued = wide & (truth.precise <= VACUOUS * truth.scale)  # only the type's range is in the way
    allowed = np.where(special, 0.0, truth.bound)
    allowed = np.where(rescued | ~np.isfinite(allowed), truth.precise, allowed)
    exceeds = error > allowed
    lost = np.isinf(value) & np.isfinite(truth.rounded) & np.isfinite(truth.hi)

    rank = np.full(value.shape, Verdict.WITHIN.rank)
    # A later line overrules an earlier one: it knows more, first of the bound, then of the answer.
    for where, verdict in (
            (wide, Verdict.VACUOUS),  # such a bound says nothing of an answer within it
            (exceeds, Verdict.EXCEEDS),  # what is outside of a wide bound is wrong all the same
            (exceeds & lost, Verdict.RANGE),  # and an infinity where a number was due has its cause
            (~special & ~np.isfinite(truth.bound), Verdict.UNDECIDED),  # without a bound nothing is outside of it
            (rescued, Verdict.RANGE),  # without the type's range there is a bound: the range is what was in the way
            (rescued & (error <= truth.precise), Verdict.WITHIN),  # unless the answer keeps to that bound
            (np.where(special, same_class, value == truth.rounded), Verdict.EXACT)):  # the right value is right
        np.copyto(rank, verdict.rank, where=where)
    share = np.where(error == 0, 0.0, np.where(np.isinf(error), np.inf, error / allowed))
    return _Elements(value, error / truth.unit, share, allowed, rank)


def _overflows_surely(truth: Truth) -> Array:
    """Where the truth rounds to an infinity, and so does whatever is within the bound of it."""
    return np.asarray(np.isinf(truth.rounded) & (np.abs(truth.hi) - truth.bound > overflow(truth.dtype)))


def _same_class(value: Array, truth: Truth) -> Array:
    """Where value and truth are both NaN, or equal with the same sign of zero."""
    both_nan = np.isnan(value) & np.isnan(truth.rounded)
    same_sign = np.signbit(value) == np.signbit(truth.hi)
    return np.asarray(both_nan | ((value == truth.rounded) & ((value != 0) | same_sign)))


def _error(value: Array, truth: Truth) -> Array:
    """The distance from the truth; none where the value is infinite, and a sound evaluation may overflow to that.

    What exceeds the largest number by half a unit rounds to infinity, and a result that near to it may.
    """
    error = np.abs((value - truth.hi) - truth.lo)
    precise = np.where(np.isfinite(truth.precise), truth.precise, 0.0)
    reach = np.where(np.isfinite(truth.bound), truth.bound, precise)
    may_overflow = np.isfinite(truth.hi) & (np.abs(truth.hi) + reach >= overflow(truth.dtype))
    same_sign = np.signbit(value) == np.signbit(truth.hi)
    return np.where(may_overflow & np.isinf(value) & same_sign, 0.0, error)


def _at(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element at a place in C order."""
    index: list[int] = []
    for length in reversed(shape):
        place, i = divmod(place, length)
        index.append(i)
    return tuple(reversed(index))


def _first(mask: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])

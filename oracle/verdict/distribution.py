r"""Is an initializer right that shares no stream with torch? What it draws, against what it claims.

A :class:`Claim` says how weights have to be distributed. :func:`judge_draws` asks some statistics of them:

* each has a tail bound that is proven for every sample size;
* it is compared with the value at which the chance of a false alarm is its share of :data:`ALARM`, which is one in
  2 billion for a call;
* a call asks fewer than 24 statistics, each of at most two sides, so that each side's share is ALARM / 24 / sides;
* by the union bound a run of k calls accuses a right initializer with a chance of at most k ALARM. That is below one
  in a million for fewer than 2,000 calls, however they depend on each other.

==============  =====================================================================================
statistic       what bounds it
==============  =====================================================================================
support         certainty outside; (1-w)^n for an edge of mass w that n numbers leave free
density         Dvoretzky, Kiefer, Wolfowitz with Massart's constant: 2 exp(-2 n t^2)
mean            normal tail exp(-n t^2/2), or Hoeffding
variance        Laurent and Massart for chi-square, or Bernstein
pairs           disjoint neighbours along each axis, and halves: E exp(t z z') = (1-t^2)^(-1/2), or Hoeffding
magnitudes      the same pairs, as signs of |x| minus its median: Hoeffding
zeros           the number in each column, exactly; in each row, Hoeffding; more of them, P(k or more) <= E^k / k!
orthogonality   rounding of the arithmetic: m n units for an entry of X^T X (Higham, theorem 19.4)
signs           of a uniform matrix's diagonal, first and last row and column, largest numbers, determinant, trace,
                and of one matrix against the next, which are fair coins: Hoeffding
fourth powers   Bernstein, with the moments of a point on the sphere
trace           Bernstein for its square, with the moments of the trace
==============  =====================================================================================

How rounding to the storage type may move a statistic is added to what chance allows.

Sample sizes that see the fault in each of 20 seeds (tests plant them):

* a normal std 2 % off: 200,000 numbers;
* a uniform bound 1 % off: 10,000;
* a truncated normal's std 2 % off: 1,000,000;
* no truncation: 2,000;
* swapped fans of 100 and 200, or a gain of √2 forgotten: 2,000;
* a correlation of 0.1: 20,000;
* signs of a QR routine, or a determinant that is always 1: 60 matrices of 20 by 20;
* zeros along the wrong axis: one matrix.

>>> x = np.random.default_rng(0).normal(0.0, 0.1, (400, 500))
>>> judge_draws([x], Claim.normal(0.1))
[]
>>> [alarm.statistic for alarm in judge_draws([1.02 * x], Claim.normal(0.1))]
['variance']

Sources: P. Massart, Ann. Prob. 18 (1990), 1269-1283; B. Laurent, P. Massart, Ann. Stat. 28 (2000), lemma 1;
W. Hoeffding, JASA 58 (1963), 13-30.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.case import Case
from ..truth.claims import CLAIMS, Claim, Claims
from ..truth.evaluate import take_seeds
from ..truth.laws import Law, law_of
from .chance import ALARM, bernstein, counted, dkw, exponent, hoeffding
from .haar import judged_matrices

__all__ = ["ALARM", "CLAIMS", "Alarm", "Claim", "claim_of", "judge_draws"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Alarm:
    """A statistic beyond what chance allows."""

    statistic: str
    got: float
    allowed: float

    def __str__(self) -> str:
        return f"{self.statistic}: {self.got:.6g}, chance allows {self.allowed:.6g} once in {1 / ALARM:.0e} calls"


Statistic = tuple[str, float, float]  #: its name, what was got, and what chance allows


class _Storage:
    """What a storage type does to numbers; bfloat16 is none of NumPy's."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        info = np.finfo(dtype) if dtype.kind == "f" else None
        self.eps = float(info.eps) if info else 2.0**-7
        self.largest = float(info.max) if info else 2.0**128 * (1 - 2.0**-8)
        self.smallest = float(info.smallest_subnormal) if info else 2.0**-133

    def moves(self, size: float) -> float:
        """How far two roundings, of a number and of what it is computed from, may move numbers up to a size."""
        return self.eps * size + self.smallest


def claim_of(case: Case, claims: Claims) -> Claim:
    """What is claimed of an initializer's case.

    Raises:
        ValueError: nothing can be, of such arguments.
    """
    arguments = dict(case.inputs)
    take_seeds(arguments)
    shape = arguments.pop("shape")
    return claims(shape, **{k: v for k, v in arguments.items() if k in case.spec.parameters})


def judge_draws(arrays: Sequence[Array] | Array, claim: Claim) -> list[Alarm]:
    """What in some independently drawn arrays contradicts a claim; nothing, but for once in 1 / ALARM.

    Args:
        arrays: of one shape, or stacked along a first axis. Orthogonal matrices have to be several; of the rest, one
            large one does.
        claim: what is claimed of each.

    Raises:
        ValueError: no arrays, or some of several shapes.
    """
    if not len(arrays):
        raise ValueError("arrays must hold at least one array, got none")
    stacked = arrays if isinstance(arrays, np.ndarray) else np.stack(arrays)
    draws = stacked.astype(np.float64)
    if not draws.size:
        return []
    if unknown := int(np.isnan(draws).sum()):
        return [Alarm("numbers that are NaN", unknown, 0.0)]
    stored = _Storage(stacked.dtype)
    with np.errstate(all="ignore"):
        return [Alarm(name, got, allowed) for name, got, allowed in _judge_all(draws, claim, stored)
                if not got <= allowed]  # NaN is not


def _judge_all(draws: Array, claim: Claim, stored: _Storage) -> Iterator[Statistic]:
    """Statistics of draws that are stacked along the first axis."""
    if claim.kind == "orthogonal" and claim.std and not np.isinf(draws).any():
        yield from judged_matrices(draws, claim.std, stored.eps, reflected=claim.reflected)
        return
    if claim.zeros:
        yield from _judge_zeros(draws, claim, stored)
        draws = draws[draws != 0][None]
    infinite = np.isinf(draws)
    if infinite.any():
        yield from _judge_infinite(infinite, claim, stored)
        draws = draws[~infinite][None]  # which are distributed as those within the type's range
        if claim.kind == "orthogonal" or not claim.low < stored.largest > -claim.high:
            return
        bounds = max(claim.low, -stored.largest), min(claim.high, stored.largest)
        claim = Claim.uniform(*bounds) if claim.kind == "uniform" else Claim.truncated(claim.mean, claim.std, *bounds)
    if draws.size:
        yield from _judge_numbers(draws, claim, stored)


def _judge_infinite(infinite: Array, claim: Claim, stored: _Storage) -> Iterator[Statistic]:
    """The share of infinite numbers: that of the claimed numbers which are too large for the type."""
    law = law_of(claim) if claim.kind != "orthogonal" else 0.0
    beyond = 0.0
    if isinstance(law, Law):
        lowest, highest = law.below(law.placed(np.array([-stored.largest, stored.largest])))
        beyond = float(lowest) * (claim.low < -stored.largest) + (1 - float(highest)) * (claim.high > stored.largest)
    n = infinite.size
    chance = hoeffding(n, 1.0) + stored.eps if beyond > 1 / n else 0.0
    yield "infinite numbers", abs(float(infinite.mean()) - beyond), chance


# --- independent numbers -------------------------------------------------------------------------


def _judge_numbers(draws: Array, claim: Claim, stored: _Storage) -> Iterator[Statistic]:
    x, bounded, law = draws.reshape(-1), claim.kind != "normal", law_of(claim)
    if isinstance(law, float | int):
        yield "distance from the only number", float(np.abs(x - law).max()), stored.moves(abs(law))
        return
    size = abs(claim.mean) + 9 * claim.std  # beyond nine of them is none, but for once in 10^18
    if bounded:
        size = min(size, max(abs(claim.low), abs(claim.high)))
        outside = max(claim.low - float(x.min()), float(x.max()) - claim.high)
        ends = [abs(end) for end in (claim.low, claim.high) if math.isfinite(end)]
        yield "support", outside, stored.moves(max(ends, default=0.0))
    slack, y, n = stored.moves(size) / law.unit, law.placed(x), x.size
    if not slack < 1:  # rounding leaves nothing of how numbers are distributed
        yield "distance from the mean", float(np.abs(y - law.centre).max()), slack + (1.0 if bounded else 9.0)
        return
    if claim.kind == "uniform" and exponent(2) / n < 1:
        yield "support, edges", float(max(y.min(), 1 - y.max())), exponent(2) / n + slack
    spread = math.sqrt(2 * exponent() / n) * (0.5 if bounded else 1.0)
    yield "mean", abs(float(y.mean()) - law.centre), spread + slack + law.error
    got, allowed = _judge_variance(y, law)
    # each number is moved by up to the slack, and the mean of their magnitudes is at most the root of their mean square
    grid = 2 * law.error * law.reach**2 if law.error else 0.0
    moved = 2 * slack * math.sqrt((1 + allowed) / law.variance) + (slack**2 + grid) / law.variance
    yield "variance", got, allowed + moved
    steps = law.below(np.sort(y))
    distance = max((np.arange(1, n + 1) / n - steps).max(), (steps - np.arange(n) / n).max())
    ties = law.peak * slack + law.error
    yield "density", float(distance), dkw(n) + ties
    if not claim.zeros:
        yield from _judge_pairs(y.reshape(draws.shape), law, moved, ties)


def _judge_variance(y: Array, law: Law) -> tuple[float, float]:
    n, log = y.size, exponent()
    got = float(((y - law.centre) ** 2).mean() / law.variance - 1)
    if math.isinf(law.reach):
        return abs(got), 2 * math.sqrt(log / n) + (2 * log / n if got > 0 else 0)
    scatter = max(law.fourth / law.variance**2 - 1, 0.0)
    return abs(got), bernstein(n, scatter, law.reach**2 / law.variance)


def _neighbours(draws: Array, axis: int) -> tuple[Array, Array]:
    lines = np.moveaxis(draws if draws.ndim > 1 else draws[:, None], axis, 1)
    even = lines.shape[1] // 2 * 2
    return lines[:, 0:even:2], lines[:, 1:even:2]


def _halves(draws: Array) -> tuple[Array, Array]:
    flat = draws.reshape(len(draws), -1)
    half = flat.shape[1] // 2
    return flat[:, :half], flat[:, flat.shape[1] - half:]


_COUPLES: Mapping[str, Callable[[Array], tuple[Array, Array]]] = {
    "last axis": lambda draws: _neighbours(draws, -1), "first axis": lambda draws: _neighbours(draws, 1),
    "halves": _halves}


def _judge_pairs(draws: Array, law: Law, moved: float, ties: float) -> Iterator[Statistic]:
    """Disjoint neighbours along the last axis and the first, and each half's numbers with the other's."""
    inner = law.below(np.array([law.centre - law.middle, law.centre + law.middle]))
    above = float(1 - (inner[1] - inner[0]))
    agree = above**2 + (1 - above) ** 2
    # rounding and the law's own error move the share above by at most 4 ties, and the square's slope is 2 (2 p - 1)
    blurred = 8 * ties * (abs(2 * above - 1) + 4 * ties)
    for name, couple in _COUPLES.items():
        left, right = (one.reshape(-1) - law.centre for one in couple(draws))
        n = left.size
        if not n:
            continue
        got = float(abs((left * right).sum()) / law.variance)
        if math.isinf(law.reach):
            allowed = _product_quantile(n, exponent())
        else:
            allowed = law.reach**2 / law.variance * math.sqrt(2 * n * exponent())
        yield f"pairs, {name}", got / n, allowed / n + moved
        fair = (np.abs(left) > law.middle) == (np.abs(right) > law.middle)
        yield f"magnitudes, {name}", abs(float(fair.mean()) - agree), hoeffding(n, 1.0) + blurred


def _product_quantile(n: int, log: float) -> float:
    """The sum of n products of two standard normal numbers that Chernoff's bound gives e^-log to exceed."""

    def excess(s: float) -> float:
        t = (math.sqrt(n * n + 4 * s * s) - n) / (2 * s)
        return t * s + n / 2 * math.log1p(-t * t)

    low, high = 1e-9, 2 * math.sqrt(2 * n * log) + 4 * log
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < log else (low, middle)
    return high


def _judge_zeros(draws: Array, claim: Claim, stored: _Storage) -> Iterator[Statistic]:
    """Zeros that are placed; a few more are numbers that are rounded to 0, or are it."""
    line, other = ("row", "column") if claim.rows else ("column", "row")
    zeros = (draws == 0).swapaxes(1, 2) if claim.rows else draws == 0
    length = zeros.shape[1]
    needed = math.ceil(claim.zeros * length)
    counts = zeros.sum(axis=1).reshape(-1)
    if claim.std == 0:
        needed = length
    yield f"zeros in a {line}, missing", float((needed - counts).max(initial=0)), 0.0
    law = law_of(claim)
    near = 2 * law.peak * stored.moves(claim.std) / claim.std if isinstance(law, Law) else 0.0
    few = counted(near * (length - needed) * len(counts))
    yield f"zeros in a {line}, too many in all", float(counts.sum() - needed * len(counts)), float(few)
    shares = zeros.sum(axis=(0, 2)) / len(counts)
    allowed = hoeffding(len(counts), 1.0, 2 * length) + few / len(counts)
    yield f"zeros in a {other}", float(np.abs(shares - needed / length).max()), allowed

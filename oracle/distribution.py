r"""Is an initializer right that shares no stream with torch? What it draws, against what it claims.

A :class:`Claim` says how weights have to be distributed. :func:`judge_draws` asks some statistics of them;
each has a tail bound that is proven for every sample size, and is compared with the value at which the
chance of a false alarm is its share of :data:`ALARM`, one in 2 billion for a call: a call asks at most 16
statistics, each of at most two sides, and each side's bound is taken where it is ALARM / 16 / sides. By the
union bound a run of k calls accuses a right initializer with a chance of at most k ALARM, which is below one
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
orthogonality   rounding of the arithmetic: m n units for an entry of X^T X (Higham, theorem 19.4)
signs           those of a uniform matrix's diagonal, first row and first column are fair coins: Hoeffding
zeros           the number in each column, exactly; in each row, Hoeffding
==============  =====================================================================================

Sample sizes that see the fault in each of 20 seeds (tests plant them): a normal std 2 % off: 200,000
numbers; a uniform bound 1 % off: 10,000; a truncated normal's std 2 % off: 1,000,000; no truncation: 2,000;
swapped fans of 100 and 200, or a gain of √2 forgotten: 2,000; a correlation of 0.1: 20,000; signs of a QR
routine: 60 matrices of 20 by 20; zeros along the wrong axis: one matrix.

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

from reference.init import calculate_fan_in_and_fan_out, calculate_gain

__all__ = ["ALARM", "CLAIMS", "Alarm", "Claim", "judge_draws"]

Array = np.ndarray[Any, Any]

#: The chance that one call accuses a right initializer.
ALARM = 5e-10

_STATISTICS = 16  #: more than any kind of claim asks for, so that each has at least ALARM / 16


@dataclass(frozen=True)
class Claim:
    """How weights are distributed. ``low`` and ``high`` bound them; ``std`` is that before truncation."""

    kind: str  #: normal, uniform, truncated, orthogonal
    mean: float = 0.0
    std: float = 1.0  #: for orthogonal matrices, the gain
    low: float = -math.inf
    high: float = math.inf
    zeros: float = 0.0  #: share of zeros in each column

    @classmethod
    def normal(cls, std: float, mean: float = 0.0, zeros: float = 0.0) -> Claim:
        """Normal numbers, with some zeros in each column."""
        return cls("normal", mean, std, zeros=zeros)

    @classmethod
    def uniform(cls, low: float, high: float) -> Claim:
        """Uniform numbers."""
        return cls("uniform", (low + high) / 2, (high - low) / math.sqrt(12), low, high)

    @classmethod
    def truncated(cls, mean: float, std: float, low: float, high: float) -> Claim:
        """Normal numbers within an interval."""
        return cls("truncated", mean, std, low, high)

    @classmethod
    def orthogonal(cls, gain: float) -> Claim:
        """Uniformly distributed orthogonal matrices, or their first rows or columns."""
        return cls("orthogonal", std=gain)


@dataclass(frozen=True)
class Alarm:
    """A statistic beyond what chance allows."""

    statistic: str
    got: float
    allowed: float

    def __str__(self) -> str:
        return f"{self.statistic}: {self.got:.6g}, chance allows {self.allowed:.6g} once in {1 / ALARM:.0e} calls"


Statistic = tuple[str, float, float]


def judge_draws(arrays: Sequence[Array], claim: Claim) -> list[Alarm]:
    """What in some independently drawn arrays contradicts a claim; nothing, but for once in 1 / ALARM.

    Args:
        arrays: of one shape. Orthogonal matrices have to be several; of the rest, one large one does.
        claim: what is claimed of each.

    Raises:
        ValueError: no arrays.
    """
    if not arrays:
        raise ValueError("arrays must hold at least one array, got none")
    wide = [np.asarray(x, dtype=np.float64) for x in arrays]
    unit = float(np.finfo(arrays[0].dtype).eps) if arrays[0].dtype.kind == "f" else 2.0**-7
    statistics = _orthogonal(wide, claim, unit) if claim.kind == "orthogonal" else _numbers(wide, claim, unit)
    return [Alarm(*s) for s in statistics if not s[1] <= s[2]]


def _log(sides: int) -> float:
    """ln(sides / share of the alarm): the exponent that a tail bound has to reach."""
    return math.log(sides * _STATISTICS / ALARM)


# --- independent numbers -------------------------------------------------------------------------


def _numbers(arrays: list[Array], claim: Claim, unit: float) -> Iterator[Statistic]:
    if claim.zeros:
        yield from _zeros(arrays, claim)
    x = np.concatenate([a.reshape(-1) for a in arrays])
    x = x[x != 0] if claim.zeros else x
    if not x.size:
        return
    bounded = claim.kind != "normal"
    n, size = x.size, max(abs(claim.low), abs(claim.high)) if bounded else abs(claim.mean) + claim.std
    slack = unit * size  # what rounding to the storage type may move a number or a mean
    if bounded:
        yield "support", float(max(claim.low - x.min(), x.max() - claim.high)), slack
        free = _log(2) / n
        if free < 1 and claim.kind == "uniform":
            edge = free * (claim.high - claim.low) + slack
            yield "support", float(max(x.min() - claim.low, claim.high - x.max())), edge
    centre, variance, fourth = _moments(claim)
    reach = max(claim.high - centre, centre - claim.low) if bounded else math.inf
    deviation = float(x.mean() - centre)
    spread = (claim.high - claim.low) / 2 if bounded else claim.std
    yield "mean", abs(deviation), spread * math.sqrt(2 * _log(2) / n) + slack
    yield from _variance(x, centre, variance, fourth, reach**2)
    steps = _distribution(claim, np.sort(x))
    distance = max((np.arange(1, n + 1) / n - steps).max(), (steps - np.arange(n) / n).max())
    ties = _steepest(claim) * slack
    yield "density", float(distance), math.sqrt(_log(2) / (2 * n)) + ties
    if not claim.zeros:
        yield from _pairs(arrays, centre, variance, reach, claim, ties)


def _moments(claim: Claim) -> tuple[float, float, float]:
    """Mean, variance and fourth central moment."""
    if claim.kind == "normal":
        return claim.mean, claim.std**2, 3 * claim.std**4
    if claim.kind == "uniform":
        return claim.mean, claim.std**2, 1.8 * claim.std**4
    grid = np.linspace(claim.low, claim.high, 20001)
    mass = np.diff(_distribution(claim, grid))
    middle = (grid[1:] + grid[:-1]) / 2
    centre = float((mass * middle).sum())
    return centre, float((mass * (middle - centre) ** 2).sum()), float((mass * (middle - centre) ** 4).sum())


def _distribution(claim: Claim, x: Array) -> Array:
    """The claimed distribution function."""
    if claim.kind == "uniform":
        return np.clip((x - claim.low) / (claim.high - claim.low), 0.0, 1.0)
    below = _normal_below((x - claim.mean) / claim.std)
    if claim.kind == "normal":
        return below
    first, last = _normal_below((np.array([claim.low, claim.high]) - claim.mean) / claim.std)
    return np.asarray(np.clip((below - first) / (last - first), 0.0, 1.0))


_erf = np.frompyfunc(math.erf, 1, 1)


def _normal_below(z: Array) -> Array:
    return np.asarray((1 + np.asarray(_erf(z / math.sqrt(2)), np.float64)) / 2)


def _variance(x: Array, centre: float, variance: float, fourth: float, largest: float) -> Iterator[Statistic]:
    n, log = x.size, _log(2)
    got = float(((x - centre) ** 2).mean() / variance - 1)
    if math.isinf(largest):
        allowed = 2 * math.sqrt(log / n) + (2 * log / n if got > 0 else 0)
    else:
        scatter = max(fourth / variance**2 - 1, 0.0)
        allowed = math.sqrt(2 * scatter * log / n) + 2 * largest / variance * log / (3 * n)
    yield "variance", abs(got), allowed


def _steepest(claim: Claim) -> float:
    """The largest density: what a number's rounding moves its place by, for each unit that it moves."""
    if claim.kind == "uniform":
        return 1 / (claim.high - claim.low)
    peak = 1 / (claim.std * math.sqrt(2 * math.pi))
    if claim.kind == "normal":
        return peak
    first, last = _normal_below((np.array([claim.low, claim.high]) - claim.mean) / claim.std)
    return peak / float(last - first)


def _pairs(arrays: list[Array], centre: float, variance: float, reach: float, claim: Claim,
           ties: float) -> Iterator[Statistic]:
    """Disjoint neighbours along the last axis and the first, and each half's numbers with the other's."""
    median = float(np.median(np.abs(np.sort(_quantiles(claim)) - centre)))
    for name, couple in _COUPLES.items():
        couples = [couple(a) for a in arrays]
        left = np.concatenate([c[0].reshape(-1) for c in couples]) - centre
        right = np.concatenate([c[1].reshape(-1) for c in couples]) - centre
        n = left.size
        if not n:
            continue
        got = float(abs((left * right).sum()) / variance)
        if math.isinf(reach):
            allowed = _product_quantile(n, _log(2))
        else:
            allowed = reach**2 / variance * math.sqrt(2 * n * _log(2))
        yield f"pairs, {name}", got / n, allowed / n
        fair = (np.abs(left) > median) == (np.abs(right) > median)
        share = _share_above(claim, centre, median)
        agree = share**2 + (1 - share) ** 2
        yield f"magnitudes, {name}", abs(float(fair.mean()) - agree), math.sqrt(_log(2) / (2 * n)) + 4 * ties


def _neighbours(a: Array, axis: int) -> tuple[Array, Array]:
    lines = np.moveaxis(a, axis, 0) if a.ndim else a.reshape(1)
    even = len(lines) // 2 * 2
    return lines[0:even:2], lines[1:even:2]


def _halves(a: Array) -> tuple[Array, Array]:
    flat = a.reshape(-1)
    return flat[: flat.size // 2], flat[flat.size - flat.size // 2:]


_COUPLES: Mapping[str, Callable[[Array], tuple[Array, Array]]] = {
    "last axis": lambda a: _neighbours(a, -1), "first axis": lambda a: _neighbours(a, 0), "halves": _halves}


def _quantiles(claim: Claim) -> Array:
    grid = (np.linspace(claim.low, claim.high, 4001) if math.isfinite(claim.high)
            else claim.mean + claim.std * np.linspace(-9, 9, 36001))
    return np.asarray(np.interp((np.arange(2000) + 0.5) / 2000, _distribution(claim, grid), grid))


def _share_above(claim: Claim, centre: float, median: float) -> float:
    inner = _distribution(claim, np.array([centre - median, centre + median]))
    return float(1 - (inner[1] - inner[0]))


def _product_quantile(n: int, log: float) -> float:
    """The sum of n products of two standard normal numbers that Chernoff's bound gives e^-log to exceed."""

    def exponent(s: float) -> float:
        t = (math.sqrt(n * n + 4 * s * s) - n) / (2 * s)
        return t * s + n / 2 * math.log1p(-t * t)

    low, high = 1e-9, 2 * math.sqrt(2 * n * log) + 4 * log
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if exponent(middle) < log else (low, middle)
    return high


def _zeros(arrays: list[Array], claim: Claim) -> Iterator[Statistic]:
    rows = arrays[0].shape[0]
    needed = math.ceil(claim.zeros * rows)
    counts = np.concatenate([(a == 0).sum(axis=0) for a in arrays])
    yield "zeros in a column", float(np.abs(counts - needed).max(initial=0)), 0.0
    columns = len(counts)
    in_rows = sum((a == 0).sum(axis=1) for a in arrays) / columns
    yield "zeros in a row", float(np.abs(in_rows - needed / rows).max()), math.sqrt(_log(2 * rows) / (2 * columns))


# --- orthogonal matrices -------------------------------------------------------------------------


def _orthogonal(arrays: list[Array], claim: Claim, unit: float) -> Iterator[Statistic]:
    matrices = [a.reshape(len(a), -1) for a in arrays]
    tall = [m if m.shape[0] >= m.shape[1] else m.T for m in matrices]
    rows, columns = tall[0].shape
    worst = max(float(np.abs(m.T @ m - claim.std**2 * np.eye(columns)).max()) for m in tall)
    yield "orthogonality", worst, rows * columns * unit * claim.std**2
    chosen: dict[str, Callable[[Array], Array]] = {
        "diagonal": np.diagonal, "first row": lambda m: m[0], "first column": lambda m: m[:, 0]}
    if rows == columns == 1:
        chosen = {"diagonal": np.diagonal}
    for name, choose in chosen.items():
        signs = np.concatenate([np.sign(choose(m)) for m in tall])
        yield f"signs, {name}", abs(float(signs.mean())), math.sqrt(2 * _log(2) / signs.size)


# --- what torch's initializers claim -------------------------------------------------------------


def _xavier_std(shape: Sequence[int], gain: float = 1.0) -> float:
    return gain * math.sqrt(2 / sum(_fans(shape)))


def _kaiming_std(shape: Sequence[int], a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> float:
    return float(calculate_gain(nonlinearity, a)) / math.sqrt(_fans(shape)[mode.lower() == "fan_out"])


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    return calculate_fan_in_and_fan_out(np.empty(tuple(shape), np.uint8))


def _symmetric(std: float) -> Claim:
    return Claim.uniform(-math.sqrt(3) * std, math.sqrt(3) * std)


#: What each random initializer claims for a shape and its arguments.
CLAIMS: Mapping[str, Callable[..., Claim]] = {
    "uniform_": lambda shape, a=0.0, b=1.0: Claim.uniform(a, b),
    "normal_": lambda shape, mean=0.0, std=1.0: Claim.normal(std, mean),
    "trunc_normal_": lambda shape, mean=0.0, std=1.0, a=-2.0, b=2.0: Claim.truncated(mean, std, a, b),
    "xavier_uniform_": lambda shape, **arguments: _symmetric(_xavier_std(shape, **arguments)),
    "xavier_normal_": lambda shape, **arguments: Claim.normal(_xavier_std(shape, **arguments)),
    "kaiming_uniform_": lambda shape, **arguments: _symmetric(_kaiming_std(shape, **arguments)),
    "kaiming_normal_": lambda shape, **arguments: Claim.normal(_kaiming_std(shape, **arguments)),
    "orthogonal_": lambda shape, gain=1.0: Claim.orthogonal(gain),
    "sparse_": lambda shape, sparsity, std=0.01: Claim.normal(std, zeros=sparsity),
}

r"""Are matrices uniformly distributed among those with orthonormal columns, or rows? Haar's measure.

A matrix Q of m rows and n ≤ m columns (a wide one is transposed) is, and only then, if U Q V has the same
distribution for all orthogonal U and V. Hence, for each of some independent matrices:

* signs of rows and of columns are fair coins, independent of all else: those of the diagonal, of the first and the last
  row and column, of the largest number in each row and in each column, of the determinant and of the trace;
* aᵀ Q b for any two unit vectors, so every number in it, is a coordinate of a uniform point on the sphere in m
  dimensions: its distribution function is :math:`J_{m-2}(\arcsin x) / J_{m-2}(\pi/2)` with
  :math:`J_k(\varphi) = \int_{-\pi/2}^{\varphi} \cos^k` (an arc for m = 2, uniform for m = 3);
* the fourth powers of a column add up to 3 / (m + 2) on average, with a known variance;
* the square of a square matrix's trace is 1 on average, and its fourth power 3, where n > 1: so many pairings of two
  and of four indices there are, and these span what O(n) leaves invariant (Brauer);
* one matrix says nothing of the next.

Sources: F. Mezzadri, Notices AMS 54 (2007), 592-604; P. Diaconis, M. Shahshahani, J. Appl. Prob. 31A (1994), 49-62;
R. Brauer, Ann. Math. 38 (1937), 857-872.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .chance import bernstein, dkw, hoeffding

__all__ = ["judged_matrices", "sphere_below"]

Array = np.ndarray[Any, Any]


def judged_matrices(draws: Array, gain: float, unit: float, *,
                    reflected: bool = False) -> Iterator[tuple[str, float, float]]:
    """Statistics of independent matrices, as their names, values, and what chance allows.

    Args:
        draws: the matrices, along the first axis; all axes of a matrix but its first are taken as one.
        gain: the length of each row or column.
        unit: eps of the storage type.
        reflected: as LAPACK leaves Q, whose first number is then never positive, or 1 where it is the only one.
            Fair signs in front of the columns make such a matrix uniform, so that they are put there.
    """
    matrices = draws.reshape(*draws.shape[:2], -1)
    tall = matrices if matrices.shape[1] >= matrices.shape[2] else matrices.swapaxes(1, 2)
    rows, columns = tall.shape[1:]
    q = tall / gain
    rounding = rows * columns * unit
    products = np.abs(q.swapaxes(1, 2) @ q - np.eye(columns))
    worst = float(np.where(np.isnan(products), math.inf, products).max())  # of numbers whose squares overflow
    yield "orthogonality", worst, rounding
    if not worst < 1:
        return  # the rest is about matrices that are nearly so
    if reflected:
        wrong = q[:, 0, 0] < 0 if rows == 1 else q[:, 0, 0] > 0
        yield "signs, first number", float(wrong.mean()), 0.0
        q = q * np.random.default_rng(0).choice([-1.0, 1.0], (len(q), 1, columns))
    yield from _judge_signs(q)
    if rows > 1:
        yield from _judge_numbers(q, rounding)
        yield from _judge_fourth_powers(q, rounding)
    if rows == columns > 1:
        squares = np.trace(q, axis1=1, axis2=2) ** 2
        allowed = bernstein(len(q), 2.0, columns**2 - 1)
        yield "squares of the trace", abs(float(squares.mean()) - 1), allowed + 2 * columns**2 * rounding


def _choose_largest(axis: int) -> Callable[[Array], Array]:
    """Of each column (1) or row (2) the number that is furthest from 0."""
    return lambda q: np.take_along_axis(q, np.abs(q).argmax(axis, keepdims=True), axis)


def _judge_signs(q: Array) -> Iterator[tuple[str, float, float]]:
    """Signs of numbers of a matrix: they are independent of each other where no two share a row, or no two a column."""
    chosen: dict[str, Callable[[Array], Array]] = {"diagonal": lambda q: np.diagonal(q, axis1=1, axis2=2)}
    if q[0].size > 1:
        chosen |= {"first row": lambda q: q[:, 0], "last row": lambda q: q[:, -1],
                   "first column": lambda q: q[:, :, 0], "last column": lambda q: q[:, :, -1],
                   "largest in columns": _choose_largest(1), "largest in rows": _choose_largest(2)}
    if q.shape[1] == q.shape[2] > 1:
        chosen |= {"determinant": lambda q: np.linalg.slogdet(q)[0], "trace": lambda q: np.trace(q, axis1=1, axis2=2)}
    for name, choose in chosen.items():
        signs = np.sign(choose(q))
        yield f"signs, {name}", abs(float(signs.mean())), hoeffding(signs.size, 2.0)
    even = len(q) // 2 * 2
    if even:
        fair = np.sign(q[0:even:2, 0, 0] * q[1:even:2, 0, 0])
        yield "signs, one matrix and the next", abs(float(fair.mean())), hoeffding(fair.size, 2.0)


def _judge_numbers(q: Array, rounding: float) -> Iterator[tuple[str, float, float]]:
    n, rows, columns = q.shape
    a, b = _unit_vector(rows), _unit_vector(columns)
    inside = 1 - min(rounding, 1.0)
    steepest = sphere_below(np.array([inside, (1 - inside) / 2]), rows)
    ties = max(1 - float(steepest[0]), 2 * float(steepest[1]) - 1)  # the density is largest in the middle or at an end
    for name, x in {"first": q[:, 0, 0], "last": q[:, -1, -1], "mixed": a @ q @ b}.items():
        steps = sphere_below(np.sort(x), rows)
        distance = max((np.arange(1, n + 1) / n - steps).max(), (steps - np.arange(n) / n).max())
        yield f"density, {name} number", float(distance), dkw(n) + ties


def _unit_vector(n: int) -> Array:
    """A unit vector in which every number counts: any that is fixed does."""
    v = 1 + np.cos(math.sqrt(2) * np.arange(1, n + 1)) / 2
    return np.asarray(v / np.linalg.norm(v))


def sphere_below(x: Array, m: int) -> Array:
    """The distribution function of a coordinate of a uniform point on the sphere in m > 1 dimensions.

    >>> sphere_below(np.array([-1.0, 0.0, 0.5]), 3)
    array([0.  , 0.5 , 0.75])
    """
    angle = np.arcsin(np.clip(x, -1.0, 1.0))
    sine, cosine = np.sin(angle), np.cos(angle)
    part, whole = (angle + math.pi / 2, math.pi) if m % 2 == 0 else (sine + 1, 2.0)
    for k in range(2 + m % 2, m - 1, 2):  # by parts
        part = cosine ** (k - 1) * sine / k + (k - 1) / k * part
        whole *= (k - 1) / k
    return np.asarray(np.clip(part / whole, 0.0, 1.0))


def _judge_fourth_powers(q: Array, rounding: float) -> Iterator[tuple[str, float, float]]:
    """Fourth powers of the first column, and of all columns on average, whose variance is not larger."""
    n, m, _ = q.shape
    mean = 3 / (m + 2)
    variance = (105 + 9 * (m - 1)) / ((m + 2) * (m + 4) * (m + 6)) - mean**2
    allowed = bernstein(n, max(variance, 0.0), max(1 - mean, mean - 1 / m)) + 4 * rounding
    sums = (q**4).sum(axis=1)
    for name, of in {"first column": sums[:, 0], "all columns": sums.mean(axis=1)}.items():
        yield f"fourth powers, {name}", abs(float(of.mean()) - mean), allowed

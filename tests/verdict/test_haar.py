"""Uniform orthogonal matrices: each wrong way to make them is seen in 20 of 20 seeds, in as many as a check draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from oracle.cases.selection import select
from oracle.checking.call_initializer import CALLS, DRAWS
from oracle.truth.claims import Claim
from oracle.verdict.distribution import judge_draws
from oracle.verdict.haar import sphere_below

Array = np.ndarray[Any, Any]
Rng = np.random.Generator
SHAPES = sorted({case.inputs["shape"] for case in select(["orthogonal_"], ["float32"], around=False)
                 if math.prod(case.inputs["shape"])})


Make = Callable[[Rng, int, int, int], Array]  #: so many matrices of m by n


def drawn(make: Make, shape: tuple[int, ...], seed: int) -> Array:
    """As many as ``oracle check`` draws of this shape; of wide ones the transpose is made."""
    rng, rows, columns = np.random.default_rng(seed), shape[0], math.prod(shape[1:])
    count = min(CALLS, math.ceil(DRAWS / (rows * columns)))
    q = make(rng, count, max(rows, columns), min(rows, columns))
    return (q if rows >= columns else _turned(q)).reshape(count, *shape).astype(np.float32)


def _turned(q: Array) -> Array:
    return q.swapaxes(1, 2)


def _diagonal(q: Array) -> Array:
    """As a row."""
    return np.diagonal(q, axis1=1, axis2=2)[:, None]


def _factor(x: Array) -> Array:
    """Its orthonormal factor, where the triangular one has a positive diagonal."""
    q, r = np.linalg.qr(x)
    return np.asarray(q * np.sign(_diagonal(r)))


def haar(rng: Rng, k: int, m: int, n: int) -> Array:
    return _factor(rng.normal(size=(k, m, n)))


def _polar(rng: Rng, k: int, m: int, n: int) -> Array:
    u, _, v = np.linalg.svd(rng.normal(size=(k, m, n)), full_matrices=False)
    return np.asarray(u @ v)


def _gram_schmidt(rng: Rng, k: int, m: int, n: int) -> Array:
    x = rng.normal(size=(k, m, n))
    for j in range(n):
        before, column = x[:, :, :j], x[:, :, j:j + 1]
        column -= before @ (_turned(before) @ column)
        column /= np.linalg.norm(column, axis=1, keepdims=True)
    return np.asarray(x)


def _corner(rng: Rng, k: int, m: int, n: int) -> Array:
    return haar(rng, k, m, m)[:, :, :n]


def _special(rng: Rng, k: int, n: int) -> Array:
    q = haar(rng, k, n, n)
    q[:, :, 0] *= np.sign(np.linalg.det(q))[:, None]
    return q


def _signs(rng: Rng, q: Array) -> Array:
    """With fair signs of rows and columns, which no statistic of signs can tell."""
    k, m, n = q.shape
    return np.asarray(rng.choice([-1.0, 1.0], (k, m, 1)) * q * rng.choice([-1.0, 1.0], (k, 1, n)))


def _rotations(rng: Rng, k: int, m: int, n: int) -> Array:
    """One plane after the other, by uniform angles."""
    q = np.tile(np.eye(m), (k, 1, 1))
    for i in range(m):
        for j in range(i + 1, m):
            t = rng.uniform(0, 2 * math.pi, (k, 1))
            c, s = np.cos(t), np.sin(t)
            q[:, i], q[:, j] = c * q[:, i] - s * q[:, j], s * q[:, i] + c * q[:, j]
    return _signs(rng, q[:, :, :n])


def _cayley(rng: Rng, k: int, m: int, n: int) -> Array:
    a = rng.normal(size=(k, m, m))
    skew = a - _turned(a)
    return np.asarray(np.linalg.solve(np.eye(m) + skew, np.eye(m) - skew))[:, :, :n]


def _symmetric(rng: Rng, k: int, m: int, n: int) -> Array:
    q = haar(rng, k, m, m)
    return np.asarray(q * rng.choice([-1.0, 1.0], (k, 1, m)) @ _turned(q))[:, :, :n]


def _reflection(rng: Rng, k: int, m: int, n: int) -> Array:
    v = rng.normal(size=(k, m, 1))
    return np.asarray(np.eye(m) - 2 * v @ _turned(v) / (v * v).sum(axis=1, keepdims=True))[:, :, :n]


def _one_matrix(rng: Rng, k: int, m: int, n: int) -> Array:
    return np.repeat(haar(np.random.default_rng(7), 1, m, n), k, axis=0)


def _permutation(rng: Rng, k: int, m: int, n: int) -> Array:
    order = rng.permuted(np.tile(np.arange(m), (k, 1)), axis=1)
    return _signs(rng, np.eye(m)[order][:, :, :n])


def _block(rng: Rng, k: int, m: int, n: int) -> Array:
    q = np.zeros((k, m, m))
    half = max(m // 2, 1)
    q[:, :half, :half] = haar(rng, k, half, half)
    if half < m:
        q[:, half:, half:] = haar(rng, k, m - half, m - half)
    return q[:, :, :n]


def _product(rng: Rng, k: int, m: int, n: int) -> Array:
    """Kronecker's, of two small ones."""
    return np.einsum("kip,kjq->kijpq", haar(rng, k, m // 4, 1), haar(rng, k, 4, n)).reshape(k, m, n)


def _fixed(last: bool) -> Make:
    """A vector that is always the same, and the rest uniform beside it."""
    def make(rng: Rng, k: int, m: int, n: int) -> Array:
        x = rng.normal(size=(k, m, n))
        x[:, :, 0] = np.eye(m)[0]
        q = _factor(x)
        return np.asarray(q[:, :, ::-1] if last else q)
    return make


def _signed(by: Callable[[Array], Any]) -> Make:
    """Uniform ones whose signs are made to be those that something else has, so that it is positive."""
    def make(rng: Rng, k: int, m: int, n: int) -> Array:
        q = haar(rng, k, m, n)
        return np.asarray(q * np.where(by(q) < 0, -1, 1))
    return make


def _largest(axis: int) -> Callable[[Array], Any]:
    return lambda q: np.take_along_axis(q, np.abs(q).argmax(axis, keepdims=True), axis)


def _of_determinant(sign: int) -> Make:
    def make(rng: Rng, k: int, m: int, n: int) -> Array:
        q = _special(rng, k, m)
        q[:, :, 0] *= sign
        return q
    return make


#: Wrong ways, and the shapes of m by n in which each is another distribution.
WRONG: dict[str, tuple[Make, Callable[[int, int], bool]]] = {
    "signs of the QR routine": (lambda g, k, m, n: np.linalg.qr(g.normal(size=(k, m, n)))[0], lambda m, n: True),
    "a diagonal that is positive": (_signed(_diagonal), lambda m, n: True),
    "a first row that is positive": (_signed(lambda q: q[:, :1]), lambda m, n: True),
    "a last row that is positive": (_signed(lambda q: q[:, -1:]), lambda m, n: True),
    "largest numbers of columns positive": (_signed(_largest(1)), lambda m, n: True),  # scikit-learn's svd_flip
    "largest numbers of rows positive": (_signed(_largest(2)), lambda m, n: True),
    "a determinant of 1": (_of_determinant(1), lambda m, n: m == n),
    "a determinant of -1": (_of_determinant(-1), lambda m, n: m == n),
    "a trace that is positive": (_signed(lambda q: np.trace(q, axis1=1, axis2=2)[:, None, None]), lambda m, n: m == n),
    "Cayley's transform": (_cayley, lambda m, n: m > 1),
    "rotations by uniform angles, with fair signs": (_rotations, lambda m, n: m > 3),
    "a permutation with signs": (_permutation, lambda m, n: m > 1),
    "the identity with signs": (lambda g, k, m, n: _signs(g, np.tile(np.eye(m, n), (k, 1, 1))), lambda m, n: m > 1),
    "symmetric": (_symmetric, lambda m, n: m == n > 1),
    "one reflection": (_reflection, lambda m, n: m > 2),
    "blocks": (_block, lambda m, n: m > 2),
    "a first vector that is fixed": (_fixed(last=False), lambda m, n: m > 1),
    "a last vector that is fixed": (_fixed(last=True), lambda m, n: m > 1),
    "factors of uniform numbers": (lambda g, k, m, n: _factor(g.uniform(-1, 1, (k, m, n))), lambda m, n: m > 4),
    "factors of positive numbers": (lambda g, k, m, n: _factor(g.uniform(0, 1, (k, m, n))), lambda m, n: True),
    "one matrix for all": (_one_matrix, lambda m, n: True),
    "a product of two small ones": (_product, lambda m, n: m == 16),
}


def _sizes(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = shape[0], math.prod(shape[1:])
    return max(rows, columns), min(rows, columns)


def _planted() -> Iterator[Any]:
    for why, (_, differs) in WRONG.items():
        shapes = sorted((shape for shape in SHAPES if differs(*_sizes(shape))), key=math.prod)
        for shape in dict.fromkeys((shapes[0], shapes[len(shapes) // 2])):
            yield pytest.param(why, shape, id=f"{why}-{'x'.join(map(str, shape))}")


@pytest.mark.parametrize(("why", "shape"), list(_planted()))
def test_wrong_matrices_are_seen_in_twenty_of_twenty_seeds(why: str, shape: tuple[int, ...]) -> None:
    for seed in range(20):
        alarms = judge_draws(drawn(WRONG[why][0], shape, seed), Claim.orthogonal(1.0))
        assert alarms, seed
        assert not any(alarm.statistic == "orthogonality" for alarm in alarms)


@pytest.mark.parametrize(("make", "shape"), [
    *((haar, shape) for shape in SHAPES), *((make, (4, 4)) for make in (_polar, _gram_schmidt)), (_corner, (3, 5))])
def test_right_matrices_pass_in_twenty_of_twenty_seeds(make: Make, shape: tuple[int, ...]) -> None:
    for seed in range(20):
        matrices = drawn(make, shape, seed)
        assert judge_draws(matrices, Claim.orthogonal(1.0)) == []
        assert judge_draws(-2 * matrices, Claim.orthogonal(-2.0)) == []


def test_a_determinant_of_1_is_seen_in_sixty_large_matrices() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        alarms = judge_draws(_special(rng, 60, 20), Claim.orthogonal(1.0))
        assert [alarm.statistic for alarm in alarms] == ["signs, determinant"]
        assert judge_draws(haar(rng, 60, 20, 20), Claim.orthogonal(1.0)) == []


@pytest.mark.parametrize("m", [2, 3, 4, 5, 6, 16, 17, 100])
def test_a_coordinate_on_the_sphere_has_the_beta_distribution(m: int) -> None:
    x = np.array([-1.0, -0.99, -0.3, 0.0, 0.1, 0.7, 1.0])
    exact = [float((1 + mpmath.sign(v) * mpmath.betainc(0.5, (m - 1) / 2, 0, v * v, regularized=True)) / 2) for v in x]
    np.testing.assert_allclose(sphere_below(x, m), exact, rtol=0, atol=1e-14)


@pytest.mark.parametrize("m", [2, 3, 4, 16])
def test_moments_are_those_of_the_measure(m: int) -> None:
    """Of the fourth powers of a column, and of the trace: what the statistics take for known."""
    rng = np.random.default_rng(0)
    q = haar(rng, 20_000, m, m)
    sums, squares = (q[:, :, 0] ** 4).sum(axis=1), np.trace(q, axis1=1, axis2=2) ** 2
    variance = (105 + 9 * (m - 1)) / ((m + 2) * (m + 4) * (m + 6)) - 9 / (m + 2) ** 2
    for got, mean, spread in ((sums, 3 / (m + 2), variance), (squares, 1.0, 2.0)):
        assert abs(got.mean() - mean) < 6 * math.sqrt(spread / len(q))
        assert got.var() == pytest.approx(spread, rel=0.1)

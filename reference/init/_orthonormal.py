"""The orthonormal factor of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["orthonormal_columns"]

Array = np.ndarray[Any, Any]


def orthonormal_columns(a: Array) -> Array:
    r"""Return Q of :math:`A = Q R` with :math:`R_{kk} > 0`, which makes both unique.

    Float32 and float64 take LAPACK's reflections and correct the signs. Others (longdouble, balls) take
    the projections of Gram and Schmidt, which have no branch: what they enclose is the same matrix. A
    reflection disturbs a column in proportion to its whole length, a projection only what it takes off; so
    that a running error covers both, each step adds the difference of a length with itself.

    Args:
        a: array of shape (m, n), n <= m, of full rank.

    Returns:
        An array of its shape.

    >>> orthonormal_columns(np.array([[3.0], [4.0]]))
    array([[0.6],
           [0.8]])

    Source: G. Golub, C. Van Loan, Matrix Computations, 4th ed., sections 5.2.2 and 5.2.8; N. Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 19.4, for the disturbance.
    """
    if a.dtype in (np.float32, np.float64):
        q, r = np.linalg.qr(a)
        return np.asarray(q * np.sign(np.diagonal(r)))
    q, lengths = a.copy(), _lengths(a)
    for k in range(q.shape[1]):
        column = q[:, k]
        column = column / np.sqrt((column * column).sum())
        q[:, k] = column
        rest = q[:, k + 1:]
        q[:, k + 1:] = rest - column[:, None] * (column[:, None] * rest).sum(axis=0) + (lengths - lengths)[k + 1:]
    units = _lengths(q)
    return np.asanyarray(q + (units - units))


def _lengths(a: Array) -> Array:
    return np.asanyarray(np.sqrt((a * a).sum(axis=0)))

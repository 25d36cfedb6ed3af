"""What operations are charged with: sums of products that are below the normal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius

QUANTUM = 2.0**-149  #: of float32


def _product(x: Any, y: Any) -> Any:
    return balls(x) @ balls(y)


@pytest.mark.parametrize("n", [1, 2, 64])
def test_each_product_of_a_matrix_product_may_lose_half_a_quantum(n: int) -> None:
    """Σ x y of n products of half a quantum, each of which float32 rounds to 0."""
    x, y = np.full((1, n), 0.5, np.float32), np.full((n, 1), QUANTUM, np.float32)
    got = np.sum([a * b for a, b in zip(x[0], y[:, 0], strict=True)], dtype=np.float32)  # BLAS may fuse
    assert got == 0
    with arithmetic(Arithmetic.of("float32")):
        product = _product(x, y)
    assert centre(product).item() == n * QUANTUM / 2
    assert radius(product).item() >= n * QUANTUM / 2


def test_products_of_normal_numbers_are_charged_with_no_quantum() -> None:
    x, y = np.full((1, 4), 2.0**-60, np.float32), np.full((4, 1), 2.0**-66, np.float32)
    with arithmetic(Arithmetic.of("float32")):
        product = _product(x, y)
    with arithmetic(Arithmetic.of("float32", limited=False)):
        unlimited = _product(x, y)
    assert radius(product).item() == radius(unlimited).item()


def test_a_product_with_zero_loses_nothing() -> None:
    x, y = np.array([[0.0, 1.0]], np.float32), np.array([[2.0**-149], [1.0]], np.float32)
    with arithmetic(Arithmetic.of("float32")):
        product = _product(x[:, 1:], y[1:])
        zero = _product(x[:, :1], y[:1])
    assert radius(product).item() <= 3 * 2.0**-23
    assert radius(zero).item() == 0

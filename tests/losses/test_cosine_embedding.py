"""The cosine embedding loss against mpmath, values by hand and torch."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.cosine_embedding import SPEC
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_vectors(arguments: Mapping[str, Any]) -> list[Any]:
    x1, x2 = np.broadcast_arrays(arguments["input1"], arguments["input2"])
    shape = np.broadcast_shapes(x1.shape[:-1], arguments["target"].shape)
    eps, each = mpmath.mpf(float(np.float32(1e-12))), []
    for index in np.ndindex(shape):
        a, b = ([mpmath.mpf(float(v)) for v in np.broadcast_to(x, (*shape, x.shape[-1]))[index]] for x in (x1, x2))
        y = float(np.broadcast_to(arguments["target"], shape)[index])
        squares = (mpmath.fsum(v * v for v in a) + eps) * (mpmath.fsum(v * v for v in b) + eps)
        cos = mpmath.fsum(v * w for v, w in zip(a, b, strict=True)) / mpmath.sqrt(squares)
        excess = cos - mpmath.mpf(arguments["margin"])
        each.append(1 - cos if y == 1 else max(excess, mpmath.mpf(0)) if y == -1 else mpmath.mpf(0))
    return reduced(each, arguments, len(each)) if each else reduced([], arguments, Fraction(0))


def test_values_are_those_of_mpmath() -> None:
    assert all(encloses(case, by_vectors) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    """Vectors of lengths 5 and 13: ε changes nothing in a double, but for a part in 4e-14."""
    x1, x2 = np.array([[3.0, 4.0]] * 3), np.array([[5.0, 12.0]] * 3)  # cos = 63/65
    each = losses.cosine_embedding_loss(x1, x2, np.array([1.0, -1.0, 0.0]), 0.5, reduction="none")
    assert np.abs(each - [2 / 65, 63 / 65 - 0.5, 0]).max() < 1e-13
    # u2 - cos u1 = (5/13 - 63/65 * 3/5, 12/13 - 63/65 * 4/5) = (-64, 48)/325
    y = np.array([1.0, -1.0, 0.0])
    gradient = losses.cosine_embedding_loss_backward(np.ones(3), x1, x2, y, 0.5, reduction="none")
    assert gradient[0] is not None
    assert np.abs(gradient[0] - np.array([[64.0, -48.0], [-64.0, 48.0], [0.0, 0.0]]) / 1625).max() < 1e-13
    assert gradient[2] is None


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    numbers = st.integers(1, 4096).map(lambda n: n / 64)
    shapes = data.draw(st.sampled_from([((3,), (3,), ()), ((2, 4), (2, 4), (2,)), ((1, 2), (3, 2), (3,))]))
    x1, x2 = (data.draw(arrays(np.float64, s, elements=numbers)) for s in shapes[:2])
    y = data.draw(arrays(np.float64, shapes[2], elements=st.sampled_from([1.0, -1.0, 0.0, 0.5])))
    arguments = {"input1": x1, "input2": x2, "target": y, "margin": data.draw(st.sampled_from([0.0, 0.7, -0.4])),
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


def test_what_the_docstring_says_of_torch() -> None:
    """Each of these fails when torch mends it; then the docstring has to change."""
    theirs = torch.nn.functional.cosine_embedding_loss
    one = torch.ones(1)
    column = theirs(torch.ones(1, 3), torch.ones(1, 1), one, reduction="sum")
    assert column < -0.7  # a cosine of √3
    assert abs(losses.cosine_embedding_loss(np.ones((1, 3)), np.ones((1, 1)), np.ones(1))) < 1e-11
    zero = torch.zeros(1, 2, dtype=torch.float16)
    assert theirs(zero, zero + 1, one).isnan()
    assert losses.cosine_embedding_loss(zero.numpy(), zero.numpy() + np.float16(1), np.ones(1)) == 1
    long = torch.full((1, 2), 1e10)
    assert theirs(long, long, one) == 1
    assert losses.cosine_embedding_loss(long.numpy(), long.numpy(), np.ones(1)) < 1e-6
    nan = torch.full((1, 2), torch.nan, requires_grad=True)
    theirs(nan, torch.ones(1, 2), torch.zeros(1)).backward()
    assert nan.grad is not None
    assert nan.grad.isnan().all()
    ours = losses.cosine_embedding_loss_backward(np.array(1.0), nan.detach().numpy(), np.ones((1, 2)), np.zeros(1))[0]
    assert ours is not None
    assert (ours == 0).all()

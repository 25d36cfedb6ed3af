"""Mean absolute error against fractions, values by hand and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.l1 import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NUMBERS = st.floats(-1e6, 1e6)


def by_fractions(arguments: Any) -> list[Any]:
    weight = arguments.get("weight")
    each = [w * max(x - y, y - x) for x, y, w in broadcast_rows(
        arguments["input"], arguments["target"], np.float64(1) if weight is None else weight)]
    weights = [(1,)] * len(each) if weight is None else broadcast_rows(weight)
    return reduced(each, arguments, sum(w for w, in weights))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y = np.array([1.0, -2.0, 4.0]), np.array([3.0, -2.0, 3.0])
    assert losses.l1_loss(x, y, reduction="none").tolist() == [2, 0, 1]
    assert losses.l1_loss(x, y, reduction="sum", weight=np.array([2.0, 5.0, 3.0])) == 7
    assert losses.l1_loss(x, y, weight=np.array([2.0, 0.0, 2.0])) == 1.5
    gradient = losses.l1_loss_backward(np.array(6.0), x, y, weight=np.array([2.0, 0.0, 2.0]))
    # Σ w = 4, L = 3/2: 6 w sign/4, and 6 (|d| - L)/4
    assert [g is not None and g.tolist() for g in gradient] == [[-3, 0, 3], [3, 0, -3], [0.75, -2.25, -0.75]]
    nan = losses.l1_loss_backward(np.array(1.0), np.array([np.nan, np.inf]), np.array([0.0, np.inf]))[0]
    assert nan is not None
    assert nan.tolist() == [0, 0]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    x = data.draw(arrays(np.float64, data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])), elements=NUMBERS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([x.shape, (2, *x.shape)])), elements=NUMBERS))
    weight = data.draw(st.none() | arrays(np.float64, x.shape, elements=st.floats(0.125, 8)))
    reduction = data.draw(st.sampled_from(["none", "mean", "sum"]))
    assert disagreements(SPEC, {"input": x, "target": y, "weight": weight, "reduction": reduction}) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.l1_loss, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_integers_and_complex_numbers(reduction: str) -> None:
    """Whole numbers, and 3-4-5 triangles: exact but for quotients, of which both have one rounding each."""
    x, y = np.array([1, 250], np.uint8), np.array([3, 1], np.uint8)  # 1 - 3 wraps, as in torch
    w, z = np.array([1, 2], np.uint8), np.array([3 + 4j, 0], np.complex64)
    for a, b, weight in ((x, y, w), (x.astype(int), y.astype(int), w), (z, 0 * z, None), (z, 0 * z, z + 1),
                         (x.astype(np.float32), y, w > 1), (x.astype(np.float32), y, w.astype(float))):
        ours = losses.l1_loss(a, b, reduction=reduction, weight=weight)
        leaves = [to_tensor(v) for v in (a, b, *(() if weight is None else (weight,)))]
        for leaf in leaves:
            if leaf.is_floating_point() or leaf.is_complex():
                leaf.requires_grad_()
        theirs = torch.nn.functional.l1_loss(*leaves[:2], reduction=reduction, weight=leaves[2] if leaves[2:] else None)
        assert (f"torch.{ours.dtype.name}", ours.tolist()) == (str(theirs.dtype), theirs.tolist())
        if theirs.requires_grad:
            theirs.backward(torch.ones_like(theirs))
            gradients = losses.l1_loss_backward(np.ones_like(ours), a, b, reduction=reduction, weight=weight)
            for mine, leaf in zip(gradients, leaves, strict=False):
                assert (mine is None) == (leaf.grad is None)
                if mine is not None:
                    assert (f"torch.{mine.dtype.name}") == str(leaf.grad.dtype)
                    # a few roundings of numbers of at most 10
                    assert np.abs(mine - leaf.grad.numpy()).max() <= 8 * 2.0**-23 * 10
    with pytest.raises(RuntimeError, match="mean"):
        losses.l1_loss(x, y)
    assert losses.l1_loss(x, y, reduction="sum").dtype == np.int64

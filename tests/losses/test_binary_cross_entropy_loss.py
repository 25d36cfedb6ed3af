"""Binary cross-entropy of probabilities against mpmath, values by hand and torch."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.binary_cross_entropy_loss import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
INSIDE = st.floats(2.0**-30, 1 - 2.0**-30)


def by_powers(arguments: Any) -> list[Any]:
    """-w log(a^t b^(1-t)), with a and b the probabilities, at least exp(-100)."""
    x, t = arguments["input"], arguments["target"]
    w, least = np.broadcast_to(arguments.get("weight", 1.0), x.shape), mpmath.exp(-100)
    each = []
    for a, b, c in zip(*(v.ravel().tolist() for v in (x, t, w)), strict=True):
        p = mpmath.mpf(a)
        each.append(-c * mpmath.log(max(p, least) ** mpmath.mpf(b) * max(1 - p, least) ** (1 - mpmath.mpf(b))))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_powers() -> None:
    assert all(encloses(case, by_powers) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    bce, backward = losses.binary_cross_entropy, losses.binary_cross_entropy_backward
    x, t = np.array([0.0, 1.0, 0.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0, 0.25])
    assert bce(x, t, reduction="none").tolist() == [0, 0, 100, 100, 25]
    assert bce(x, t) == 45
    assert bce(x, t, np.array([0.0, 0.0, 1.0, 0.5, 2.0])) == 40  # by the number, not by Σ w
    assert bce(x, t, np.array(2)) == 90
    by_input, by_target, none = backward(np.array(1.0), x, t, reduction="sum")
    floor = float(np.float32(1e-12))
    assert none is None
    assert by_input is not None
    assert by_target is not None
    assert by_input.tolist() == [0, 0, -1 / floor, 1 / floor, -0.25 / floor]
    assert by_target.tolist() == [100, -100, 100, -100, 100]
    half = backward(np.array(1.0, np.float16), np.zeros(1, np.float16), np.zeros(1, np.float16))[0]
    assert half == 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    x = data.draw(arrays(np.float64, shape, elements=INSIDE))
    t = data.draw(arrays(np.float64, shape, elements=st.floats(0, 1)))
    weight = data.draw(st.none() | arrays(np.float64, data.draw(st.sampled_from([shape, shape[-1:]])),
                                          elements=st.floats(0.125, 8)))
    weight = weight if weight is None or weight.ndim <= len(shape) else None
    arguments = {"input": x, "target": t, "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments | ({} if weight is None else {"weight": weight})) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.binary_cross_entropy, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))


@pytest.mark.parametrize("kind", ["float16", "float64", "int64", "uint8", "bool"])
def test_weights_of_other_types(kind: str) -> None:
    x, weight = np.full((2, 3), 0.5, np.float32), np.ones(3, kind)
    leaf = to_tensor(x).requires_grad_()
    theirs = torch.nn.functional.binary_cross_entropy(leaf, to_tensor(x), to_tensor(weight))
    theirs.backward()
    ours = losses.binary_cross_entropy(x, x, weight)
    gradient = losses.binary_cross_entropy_backward(np.array(1.0, np.float32), x, x, weight)[0]
    assert gradient is not None
    assert leaf.grad is not None
    assert (str(theirs.dtype), str(leaf.grad.dtype)) == (f"torch.{ours.dtype}", f"torch.{gradient.dtype}")
    assert abs(ours - theirs.item()) <= 8 * np.spacing(np.float32(1))  # log 2, and six additions of it


def test_defects_of_torch_that_the_docstrings_name() -> None:
    """Each of these fails when torch mends it; then docstring, dialect and waiver have to go."""
    t = torch.zeros(1, requires_grad=True)
    torch.nn.functional.binary_cross_entropy(torch.zeros(1), t).backward()
    assert t.grad is not None
    assert t.grad.isinf()
    x = torch.zeros(1, dtype=torch.float16, requires_grad=True)
    torch.nn.functional.binary_cross_entropy(x, torch.zeros(1, dtype=torch.float16)).backward()
    assert x.grad is not None
    assert x.grad.isnan()

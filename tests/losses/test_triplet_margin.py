"""The triplet losses against mpmath, values by hand and torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses._distance import Manhattan, Skewed, Squared
from oracle.cases.ops.losses.triplet_margin import SPEC
from oracle.cases.ops.losses.triplet_margin_with_distance import SPEC as WITH_DISTANCE
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
A, P, N = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])


def by_norms(arguments: Mapping[str, Any], distance: Callable[[list[Any], list[Any]], Any] | None = None) -> list[Any]:
    p, eps = arguments.get("p", 2.0), mpmath.mpf(arguments.get("eps", 1e-6))

    def norm(x: list[Any], y: list[Any]) -> Any:
        sizes = [abs(v - w + eps) for v, w in zip(x, y, strict=True)]
        return max(sizes) if p == math.inf else mpmath.fsum(v ** mpmath.mpf(p) for v in sizes) ** (1 / mpmath.mpf(p))

    d, each = distance or norm, []
    stack = np.stack(np.broadcast_arrays(*(arguments[k] for k in ("anchor", "positive", "negative"))))
    for triplet in np.moveaxis(stack, 0, -2).reshape(-1, 3, stack.shape[-1]):
        a, q, n = ([mpmath.mpf(float(v)) for v in x] for x in triplet)
        d_neg = min(d(a, n), d(q, n)) if arguments["swap"] else d(a, n)
        each.append(max(mpmath.mpf(arguments["margin"]) + d(a, q) - d_neg, mpmath.mpf(0)))
    return reduced(each, arguments, len(each))


def with_distance(arguments: Mapping[str, Any]) -> list[Any]:
    squares = {Squared(): 1, Skewed(): 2}
    function = arguments["distance_function"]
    if function is None:
        return by_norms(arguments)
    if function in squares:
        return by_norms(arguments, lambda x, y: mpmath.fsum((squares[function] * v - w) ** 2
                                                            for v, w in zip(x, y, strict=True)))
    return by_norms(arguments, lambda x, y: mpmath.fsum(abs(v - w) for v, w in zip(x, y, strict=True)))


def test_values_are_those_of_mpmath() -> None:
    """Every third case: 1200 bits of powers take their time."""
    assert all(encloses(case, by_norms) for case in list(finite_cases(SPEC))[::3])
    assert all(encloses(case, with_distance) for case in finite_cases(WITH_DISTANCE))


def test_values_by_hand() -> None:
    def loss(**arguments: Any) -> float:
        return losses.triplet_margin_loss(A, P, N, eps=0.0, **arguments).item()

    assert loss() == 1 + 5 - 2
    assert loss(p=1) == 1 + 7 - 2
    assert loss(p=math.inf, margin=0.5) == 0.5 + 4 - 2
    assert loss(p=1, swap=True) == 1 + 7 - 2  # d(p, n) is 5
    assert losses.triplet_margin_loss(P, A, 2 * P, eps=0.0, swap=True).item() == 1 + 5 - 5
    assert losses.triplet_margin_loss(P, A, 3 * P, eps=0.0).item() == 0
    assert losses.triplet_margin_loss(A, A, 2 + A, 3.0, p=1, eps=0.5).item() == 3 + 1 - 3  # ε has a sign: 2 |-2 + 0.5|


def test_gradients_by_hand() -> None:
    gradients = losses.triplet_margin_loss_backward(np.array(5.0), A, P, N, eps=0.0)
    assert [g is not None and g.tolist() for g in gradients] == [[[-3, 1]], [[3, 4]], [[0, -5]]]
    gradients = losses.triplet_margin_loss_backward(np.array(1.0), A, P, N, p=math.inf, eps=0.0)
    assert [g is not None and g.tolist() for g in gradients] == [[[0, 0]], [[0, 1]], [[0, -1]]]


def both(arguments: Mapping[str, Any]) -> None:
    """The gradients are torch's, in small dyadic numbers: exactly."""
    leaves = {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in arguments.items() if isinstance(v, np.ndarray)}
    theirs = torch.nn.functional.triplet_margin_loss(**{**arguments, **leaves})
    theirs.backward()
    ours = losses.triplet_margin_loss_backward(np.array(1.0), **arguments)
    assert losses.triplet_margin_loss(**arguments) == theirs.item()
    assert [g is not None and g.tolist() for g in ours] == [x.grad is not None and x.grad.tolist()
                                                           for x in leaves.values()]


def test_kinks_are_torchs() -> None:
    arguments = {"anchor": A, "positive": P, "negative": N, "eps": 0.0}
    both({**arguments, "positive": np.array([[1.0, 0.0]])})  # 1 + 1 - 2 is 0, and counts
    both({**arguments, "positive": A})  # a norm of 0
    both({**arguments, "positive": A, "p": 1.0})
    both({**arguments, "positive": np.array([[4.0, -4.0]]), "p": math.inf})  # equal components share
    both({**arguments, "anchor": np.array([[1.0, 0.0]]), "positive": np.array([[-1.0, 0.0]]),  # and so do distances
          "negative": np.array([[0.0, 0.0]]), "swap": True})


def test_the_kink_has_the_gradient_of_torch_2_13() -> None:
    """margin + d(a, p) - d(a, n) is 1 + 1 - 2; from torch 2.14 on all three gradients are 0, as the docstrings say."""
    triplet = [np.array([[x]]) for x in (0.0, 1.0, 2.0)]
    for gradients in (losses.triplet_margin_loss_backward(np.array(1.0), *triplet, eps=0.0, reduction="sum"),
                      losses.triplet_margin_with_distance_loss_backward(
                          np.array(1.0), *triplet, distance_function=Manhattan(), reduction="sum")):
        assert [g is not None and g.item() for g in gradients] == [0, 1, -1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    numbers = st.integers(-256, 256).map(lambda n: n / 64)
    shapes = data.draw(st.sampled_from([((3,),) * 3, ((2, 3),) * 3, ((2, 1, 2), (1, 3, 2), (2, 3, 1))]))
    a, q, n = (data.draw(arrays(np.float64, s, elements=numbers)) for s in shapes)
    shared = {"anchor": a, "positive": q, "negative": n, "margin": data.draw(st.sampled_from([1.0, 1 / 3, 4])),
              "swap": data.draw(st.booleans()), "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    p, eps = data.draw(st.sampled_from([1.0, 2, 2.0, 3.0, 2.5])), data.draw(st.sampled_from([1e-6, 2.0**-9]))
    assert disagreements(SPEC, {**shared, "p": p, "eps": eps}) == []
    distance = data.draw(st.sampled_from([None, Squared(), Manhattan(), Skewed()]))
    assert disagreements(WITH_DISTANCE, {**shared, "distance_function": distance}) == []


def test_a_norm_that_overflows_in_torch() -> None:
    """It fails when torch mends it; then the docstring, the dialect and the waiver have to go."""
    a, q, n = (np.float32(1e20) * x.astype(np.float32) for x in (A, P, N))
    assert torch.nn.functional.triplet_margin_loss(*map(torch.from_numpy, (a, q, n))).isnan()
    assert abs(losses.triplet_margin_loss(a, q, n) - 3e20) < 1e14


def test_a_distance_without_a_gradient_is_refused_one() -> None:
    def distance(x: Any, y: Any) -> Any:
        return np.abs(x - y).sum(-1)

    assert losses.triplet_margin_with_distance_loss(A, P, N, distance_function=distance) == 1 + 7 - 2
    with pytest.raises(TypeError, match="distance_function must have a method backward"):
        losses.triplet_margin_with_distance_loss_backward(np.array(1.0), A, P, N, distance_function=distance)


def test_integers_and_mixed_types() -> None:
    whole = [x.astype(np.int64) for x in (A, P, N)]
    ours = losses.triplet_margin_loss(*whole)
    theirs = torch.nn.functional.triplet_margin_loss(*map(torch.from_numpy, whole))
    assert ours.dtype == np.float32
    assert abs(ours - theirs.numpy()) < 1e-6
    mixed = losses.triplet_margin_loss(A.astype(np.float16), P.astype(np.float32), N.astype(np.float16))
    assert mixed.dtype == np.float32


def test_the_module_takes_its_settings_by_name() -> None:
    module = losses.TripletMarginWithDistanceLoss(distance_function=Manhattan(), swap=True)
    assert module(A, P, N) == 1 + 7 - 2
    with pytest.raises(TypeError):
        losses.TripletMarginWithDistanceLoss(Manhattan())

"""The negative log-likelihood of classes against fractions, values by hand and torch."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.nll import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_fractions(arguments: Any) -> list[Any]:
    x, y, weight = arguments["input"], arguments["target"], arguments.get("weight")
    x, y = (x[None], y[None]) if x.ndim == 1 else (x, y)
    each, divisor = [], Fraction(0)
    for n, *place in itertools.product(range(x.shape[0]), *map(range, x.shape[2:])):
        index = int(y[(n, *place)])
        if index == arguments.get("ignore_index", -100):
            each.append(Fraction(0))
            continue
        w = Fraction(1 if weight is None else float(weight[index]))
        each.append(-w * Fraction(float(x[(n, index, *place)])))
        divisor += w
    return reduced(each, arguments, divisor)


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y, w = np.array([[-1.0, -2.0], [-3.0, -4.0], [np.nan, np.inf]]), np.array([0, 1, -100]), np.array([1.0, 3.0])
    assert losses.nll_loss(x, y) == 2.5
    assert losses.nll_loss(x, y, w) == 13 / 4  # by the weights of what counts
    assert losses.nll_loss(x, y, w, reduction="none").tolist() == [1, 12, 0]
    assert losses.nll_loss(x[:2], y[:2], ignore_index=1) == 1
    assert np.isnan(losses.nll_loss(x[2:], y[2:]))
    assert losses.nll_loss_backward(np.array(8.0), x, y, w)[0].tolist() == [[-2, 0], [0, -6], [0, 0]]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    classes = data.draw(st.integers(1, 4))
    rows = data.draw(st.sampled_from([(), (1,), (3,), (2, 2), (2, 1, 2), (1, 2, 1, 2)]))
    shape = (*rows[:1], classes, *rows[1:])
    x = data.draw(arrays(np.float64, shape, elements=st.floats(-1e6, 1e6)))
    y = data.draw(arrays(np.int64, rows, elements=st.integers(-1, classes - 1)))
    weight = data.draw(st.none() | arrays(np.float64, classes, elements=st.floats(0.125, 8)))
    arguments = {"input": x, "target": y, "weight": weight, "ignore_index": -1,
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


def test_one_index_in_a_shape_of_its_own() -> None:
    x = np.array([-1.0, -2.0])
    assert losses.nll_loss(x, np.array([1]), reduction="none").shape == ()
    assert losses.nll_loss(x, np.array([1])) == torch.nn.functional.nll_loss(to_tensor(x), torch.tensor([1])).item()


def test_the_older_module() -> None:
    with pytest.warns(FutureWarning, match="NLLLoss2d is deprecated") as caught:
        module = losses.NLLLoss2d(ignore_index=1)
    assert caught[0].filename == __file__
    assert isinstance(module, losses.NLLLoss)
    assert module(np.array([[-1.0, -2.0]] * 2), np.array([0, 1])) == 1
    with pytest.warns(FutureWarning):
        torch.nn.NLLLoss2d()


def test_torch_takes_short_indices_beside_rows_only() -> None:
    with pytest.raises(RuntimeError, match="Long"):
        torch.nn.functional.nll_loss(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8))
    assert losses.nll_loss(np.zeros((1, 2, 2, 2)), np.zeros((1, 2, 2), np.uint8)) == 0

"""The multi-label margin loss against fractions, values by hand and torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.multilabel_margin import SPEC
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_fractions(arguments: Mapping[str, Any]) -> list[Any]:
    x, each = np.atleast_1d(arguments["input"]), []
    for row, listed in zip(x.reshape(-1, x.shape[-1]).tolist(),
                           arguments["target"].reshape(-1, x.shape[-1]).tolist(), strict=True):
        labels = list(itertools.takewhile(lambda label: label >= 0, listed))
        hinges = [1 + Fraction(v) - Fraction(row[label]) for label in labels for c, v in enumerate(row)
                  if c not in labels]
        each.append(sum((z for z in hinges if z > 0), Fraction(0)) / len(row))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x = np.array([[0.0, 0.5, 1.0, 2.0]])
    loss = losses.multilabel_margin_loss
    assert loss(x, np.array([[3, 0, -1, 1]])) == (0 + 0 + 1.5 + 2) / 4  # label 3: 1 - 2 + x is 0 at most
    assert loss(x, np.array([[0, 0, -1, 1]])) == 2 * (1.5 + 2 + 3) / 4
    assert loss(x, np.array([[-1, 3, 0, 1]])) == loss(x, np.array([[0, 1, 2, 3]])) == 0
    gradient, none = losses.multilabel_margin_loss_backward(np.array(4.0), x, np.array([[0, 0, -1, 1]]))
    assert none is None
    assert gradient is not None
    assert gradient.tolist() == [[-6, 2, 2, 2]]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (4,), (1, 3), (3, 2)]))
    x = data.draw(arrays(np.float64, shape, elements=st.integers(-256, 256).map(lambda n: n / 64)))
    y = data.draw(arrays(np.int64, shape, elements=st.integers(-1, (shape[-1] if shape else 1) - 1)))
    assert disagreements(SPEC, {"input": x, "target": y, "reduction": data.draw(
        st.sampled_from(["none", "mean", "sum"]))}) == []


def test_a_row_of_one_class_may_lack_its_dimension() -> None:
    for x, y in ((np.array(1.0), np.array([0])), (np.array([1.0]), np.array(0))):
        ours = losses.multilabel_margin_loss(x, y, reduction="none")
        theirs = torch.nn.functional.multilabel_margin_loss(torch.from_numpy(x), torch.from_numpy(y), reduction="none")
        assert (ours.shape, ours.tolist()) == (theirs.shape, theirs.tolist())


def test_nan_is_a_loss_of_nan_here_and_none_in_torch() -> None:
    """It fails when torch mends it; then the docstring, the dialect and the waiver have to go."""
    x, y = np.array([[0.0, np.nan]]), np.array([[0, -1]])
    assert torch.nn.functional.multilabel_margin_loss(torch.from_numpy(x), torch.from_numpy(y)) == 0
    assert np.isnan(losses.multilabel_margin_loss(x, y))

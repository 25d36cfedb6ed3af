"""Hypothesis over shapes and arguments of cross_entropy, mse_loss and BCE with logits, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases import registry
from oracle.cases.spec import LossSpec
from oracle.dialects.table import DIALECTS
from tests.losses.agreement import disagreements

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LOGITS = st.floats(-1e4, 1e4) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, -1.0])
POSITIVE = st.floats(0.125, 8)
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])


def spec(name: str) -> LossSpec:
    found = registry.get(name)
    assert isinstance(found, LossSpec)
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_cross_entropy(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(3,), (1, 4), (3, 1), (4, 3), (2, 3, 2), (1, 2, 2, 1)]))
    axis = min(len(shape) - 1, 1)
    rows, classes = shape[:axis] + shape[axis + 1:], shape[axis]
    arguments: dict[str, Any] = {"input": data.draw(arrays(np.float64, shape, elements=LOGITS))}
    if data.draw(st.booleans()):
        arguments["target"] = data.draw(arrays(np.float64, shape, elements=st.floats(0.0625, 1)))
    else:
        arguments["target"] = data.draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
        arguments["ignore_index"] = data.draw(st.integers(-2, classes - 1))
    arguments["weight"] = data.draw(st.none() | arrays(np.float64, classes, elements=POSITIVE))
    arguments["label_smoothing"] = data.draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1))
    assert disagreements(spec("cross_entropy"), arguments | {"reduction": data.draw(REDUCTIONS)}) == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_mse_loss(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    x = data.draw(arrays(np.float64, shape, elements=LOGITS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, (2, *shape), ()])), elements=LOGITS))
    weight = data.draw(st.none() | arrays(np.float64, shape, elements=POSITIVE)) if y.shape == shape else None
    arguments = {"input": x, "target": y, "weight": weight, "reduction": data.draw(REDUCTIONS)}
    assert disagreements(spec("mse_loss"), arguments) == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_binary_cross_entropy_with_logits(data: st.DataObject) -> None:
    """torch follows its own rule, which the dialect names; the reference follows the documented formula."""
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    arguments: dict[str, Any] = {
        "input": data.draw(arrays(np.float64, shape, elements=LOGITS)),
        "target": data.draw(arrays(np.float64, shape, elements=st.floats(0, 1) | st.sampled_from([0.0, 1.0])))}
    for name in ("weight", "pos_weight"):
        broadcast = data.draw(st.sampled_from([shape, shape[-1:], ()]))
        arguments[name] = data.draw(st.none() | arrays(np.float64, broadcast, elements=POSITIVE))
    arguments["reduction"] = data.draw(REDUCTIONS)
    ours = spec("binary_cross_entropy_with_logits")
    assert disagreements(DIALECTS["bce-log-sigmoid"](ours), arguments) == []
    assert disagreements(ours, arguments, targets=["reference"]) == []

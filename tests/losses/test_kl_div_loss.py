"""The Kullback-Leibler divergence against mpmath, values by hand and torch."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.kl_div_loss import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_ratios(arguments: Any) -> list[Any]:
    """p log(p/q), from the ratio of the probabilities themselves."""
    each: list[Any] = []
    x, t = arguments["input"], arguments["target"]
    for a, b in zip(*(v.ravel().tolist() for v in np.broadcast_arrays(x, t)), strict=True):
        p, q = mpmath.exp(b) if arguments["log_target"] else mpmath.mpf(b), mpmath.exp(a)
        each.append(None if p < 0 else p * mpmath.log(p / q) if p else mpmath.mpf(0))
    if None in each:
        plain = arguments.get("reduction") == "none" or arguments.get("reduce") is False
        return each if plain else [None]
    if arguments.get("reduction") == "batchmean":
        return [sum(each) / (x.shape[0] if x.ndim else 1) if each else None]
    return reduced(each, arguments, len(each))


def test_values_are_those_of_ratios() -> None:
    """Where exp(x) is so small that its 1200 bits end beyond 2**-200 of log(p/q), the ratio is left out: "huge"."""
    cases = [case for case in finite_cases(SPEC) if case.options["regime"] != "huge"]
    assert all(encloses(case, by_ratios) for case in cases)


def test_values_by_hand() -> None:
    x, t = np.array([[0.0, -2.0], [-np.inf, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    assert losses.kl_div(x, t, reduction="none").tolist() == [[0, 0], [0, -1]]
    assert losses.kl_div(x, t) == -0.25
    assert losses.kl_div(x, t, reduction="batchmean") == -0.5
    assert losses.kl_div(x[1, 1], t[1, 1], reduction="batchmean") == -1
    assert losses.kl_div(x[0], t, reduction="batchmean") == 1  # 2, by the 2 numbers of input
    assert losses.kl_div(np.array([-2.0, 5.0]), np.array([0.0, -np.inf]), reduction="sum", log_target=True) == 2
    assert np.isnan(losses.kl_div(x[0], np.array([-1.0, 0.0])))
    assert np.isnan(losses.kl_div(np.array([np.nan]), np.array([0.0])))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    x = data.draw(arrays(np.float64, shape, elements=st.floats(-1e3, 1e3)))
    log_target = data.draw(st.booleans())
    elements = st.floats(-20, 2) if log_target else st.floats(1e-300, 1)
    t = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, (2, *shape)])), elements=elements))
    arguments = {"input": x, "target": t, "log_target": log_target,
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum", "batchmean"]))}
    assert disagreements(SPEC, arguments) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.kl_div, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))


def test_defects_of_torch_that_the_docstrings_name() -> None:
    """Each of these fails when torch mends it; then docstring, dialect and waiver have to go."""
    kl_div = torch.nn.functional.kl_div
    x, t = torch.tensor([-np.inf, -1.0]), torch.tensor([0.0, 0.0], requires_grad=True)
    out = kl_div(x, t, reduction="none")
    assert out[0].isnan()
    out[1].backward()
    assert t.grad is not None
    assert t.grad[1].isnan()
    assert kl_div(x[1], torch.tensor(-np.inf), log_target=True).isnan()

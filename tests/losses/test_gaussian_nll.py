"""The negative log-likelihood of normal numbers against mpmath, values by hand and torch."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.gaussian_nll import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

NUMBERS = st.floats(-1e6, 1e6) | st.floats(-2, 2)


def by_densities(arguments: Any) -> list[Any]:
    """-log of the density, without the factor 1/sqrt(2π) unless it is wanted."""
    x, y, var = arguments["input"], arguments["target"], arguments["var"]
    if isinstance(var, np.ndarray) and var.ndim < x.ndim:
        var = var.reshape(*var.shape, 1)
    each = []
    for a, b, c in zip(*(v.ravel().tolist() for v in np.broadcast_arrays(x, y, var)), strict=True):
        v = max(mpmath.mpf(c), mpmath.mpf(arguments["eps"]))
        peak = 1 / mpmath.sqrt(2 * mpmath.pi * v if arguments["full"] else v)
        each.append(-mpmath.log(peak * mpmath.exp(-(mpmath.mpf(a) - mpmath.mpf(b)) ** 2 / (2 * v))))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_densities() -> None:
    """Densities of far numbers are below what mpmath's exponents of 1200 bits can tell: "huge" is left out."""
    cases = [case for case in finite_cases(SPEC) if case.options["regime"] != "huge"]
    assert all(encloses(case, by_densities) for case in cases)


def test_values_by_hand() -> None:
    loss, x = losses.gaussian_nll_loss, np.array([[1.0, 2.0], [3.0, 5.0]])
    y = np.zeros((2, 2))
    assert loss(x, y, np.ones((2, 2)), reduction="none").tolist() == [[0.5, 2], [4.5, 12.5]]
    assert loss(x, y, np.ones(2)) == 39 / 8
    rows = loss(x, y, np.array([1.0, 0.25]), reduction="none") - loss(y, y, np.array([1.0, 0.25]), reduction="none")
    assert rows.tolist() == [[0.5, 2], [18, 50]]  # one variance for each row, in a square
    assert loss(x, y, 0.5, eps=1.0, reduction="sum") == 19.5
    gradients = losses.gaussian_nll_loss_backward(np.array(1.0), x[0], y[0], np.array([0.25, 4.0]), eps=1.0,
                                                  reduction="sum")
    assert [g is not None and g.tolist() for g in gradients] == [[1, 0.5], [-1, -0.5], [0, 0]]  # straight through at 1
    half, zero, one = (np.full(1, value, np.float16) for value in (300.0, 0.0, 1.0))  # 300² is beyond float16
    assert loss(half, zero, one) == np.float16(45000)
    by_var = losses.gaussian_nll_loss_backward(np.ones((), np.float16), half, zero, one)[2]
    assert by_var == np.float16(-44999.5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (3, 3), (2, 1, 2), (0,)]))
    x = data.draw(arrays(np.float64, shape, elements=NUMBERS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, (2, *shape)])), elements=NUMBERS))
    shapes = [shape] if not shape else [shape, shape[:-1], (*shape[:-1], 1)]
    variances = st.floats(0, 1e6) | st.floats(0, 2)
    var = data.draw(variances | arrays(np.float64, data.draw(st.sampled_from(shapes)), elements=variances))
    arguments = {"input": x, "target": y, "var": var, "full": data.draw(st.booleans()),
                 "eps": data.draw(st.sampled_from([1e-6, 0.25, 1])),
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


@pytest.mark.parametrize("var", ["float16", "bfloat16", "float32", "float64", "int64", "complex64", "a float"])
def test_types_are_those_of_torch(var: str) -> None:
    def ones(name: str) -> Any:
        return 1.0 if name == "a float" else np.ones((2, 3), ml_dtypes.bfloat16 if name == "bfloat16" else name)

    function, names = torch.nn.functional.gaussian_nll_loss, ("float16", "bfloat16", "float32", "float64", "int64",
                                                              "uint8", "bool", "complex64")
    for a in names:
        for b in names:
            arguments = ones(a), ones(b), ones(var)
            try:
                theirs = function(*(to_tensor(v) if isinstance(v, np.ndarray) else v for v in arguments))
            except (RuntimeError, NotImplementedError) as error:
                with pytest.raises(type(error)):
                    losses.gaussian_nll_loss(*arguments)
                continue
            ours = losses.gaussian_nll_loss(*arguments)
            assert f"torch.{ours.dtype.name}" == str(theirs.dtype), (a, b)
            assert ours == theirs.item() == 0

"""The negative log-likelihood of counts against mpmath, values by hand and torch."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.poisson_nll import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
MANY = ("float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64")


def by_likelihoods(arguments: Any) -> list[Any]:
    """-log(m^t exp(-r) / s): the likelihood, with Stirling's s = sqrt(2πt) (t/e)^t for t!."""
    each: list[Any] = []
    for a, b in zip(*(v.ravel().tolist() for v in np.broadcast_arrays(arguments["input"], arguments["target"])),
                    strict=True):
        rate = mpmath.exp(a) if arguments["log_input"] else mpmath.mpf(a)
        mean, t = rate if arguments["log_input"] else rate + mpmath.mpf(arguments["eps"]), mpmath.mpf(b)
        stirling = mpmath.sqrt(2 * mpmath.pi * t) * (t / mpmath.e) ** t if arguments["full"] and t > 1 else 1
        each.append(rate - mpmath.log(mean**t / stirling))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_likelihoods() -> None:
    assert all(encloses(case, by_likelihoods) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    loss = losses.poisson_nll_loss
    assert loss(np.zeros(2), np.array([0.0, 5.0]), reduction="none").tolist() == [1, 1]
    assert loss(np.array([1.0, 3.0]), np.array([7.0, 0.0]), log_input=False, eps=0.0) == 2  # log 1 = 0
    assert loss(np.array([0.75]), np.array([4.0]), log_input=False, eps=0.25) == 0.75
    full = loss(np.zeros(3), np.array([0, 1, 2]), full=True, reduction="none")
    # 2 log 2 - 2 + ½ log 4π = 0.65180649..., near log 2! = 0.693; five roundings of numbers below 2
    assert full[:2].tolist() == [1, 1]
    assert abs(full[2] - 1.651806484604536) <= 10 * 2.0**-52
    by_input, by_target = losses.poisson_nll_loss_backward(
        np.array(1.0), np.array([1.0, 2.0]), np.array([1.0, 0.5]), log_input=False, full=True, eps=0.0, reduction="sum")
    assert by_input is not None
    assert by_target is not None
    assert by_input.tolist() == [0, 0.75]
    assert by_target[0] == 0
    assert loss(np.array([21846.0], np.float16), np.array([3.0], np.float16)) == np.inf  # both of its terms are
    assert losses.poisson_nll_loss(np.zeros(1, np.float16), np.ones(1, np.float16), log_input=False) == np.float16(
        18.420680743952367)


@pytest.mark.parametrize(("dtype", "x", "t"), [
    ("float16", 12.0, 12000.0), ("float16", 8.0, 8250.0), ("float32", 89.5, 6.4e36),
    ("float32", 200.0, 1e38), ("float32", 80.0, 4.25e36), ("float64", 710.0, 3e305), ("float64", -2.0, 1.5e308)])
def test_infinite_terms_of_finite_losses(dtype: str, x: float, t: float) -> None:
    inputs = np.array([x], dtype), np.array([t], dtype)
    with mpmath.workprec(1200), np.errstate(over="ignore"):  # casting to the type
        terms = [mpmath.exp(float(inputs[0][0])), mpmath.mpf(float(inputs[1][0])) * float(inputs[0][0])]
        exact, scale = np.longdouble(mpmath.nstr(terms[0] - terms[1], 25)), np.longdouble(mpmath.nstr(sum(terms), 25))
        got = losses.poisson_nll_loss(*inputs, reduction="none")
        assert got.dtype == dtype
        # a relative error of 9u at most: exp(x/2) is squared, and there are four operations on either term
        assert got == exact.astype(dtype) or abs(got[0] - exact) <= 9 * np.finfo(dtype).eps / 2 * abs(scale)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    log_input, full = data.draw(st.booleans()), data.draw(st.booleans())
    x = data.draw(arrays(np.float64, shape, elements=st.floats(-20, 20) if log_input else st.floats(2.0**-20, 1e6)))
    t = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, (2, *shape)])), elements=st.floats(
        2.0**-20, 1e6) | st.sampled_from([1.0, 2.0])))
    arguments = {"input": x, "target": t, "log_input": log_input, "full": full,
                 "eps": data.draw(st.sampled_from([1e-8, 0.0, 1.5, 2])),
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_types_are_those_of_torch(log_input: bool, full: bool) -> None:
    """The types alone: torch takes exp and log in the type of the input, and promotes what comes out."""
    def ones(name: str) -> Any:
        return np.ones((2, 3), ml_dtypes.bfloat16 if name == "bfloat16" else name)

    for a, b in itertools.product(MANY, MANY):
        try:
            theirs = torch.nn.functional.poisson_nll_loss(to_tensor(ones(a)), to_tensor(ones(b)), log_input, full)
        except (RuntimeError, NotImplementedError) as error:
            with pytest.raises(type(error)):
                losses.poisson_nll_loss(ones(a), ones(b), log_input, full)
            continue
        ours = losses.poisson_nll_loss(ones(a), ones(b), log_input, full)
        assert f"torch.{ours.dtype.name}" == str(theirs.dtype), (a, b)
        wanted = np.e - 1 if log_input else 1 - np.log1p(1e-8)
        assert abs(ours.item() - wanted) <= 8 * float(ml_dtypes.finfo(ours.real.dtype).eps), (a, b)


def test_defects_of_torch_that_the_docstrings_name() -> None:
    """Each of these fails when torch mends it; then docstring, dialect and waiver have to go."""
    loss = torch.nn.functional.poisson_nll_loss
    for count in (0.0, -1.0):
        t = torch.tensor([count], requires_grad=True)
        loss(torch.ones(1), t, full=True).backward()
        assert t.grad is not None
        assert t.grad.isnan()
    half = torch.zeros(1, dtype=torch.float16)
    assert loss(half, half, log_input=False).isnan()
    counts = torch.tensor([3])
    short = loss(torch.zeros(1, dtype=torch.float64), counts, full=True).item()
    ours = losses.poisson_nll_loss(np.zeros(1), counts.numpy(), full=True).item()
    assert 1e-9 < abs(short - ours) < 1e-6  # Stirling's term in float32

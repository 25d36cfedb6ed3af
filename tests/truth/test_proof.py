"""Truth and bound: proven from another side, and shown to fail where they should."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.selection import cases, select
from oracle.cases.spec import LossSpec, Objective
from oracle.truth.evaluate import FLOATS, evaluate
from oracle.truth.history import closures, stack_steps
from oracle.truth.proof import prove, prove_gradients
from oracle.ulp import spacing
from reference.optim import Parameter

#: Cases of the older arguments and of broadcasting targets warn, as torch does.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def _smooth(case: Case) -> bool:
    """Is every input a number, none of them on a kink, and are they few enough to move each by itself?"""
    assert isinstance(case.spec, LossSpec)
    arrays = [v for v in case.inputs.values() if isinstance(v, np.ndarray)]
    return (not case.spec.kinks(case.options) and sum(v.size for v in arrays) < 1000
            and all(np.all(np.isfinite(v.astype(np.float64))) for v in arrays))


GRADIENTS = [case for case in select(["losses"], ["float32"], around=False) if _smooth(case)]


@pytest.mark.parametrize("case", GRADIENTS, ids=[case.id for case in GRADIENTS])
def test_gradients_are_those_of_the_forward_formula(case: Case) -> None:
    """Central differences at 400 bits with a step of 2^-100 err by 2^-200/6 of the third derivative.

    That derivative is at most some hundreds here (0 for a square; for the others a few times weights and
    upstream gradients of up to 4). Both sides are compared as doubles: one unit each for their rounding,
    and 2^-150, which is that error with much to spare.
    """
    for name, (quotient, backward) in prove_gradients(case).items():
        allowed = 2 * np.spacing(np.abs(quotient)) + 2.0**-150
        wrong = np.abs(quotient - backward) > allowed
        assert not np.any(wrong), f"grad.{name}{np.argwhere(wrong)[0]}: {backward[wrong][0]}, not {quotient[wrong][0]}"


@pytest.mark.parametrize("name", [name for name, spec in registry.specs().items() if isinstance(spec, LossSpec)])
def test_a_wrong_gradient_does_not_pass_the_proof(name: str) -> None:
    """The proof sees one gradient element that is off by 1e-12 of itself."""
    spec = registry.get(name)
    assert isinstance(spec, LossSpec)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        gradients = spec.backward(*args, **kwargs)
        first = gradients[0].copy()
        first.reshape(-1)[-1:] = first.reshape(-1)[-1:] * (1 + 1e-12)
        return first, *gradients[1:]

    case = parse(f"{name}/float32/default")
    planted = Case(dataclasses.replace(spec, backward=wrong), case.dtype, case.options)
    quotient, backward = prove_gradients(planted)[spec.arrays[0]]
    assert np.any(np.abs(quotient - backward) > 2 * np.spacing(np.abs(quotient)) + 2.0**-150)


def test_the_truth_is_the_exact_rational_where_there_is_one() -> None:
    case = parse("mse_loss/float32/default")
    x, t = (case.inputs[name].astype(object).reshape(-1) for name in ("input", "target"))
    squares = [(Fraction(float(a)) - Fraction(float(b))) ** 2 for a, b in zip(x, t, strict=True)]
    exact = sum(squares) / len(squares)
    truth = prove(case)["output"]
    assert truth.hi == float(exact)
    assert abs(Fraction(float(truth.hi)) + Fraction(float(truth.lo)) - exact) <= exact * Fraction(2) ** -104


def test_the_bound_counts_the_roundings_of_the_formula() -> None:
    """A mean of 12 squares: a difference, a square, 11 additions, a division, and the final rounding."""
    truth = prove(parse("mse_loss/float32/default"))["output"]
    units = truth.bound / (truth.hi * 2.0**-23)
    n = parse("mse_loss/float32/default").inputs["input"].size
    assert 2 + 1 + (n - 1) + 1 <= units <= 2 + 1 + (n - 1) + 1 + 0.5 + 0.01


def test_truth_does_not_depend_on_who_asks_for_it_or_when() -> None:
    case = cases(registry.get("Adam"), "float32")[3]
    first, again = prove(case), prove(parse(case.id))
    for name, truth in first.items():
        assert truth.hi.tobytes() == again[name].hi.tobytes()
        assert truth.bound.tobytes() == again[name].bound.tobytes()


def test_bounds_follow_the_precision_of_the_type() -> None:
    bounds = {dtype: prove(parse(f"mse_loss/{dtype}/reduction=sum"))["output"] for dtype in ("float64", "float32")}
    ratio = (bounds["float32"].bound / bounds["float32"].hi) / (bounds["float64"].bound / bounds["float64"].hi)
    assert 2.0**28.9 < ratio < 2.0**29.1


def test_an_output_that_is_not_a_ball_has_to_be_equal() -> None:
    truth = prove(parse("Adam/float32/steps=2"))
    assert truth["step[0]"].discrete
    assert truth["step[0]"].hi.tolist() == [1.0, 2.0]


def test_a_count_has_to_be_equal_where_every_branch_is_decided() -> None:
    truth = prove(parse("LBFGS/float32/objective=too-short,start=zero,grad=constant,lr=2,max_iter=4,"
                        "line_search_fn=strong_wolfe"))["func_evals[0]"]
    assert (truth.hi.tolist(), truth.bound.tolist()) == ([5], [0.0])
    truth = prove(parse("LBFGS/float32/grad=constant,layout=empty,objective=quadratic,lr=0.1,max_iter=4,max_eval=3,"
                        "history_size=1,line_search_fn=strong_wolfe"))["func_evals[0]"]
    assert truth.discrete
    assert truth.bound.tolist() == [np.inf]


def test_answers_are_given_in_turn_and_each_step_begins_with_the_first() -> None:
    p = Parameter(np.ones(1))
    answers = tuple((np.array(float(k)), (np.full(1, 10.0 * k),)) for k in range(2))
    for _ in range(2):
        (closure,) = closures(Objective(answers=answers), [p], [np.zeros(1)])
        assert [(closure().item(), p.grad.item()) for _ in range(3)] == [(0.0, 0.0), (1.0, 10.0), (0.0, 0.0)]


def test_a_state_that_is_an_integer_before_it_is_an_array_starts_as_the_array() -> None:
    stacked = stack_steps([{"n": 1, "h": 1}, {"n": 2, "h": np.ones(())}])
    assert {name: array.tolist() for name, array in stacked.items()} == {"n": [1, 2], "h": [1.0]}


def test_the_scale_of_a_trajectory_is_that_of_each_step() -> None:
    truth = prove(parse("SGD/float32/steps=10"))["param[0]"]
    assert truth.scale.shape == truth.hi.shape
    assert np.array_equal(truth.scale[:, 0], np.abs(truth.hi).max(axis=1))


@pytest.mark.parametrize("case_id", ["mse_loss/float32/default", "Adam/float32/default"])
def test_a_changed_input_is_an_error(case_id: str) -> None:
    case = parse(case_id)
    array = case.inputs["input"] if isinstance(case.inputs, dict) else case.inputs.groups[0].params[0]
    with pytest.raises(ValueError, match="read-only"):
        array += 1


@pytest.mark.parametrize("case", [case for case in select(["losses"], around=False) if isinstance(case.spec, LossSpec)
                                  and case.spec.exact(case.options)], ids=lambda case: case.id)
def test_where_each_step_is_exact_nothing_is_charged_but_the_final_rounding(case: Case) -> None:
    """And each step is: the reference is as near in the type itself, whatever branch a rounding could have taken."""
    for (name, truth), got in zip(prove(case).items(), evaluate(case, FLOATS).values(), strict=True):
        assert not truth.vacuous.any(), name
        assert np.array_equal(truth.bound, np.maximum(spacing(truth.hi, case.dtype) / 2, 5e-324)), name
        assert np.array_equal(got.astype(np.float64), truth.rounded), name


def test_a_fraction_of_whole_numbers_has_a_bound() -> None:
    """A mean of whole numbers is rounded; the square root of one is; no implementation has to round as another does."""
    for case_id in ("mse_loss/float32/weight=integers", "cosine_embedding_loss/float32/margin=1,regime=integers"):
        truth = prove(parse(case_id))["output"]
        assert not truth.discrete
        assert truth.dtype == "float32"
        assert 0 < truth.bound.item() < 100 * 2.0**-23 * abs(truth.hi.item())
    assert prove(parse("mse_loss/float32/reduction=sum,weight=integers"))["output"].discrete

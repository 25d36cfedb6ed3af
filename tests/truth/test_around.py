"""Truths in surroundings are those of the proof: where elements are laid out, and where whole numbers are summed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.spec import LossSpec, Options
from oracle.cases.surroundings.record import Surroundings
from oracle.formats import FORMATS
from oracle.truth.around import is_whole, prove_whole, unchanged
from oracle.truth.evaluate import Lift, evaluate
from oracle.truth.history import OVERWRITTEN
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import prove
from oracle.ulp import numpy_dtype

Array = np.ndarray[Any, Any]

LONGDOUBLE = Lift(lambda array: array.astype(np.float64).astype(np.longdouble), lambda scalar: scalar)


def wholes() -> list[Any]:
    """Every loss that is a sum of whole numbers, with all options that it is drawn for, in each type."""
    found = []
    for spec in registry.specs().values():
        if not isinstance(spec, LossSpec) or spec.whole is None:
            continue
        sizes = ("7",) if 1 in spec.whole.lengths else ()
        sizes = (*sizes, "2x9") if 2 in spec.whole.lengths else sizes
        sizes = (*sizes, "2x3") if spec.independent == "elements" else sizes
        for changes in spec.whole.beside:
            for reduction in ("mean", "sum"):
                options: Options = {**spec.defaults, **changes, "reduction": reduction}
                found += [pytest.param(Case(spec, dtype, options, 0, Surroundings(size=size)),
                                       id=f"{spec.name}-{dtype}-{reduction}-{'-'.join(changes)}-{size}")
                          for dtype in spec.dtypes for size in sizes]
    return found


@pytest.mark.parametrize("case", wholes())
def test_sums_of_whole_numbers_are_what_is_proved(case: Case) -> None:
    """Balls enclose the same value, and their bound for any order is no narrower."""
    assert is_whole(case)
    proved = prove(case)
    for name, truth in prove_whole(case).items():
        other = proved[name]
        finite = np.isfinite(truth.hi)
        assert (finite == ~truth.special).all(), name
        apart = np.abs((truth.hi - other.hi) + (truth.lo - other.lo))[finite & np.isfinite(other.hi)]
        slack = (np.abs(truth.hi) * 2.0**-60)[finite & np.isfinite(other.hi)]
        assert (apart <= slack + FORMATS[case.dtype].tiny * 2.0**-60).all(), name


@pytest.mark.parametrize("case", wholes())
def test_every_partial_sum_is_exact(case: Case) -> None:
    """Each term is the same in the type as to more digits, and their sum has digits to spare in the accumulator."""
    assert isinstance(case.spec, LossSpec)
    if len(case.around.shape) > 1 and "cross_entropy" in case.spec.name:
        return  # the logarithm of a whole number
    with np.errstate(all="ignore"):
        terms = np.asarray(case.spec.function(**{**LONGDOUBLE.mapping(case.inputs), "reduction": "none"}))
        rounded = np.asarray(case.spec.function(**{**case.inputs, "reduction": "none"}))
    assert (rounded.astype(np.longdouble) == terms.astype(numpy_dtype(case.dtype)).astype(np.longdouble)).all()
    exact = rounded.astype(np.float64)
    if len(case.around.shape) == 1 or case.spec.independent == "elements":
        unit = min(float(np.ldexp(1.0, _last_bit(t))) for t in exact.flat if t)
        assert exact.sum() / unit < 2.0 ** max(FORMATS[case.dtype].bits, 24)
        assert unit >= 0.25


def _last_bit(value: float) -> int:
    """The exponent of the last bit that is set."""
    numerator, denominator = float(value).as_integer_ratio()
    return (numerator & -numerator).bit_length() - denominator.bit_length()


def test_a_gradient_that_leaves_the_type_is_infinite() -> None:
    truth = truth_of(parse("binary_cross_entropy/float16/default@size=33"))["grad.input"]
    assert truth.special.all()
    assert np.isinf(truth.hi).all()


@pytest.mark.parametrize("case_id", [
    "mse_loss/float32/reduction=none@size=33", "cross_entropy/float32/reduction=none@size=9",
    "Adam/float32/start=zero,steps=2@size=33"])
def test_laid_out_truths_are_those_of_the_proof(case_id: str) -> None:
    """What is looked up is what a proof of all elements gives."""
    case = parse(case_id)
    looked_up, values = truth_of(case), evaluate(case, LONGDOUBLE)
    for name, value in values.items():
        truth = looked_up[name]
        assert truth.hi.shape == np.shape(value), name
        assert (np.abs(value - truth.hi) <= truth.bound).all(), name


def test_memory_and_gradients_stay() -> None:
    case = parse("Adam/float32/start=zero,steps=2@size=33,memory=strided")
    kept = unchanged(case)
    assert kept[OVERWRITTEN].hi == 0
    assert (kept["gradient[0]"].hi == np.stack([now[0] for now in case.inputs.gradients])).all()
    assert set(unchanged(parse("mse_loss/float32/reduction=none@size=33,memory=strided"))) == {OVERWRITTEN}
    assert not unchanged(parse("mse_loss/float32/reduction=none@size=33")), "nothing lies beside it"


def test_a_case_of_a_million_elements_takes_no_time() -> None:
    """Nothing is proved element by element."""
    case = parse("mse_loss/float32/default@size=1000003")
    truth = truth_of(case)["output"]
    assert math.isfinite(float(truth.hi))
    assert truth.bound < truth.hi * 2.0**-20

"""Each element matters: what is dropped, doubled, swapped, skipped or averaged shows in some output.

Wrong answers are made from the right ones, and judged as those of any target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.spec import LossSpec, OptimSpec
from oracle.cases.surroundings.fitting import is_laid_out
from oracle.cases.surroundings.record import Surroundings
from oracle.truth.evaluate import Lift
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import Truth
from oracle.ulp import numpy_dtype
from oracle.verdict.compare import judge

Array = np.ndarray[Any, Any]


LOSSES = [spec for spec in registry.specs().values() if isinstance(spec, LossSpec)]
OPTIMIZERS = [spec for spec in registry.specs().values() if isinstance(spec, OptimSpec) and spec.elementwise]

LONGDOUBLE = Lift(lambda array: array.astype(np.float64).astype(np.longdouble), lambda scalar: scalar)


def in_type(value: Array, truth: Truth) -> Array:
    """Exact values as the best implementation has them."""
    return value.astype(numpy_dtype(truth.dtype))


def shows(name: str, wrong: Array, truth: Truth) -> bool:
    """Is this answer found to be wrong?"""
    return judge(name, in_type(wrong, truth), truth).verdict.disagrees


# --- sums ----------------------------------------------------------------------------------------


def sums(size: str, dtypes: tuple[str, ...]) -> Iterator[Case]:
    """Every loss of so many elements or rows, in every way of adding them up."""
    for spec in LOSSES:
        for changes in spec.whole.beside if spec.whole and 1 in spec.whole.lengths else ():
            for reduction in ("mean", "sum"):
                for dtype in spec.dtypes:
                    if dtype in dtypes:
                        yield Case(spec, dtype, {**spec.defaults, **changes, "reduction": reduction}, 0,
                                   Surroundings(size=size))


def terms_of(case: Case) -> Array:
    """The terms of a sum, of which none is so small that it is 0 in the type but not to more digits."""
    assert isinstance(case.spec, LossSpec)
    arguments = {**LONGDOUBLE.mapping(case.inputs), "reduction": "none"}
    terms = np.asarray(case.spec.function(**arguments)).reshape(-1)
    return np.where(terms.astype(numpy_dtype(case.dtype)) == 0, 0.0, terms)


def parameters(cases: Iterator[Case]) -> list[object]:
    return [pytest.param(case, id=case.id) for case in cases]


@pytest.mark.parametrize("case", parameters(sums("33", ("float64", "float32", "float16", "bfloat16"))))
def test_each_term_shows(case: Case) -> None:
    truth, terms = truth_of(case)["output"], terms_of(case)
    assert not shows("output", truth.hi, truth)
    assert case.dtype == "bfloat16" or (terms > 0).all()
    for term in terms[terms > 0]:
        share = float(term / terms.sum())
        assert shows("output", truth.hi * (1 - share), truth)
        assert shows("output", truth.hi * (1 + share), truth)


@pytest.mark.parametrize("case", [*parameters(sums("32769", ("float32", "bfloat16"))), *(
    pytest.param(parse(f"{op}/float32/default@size=1000003"), id=f"{op}-1000003") for op in ("mse_loss", "nll_loss"))])
def test_each_term_shows_in_a_large_sum(case: Case) -> None:
    """The smallest term shows, so each does. In bfloat16 few terms count, and those at the ends do."""
    truth, terms = truth_of(case)["output"], terms_of(case)
    least = float(terms[terms > 0].min() / terms.sum())
    assert shows("output", truth.hi * (1 - least), truth)
    assert shows("output", truth.hi * (1 + least), truth)
    assert (terms > 0).all() if case.dtype == "float32" else terms[0] > 0 < terms[-1]


@pytest.mark.parametrize("size", ["3x127", "2x1031", "2x32000", "1x128257"])
@pytest.mark.parametrize("op", ["cross_entropy", "linear_cross_entropy", "multi_margin_loss", "multilabel_margin_loss"])
def test_each_class_shows(op: str, size: str) -> None:
    """What a loss is without a class is outside of its bound: if it counts at all in some row, as those at edges do."""
    case = parse(f"{op}/float32/default@size={size}")
    assert isinstance(case.spec, LossSpec)
    truth, name = truth_of(case)["output"], "linear_weight" if op.startswith("linear") else "input"
    by_class = case.inputs[name] if name == "linear_weight" else case.inputs[name].T
    right = np.unique(case.inputs["target"])
    edges = np.unique([0, 1, 31, 32, 1023, 1024, len(by_class) - 2, len(by_class) - 1])
    for c in np.setdiff1d(edges[edges < len(by_class)], right):
        without = by_class.astype(np.longdouble)
        without[c] = -1e4
        arguments = LONGDOUBLE.mapping(case.inputs) | {name: without if name == "linear_weight" else without.T}
        wrong = np.asarray(case.spec.function(**arguments), np.float64)
        assert shows("output", wrong, truth) or (by_class[c] < 0).all()
    assert (by_class[[0, -1]] >= 0).any()


# --- elements that are laid out ------------------------------------------------------------------


def laid_out(size: str) -> Iterator[Case]:
    """Every op of which elements or rows are laid out, in each type."""
    for spec in (*LOSSES, *OPTIMIZERS):
        loss = isinstance(spec, LossSpec)
        options = {**spec.defaults, **({"reduction": "none"} if loss else {"start": "zero", "steps": 2})}
        if is_laid_out(spec, options):
            yield from (Case(spec, dtype, options, 0, Surroundings(size=size)) for dtype in spec.dtypes)


def main_output(case: Case) -> str:
    return "output" if isinstance(case.spec, LossSpec) else "param[0]"


def answers_with(case: Case, change: Callable[[Array], None]) -> tuple[str, Array, Truth]:
    """What a case's main output is after a change of its elements, in place."""
    name = main_output(case)
    truth = truth_of(case)[name]
    wrong = truth.hi.copy()
    change(wrong[-1] if case.spec.stacked else wrong)
    return name, wrong, truth


@pytest.mark.parametrize("case", parameters(laid_out("129")))
def test_blocks_show(case: Case) -> None:
    """Each block that is not stored, the tail that is not, and blocks that are averaged over one element too many."""
    n = 129
    for block in (8, 16, 32, 64):
        for start in range(0, n, block):
            def skip(elements: Array, start: int = start, block: int = block) -> None:
                elements[start:start + block] = 0.0

            def average(elements: Array, start: int = start, block: int = block) -> None:
                elements[start:start + block] *= block / (block + 1)

            assert shows(*answers_with(case, skip)), (start, block)
            if case.dtype in ("float64", "float32"):  # in half types a 65th is within the bound of some
                assert shows(*answers_with(case, average)), (start, block)


@pytest.mark.parametrize("case", parameters(laid_out("33")))
def test_neighbours_that_are_swapped_show(case: Case) -> None:
    """In some output: of two elements with the same loss the gradients differ."""
    truths = {name: truth for name, truth in truth_of(case).items()
              if truth.hi.ndim and truth.hi.shape[-1 if case.spec.stacked else 0] == 33}
    for i in range(32):
        found = []
        for name, truth in truths.items():
            wrong = truth.hi.copy()
            elements = wrong.T if case.spec.stacked else wrong
            elements[[i, i + 1]] = elements[[i + 1, i]]
            found.append(shows(name, wrong, truth))
        assert any(found), (i, list(truths))

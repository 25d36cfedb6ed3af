"""Diagnosis: what is missing or crashes is said by itself, and the rest is explained."""

from __future__ import annotations

import pytest

from oracle.auditing import judge
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.dialects.table import DIALECTS
from oracle.truth.evaluate import Outputs
from oracle.verdict.diagnosis import diagnose
from oracle.verdict.observation import Observation
from tests.planted import Planted
from tests.verdict.observed import observed, reference_of, short, speaking

pytestmark = pytest.mark.usefixtures("shared_truths")


def test_a_reference_is_no_dialect_and_nothing_fails() -> None:
    cases = [case for case in select(["Adam"], ["float32"]) if short(case)][:8]
    assert str(diagnose([], list(observed(reference_of, cases)))) == "nothing fails"


def test_a_crash_is_explained_by_no_dialect_and_the_simplest_case_is_shown() -> None:
    def answer(case: Case) -> Outputs:
        raise ZeroDivisionError

    cases = select(["mse_loss"], ["float32"])[:20]
    told = diagnose(list(observed(answer, cases)), [])
    assert not told.matches
    assert told.conditions == ("in every case that could tell",)
    assert told.smallest is not None
    assert told.smallest.case.id == "mse_loss/float32/default"


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_explains_nothing_where_what_decides_is_missing() -> None:
    def answer(case: Case) -> Outputs:
        return {name: value for name, value in reference_of(case).items() if name == "output"}

    told = diagnose(list(observed(answer, select(["mse_loss"], ["float32"])[:40])), [])
    assert not told.matches
    assert [said.partition(",")[0] for said in told.lacks] == ["grad.input", "grad.target", "grad.weight"]


@pytest.mark.filterwarnings("ignore")
def test_what_crashes_is_said_by_itself_and_the_rest_is_explained() -> None:
    speaks = speaking(DIALECTS["mse-half"])

    def answer(case: Case) -> Outputs:
        if case.options["shape"] == "0":
            raise ZeroDivisionError("division by zero")
        return speaks(case)

    cases = [case for case in select(["mse_loss"], ["float32"])
             if case.options["weight"] == "none" and case.options["regime"] == "moderate"]
    seen = [Observation(case, {} if case.options["shape"] == "0" else answer(case),
                        judge.run_case(case, Planted(answer)))
            for case in cases]
    told = diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails])
    (said,) = told.lacks
    assert said.startswith("answer (ZeroDivisionError: division by zero in ")
    assert said.endswith("cases), only with shape=0")
    assert [match.dialect.name for match in told.matches] == ["mse-half"]

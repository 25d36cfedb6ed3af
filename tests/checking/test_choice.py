"""Which cases are run: those that tell most, and what is left of cases that are not supported."""

from __future__ import annotations

import math
from typing import Any

import pytest

from oracle.cases.case import parse
from oracle.checking import choice
from oracle.checking.choice import in_order, replacements
from oracle.truth.proof import effort

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")


@pytest.mark.parametrize("op", ["cross_entropy", "Adam", "normal_"])
def test_the_first_cases_hold_every_value_of_every_axis(op: str) -> None:
    cases = in_order(op, ["float64", "float32"])
    assert cases[0].id == f"{op}/float32/default"
    cheap = {pair for case in cases if effort(case) <= choice.BUDGET // 4 for pair in case.options.items()}
    first = {pair for case in cases[:len(cases) // 4] for pair in case.options.items()}
    assert cheap <= first
    assert [case.id for case in cases] == [case.id for case in in_order(op, ["float64", "float32"])]


def test_cases_that_are_unsupported_are_replaced_by_what_is_left_of_them() -> None:
    cases = in_order("cross_entropy", ["float32"])

    def supports(case: Any) -> bool:
        return bool(case.options["weight"] == "none" and case.options["target"] == "index")

    out = [case for case in cases if not supports(case)]
    instead = replacements(cases, out, supports)
    assert instead
    assert all(map(supports, instead))
    kept = {case.id for case in cases} - {case.id for case in out}
    assert not kept & {case.id for case in instead}
    seen = {(a, b) for case in [*instead, *(c for c in cases if supports(c))] for a in case.options.items()
            for b in case.options.items()}
    shipped = {(a, b) for case in cases for a in case.options.items() for b in case.options.items()}
    lost = {(a, b) for a, b in shipped - seen if not {a[0], b[0]} & {"weight", "target"}}
    assert not lost, "pairs of supported values are still covered"


def test_budget_is_what_effort_is_measured_in() -> None:
    assert effort(parse("mse_loss/float32/default")) == 2 * math.prod((3, 4)) + 1
    assert effort(parse("Adam/float32/steps=300")) > 100 * effort(parse("Adam/float32/steps=2"))


@pytest.mark.parametrize("op", ["cross_entropy", "Adam", "normal_"])
def test_each_surrounding_comes_once_behind_what_holds_each_value(op: str) -> None:
    cases = in_order(op, ["float64", "float32"])
    surrounded = [k for k, case in enumerate(cases) if case.around]
    wanted = {case.around for case in cases if case.around}
    first = surrounded[:len(wanted)]
    assert first == list(range(first[0], first[0] + len(wanted)))
    assert {cases[k].around for k in first} == wanted
    assert not any(case.around for case in cases[first[-1] + 1:-(len(surrounded) - len(first)) or None])


def test_surroundings_are_kept_where_values_give_way() -> None:
    cases = [parse("SGD/float32/default"), parse("SGD/float32/start=zero,steps=2,momentum=0.9@size=33")]
    (instead,) = replacements(cases, cases[1:], lambda case: not case.options["momentum"])
    assert instead.id == "SGD/float32/start=zero,steps=2@size=33"


def test_nothing_is_laid_out_to_know_an_effort() -> None:
    for case_id in ("Adam/float32/start=zero,steps=2@size=32769",
                    "mse_loss/float32/reduction=none@size=32769,threads=3"):
        case = parse(case_id)
        assert 100 < effort(case) < 1000
        assert not {"inputs", "layout"} & vars(case).keys()

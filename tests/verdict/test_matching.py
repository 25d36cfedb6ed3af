"""Every dialect is told by its own name, and what is none of them is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.cases.spec import DTYPES
from oracle.dialects.record import Dialect
from oracle.dialects.table import DIALECTS
from oracle.truth.evaluate import Outputs
from oracle.verdict import matching
from oracle.verdict.diagnosis import diagnose
from tests.verdict.observed import diagnosed, observed, reference_of, short, speaking

pytestmark = pytest.mark.usefixtures("shared_truths")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_told_by_its_name(dialect: Dialect) -> None:
    """At float32, or where nothing differs there in the first other type where something does.

    It is the first that is named. Behind it may stand one with the same rule and a wider bound, which explains
    as much. Where it differs in surroundings alone, these are named.
    """
    dtypes = ["float32", *(dtype for dtype in DTYPES if dtype != "float32")]
    found = (diagnosed(speaking(dialect), dialect.op, dtype) for dtype in dtypes)
    told = next((one for one in found if one.smallest is not None), None)
    if told is None:
        found = (diagnosed(speaking(dialect), dialect.op, dtype, around=True) for dtype in dtypes)
        assert any("only from " in str(one) for one in found)
        return
    assert told.matches[0].dialect.name == dialect.name, [match.dialect.name for match in told.matches]
    assert str(told).startswith(("matches ", "may be ")) and str(dialect) in str(told)  # noqa: PT018


def test_there_are_dialects_of_most_ops_and_their_records_are_full() -> None:
    assert len(DIALECTS) >= 60
    assert len({dialect.op for dialect in DIALECTS.values()}) >= 35
    for name, dialect in DIALECTS.items():
        assert name == dialect.name
        assert all(text.strip() and "\n" not in text for text in (dialect.title, dialect.difference, dialect.used_by))
    stated = [(dialect.op, dialect.difference) for dialect in DIALECTS.values()]
    assert len(set(stated)) == len(stated), "two dialects of an op say the same"


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_with_another_mistake_is_not_told_by_its_name() -> None:
    def answer(case: Case) -> Outputs:
        outputs = speaking(DIALECTS["adam-eps-hat"])(case)
        return {name: value * np.float32(1.001) if name.startswith("exp_avg_sq") else value
                for name, value in outputs.items()}

    assert not diagnosed(answer, "Adam", "float32").matches


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_that_passing_cases_contradict_is_not_named() -> None:
    """An implementation that follows a dialect only where it fails does something else."""
    shipped = select(["Adam"], ["float32"], around=False)
    cases = [case for case in shipped if case.options["grad"] == "eps" and short(case)][:16]
    speaks = speaking(DIALECTS["adam-eps-hat"])
    mixed = list(observed(lambda case: speaks(case) if case.options["amsgrad"] else reference_of(case), cases))
    failing, passing = ([s for s in mixed if s.record.fails is fails] for fails in (True, False))
    assert failing
    assert passing
    assert [m.dialect.name for m in diagnose(failing, []).matches] [:1] == ["adam-eps-hat"]
    assert not diagnose(failing, passing).matches


def test_a_dialect_is_tried_on_cases_up_to_an_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case for case in select(["Adam"], ["float32"], around=False) if short(case)]
    seen = list(observed(speaking(DIALECTS["adam-uncorrected"]), cases[:40]))
    failing = [one for one in seen if one.record.fails]
    assert diagnose(failing, []).matches[0].of == len(failing)
    monkeypatch.setattr(matching, "EFFORT", 2 * matching.effort(failing[0].case))
    assert 1 <= diagnose(failing, []).matches[0].of < len(failing)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("whole", "part", "wanted"), [
    ("adam-optax", "adam-typed", lambda case: not case.options["amsgrad"]),
    ("adamw-huggingface", "adamw-eps-hat", lambda case: case.options["weight_decay"] == 0),
    ("adamw-huggingface", "adamw-decay-last", lambda case: case.options["grad"] == "one"),
])
def test_of_two_rules_that_cannot_be_told_apart_the_one_that_says_less_is_named(
        whole: str, part: str, wanted: Callable[[Case], bool]) -> None:
    op = DIALECTS[part].op
    cases = [case for case in select([op], ["float32"], around=False) if short(case) and wanted(case)][:40]
    seen = list(observed(speaking(DIALECTS[part]), cases))
    matches = diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails]).matches
    names = [match.dialect.name for match in matches]
    assert part in names
    assert whole not in names


def test_the_parts_of_a_dialect_are_dialects_of_its_op() -> None:
    assert sum(bool(dialect.parts) for dialect in DIALECTS.values()) > 10
    for dialect in DIALECTS.values():
        assert all(DIALECTS[part].op == dialect.op for part in dialect.parts), dialect.name

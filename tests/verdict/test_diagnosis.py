"""Diagnosis: every dialect is told by its own name, what is none of them is not, and conditions separate."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.auditing import judge
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.cases.spec import DTYPES, Spec
from oracle.dialects.table import DIALECTS, Dialect
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.verdict import diagnosis
from oracle.verdict.diagnosis import Diagnosis, Observation, diagnose

ROOT = Path(__file__).parents[2]
FAILURES = 16  #: of a target are enough to tell what it is, and so is the double of it in cases that pass


class _Target:
    name = "planted"

    def __init__(self, answer: Callable[[Case], Outputs]) -> None:
        self.answer = answer

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        with np.errstate(all="ignore"):
            return self.answer(case)

    def script(self, case: Case) -> str:
        return ""


def _observed(answer: Callable[[Case], Outputs], cases: list[Case]) -> Iterator[Observation]:
    target = _Target(answer)
    for case in cases:
        record = judge.run_case(case, target)
        yield Observation(case, {} if record.verdict == "crashed" else target.run(case), record)


def _short(case: Case) -> bool:
    return bool(case.options.get("steps", 0) <= 10)


def _diagnosed(answer: Callable[[Case], Outputs], op: str, dtype: str) -> Diagnosis:
    """From the first cases that fail, and from some that pass."""
    failing: list[Observation] = []
    passing: list[Observation] = []
    for seen in _observed(answer, [case for case in select([op], [dtype]) if _short(case)]):
        assert seen.record.verdict != "crashed", seen.record.note
        if seen.record.fails:
            failing.append(seen)
        elif len(passing) < 2 * FAILURES:
            passing.append(seen)
        if len(failing) == FAILURES:
            break
    return diagnose(failing, passing)


def _speaking(dialect: Dialect) -> Callable[[Case], Outputs]:
    return lambda case: evaluate(dataclasses.replace(case, spec=dialect(case.spec)), FLOATS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_told_by_its_name(dialect: Dialect) -> None:
    """At float32, or where nothing differs there in the first other type where something does.

    It is the first that is named. Behind it may stand one with the same rule and a wider bound, which explains
    as much.
    """
    dtypes = ["float32", *(dtype for dtype in DTYPES if dtype != "float32")]
    found = (_diagnosed(_speaking(dialect), dialect.op, dtype) for dtype in dtypes)
    told = next(one for one in found if one.smallest is not None)
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


def _reference(case: Case) -> dict[str, Any]:
    return evaluate(case, FLOATS)


def _wrong_where(wrong: Callable[[Case], bool]) -> Callable[[Case], Outputs]:
    """Right, but for the loss of some cases, which is 1.5 times as large."""
    def answer(case: Case) -> Outputs:
        outputs = _reference(case)
        return outputs | {"output": outputs["output"] * np.float32(1.5)} if wrong(case) else outputs
    return answer


def _conditions(op: str, wrong: Callable[[Case], bool], cases: list[Case] | None = None) -> Diagnosis:
    seen = list(_observed(_wrong_where(wrong), select([op], ["float32"])[:200] if cases is None else cases))
    return diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "wrong", "condition"), [
    ("huber_loss", lambda case: case.options["weight"] == "random", "with weight=random"),
    ("mse_loss", lambda case: case.options["weight"] != "none", "with weight other than none"),
    ("nll_loss", lambda case: case.options["ignore_index"] != "none", "with ignore_index other than none"),
    ("smooth_l1_loss", lambda case: case.options["reduction"] == "sum" and case.options["beta"] == 0.25,
     "with reduction=sum and with beta=0.25"),
    ("huber_loss", lambda case: diagnosis._magnitudes(case)[1] > 1e4, "with regime=huge"),
])
def test_conditions_are_few_and_separate(op: str, wrong: Callable[[Case], bool], condition: str) -> None:
    """Though a loss that is 0 or NaN shows no mistake."""
    told = _conditions(op, wrong)
    (said,) = told.conditions
    parts = said.removeprefix("only ").partition(", in ")[0].split(" and ")
    assert said.startswith("only ") and set(condition.split(" and ")) <= set(parts)  # noqa: PT018
    assert len(parts) <= len(condition.split(" and ")) + 1
    assert not told.matches
    assert told.smallest is not None
    assert wrong(told.smallest.case)
    assert f"fails {said}" in str(told)


@pytest.mark.filterwarnings("ignore")
def test_conditions_name_types_and_magnitudes() -> None:
    cases = [case for dtype in ("float32", "bfloat16") for case in select(["l1_loss"], [dtype])
             if case.options["regime"] == "moderate" and case.options["weight"] in ("none", "random")
             and case.options["shape"] != "0"]
    assert _conditions("l1_loss", lambda case: case.dtype == "bfloat16", cases).conditions == ("only in bfloat16",)
    cases = [case for case in select(["l1_loss"], ["float32"])
             if case.options["regime"] in ("moderate", "huge", "close")]
    told = _conditions("l1_loss", lambda case: diagnosis._magnitudes(case)[1] > 1e4, cases)
    assert told.conditions[0].startswith("only with regime=huge")


def test_magnitudes_are_said_where_no_argument_says_it() -> None:
    cases = [case for case in select(["huber_loss"], ["float32"])
             if case.options["regime"] == "moderate" and case.options["shape"] != "0"]
    failing = [case for case in cases if diagnosis._magnitudes(case)[0] < 0.1]
    (said, *_) = diagnosis._conditions(failing, [c for c in cases if c not in failing])
    assert said.startswith("only below 1e")


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_with_another_mistake_is_not_told_by_its_name() -> None:
    def answer(case: Case) -> Outputs:
        outputs = _speaking(DIALECTS["adam-eps-hat"])(case)
        return {name: value * np.float32(1.001) if name.startswith("exp_avg_sq") else value
                for name, value in outputs.items()}

    assert not _diagnosed(answer, "Adam", "float32").matches


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_that_passing_cases_contradict_is_not_named() -> None:
    """An implementation that follows a dialect only where it fails does something else."""
    cases = [case for case in select(["Adam"], ["float32"]) if case.options["grad"] == "eps" and _short(case)][:16]
    speaks = _speaking(DIALECTS["adam-eps-hat"])
    mixed = list(_observed(lambda case: speaks(case) if case.options["amsgrad"] else _reference(case), cases))
    failing, passing = ([s for s in mixed if s.record.fails is fails] for fails in (True, False))
    assert failing
    assert passing
    assert [m.dialect.name for m in diagnose(failing, []).matches] [:1] == ["adam-eps-hat"]
    assert not diagnose(failing, passing).matches


def test_a_reference_is_no_dialect_and_nothing_fails() -> None:
    cases = [case for case in select(["Adam"], ["float32"]) if _short(case)][:8]
    assert str(diagnose([], list(_observed(_reference, cases)))) == "nothing fails"


def test_a_crash_is_explained_by_no_dialect_and_the_simplest_case_is_shown() -> None:
    def answer(case: Case) -> Outputs:
        raise ZeroDivisionError

    cases = select(["mse_loss"], ["float32"])[:20]
    told = diagnose(list(_observed(answer, cases)), [])
    assert not told.matches
    assert told.conditions == ("in every case that could tell",)
    assert told.smallest is not None
    assert told.smallest.case.id == "mse_loss/float32/default"


# --- searches end --------------------------------------------------------------------------------


def _in_a_process(code: str, *, interrupted: bool = False) -> tuple[str, str]:
    """What code prints that may not end, on both streams; the clock is there for the mistake alone."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=ROOT) as process:
        try:
            if interrupted:
                assert process.stdout is not None
                assert process.stdout.readline() == "began\n"
                process.send_signal(signal.SIGINT)
            return process.communicate(timeout=120)
        finally:
            process.kill()


def test_the_search_for_common_conditions_ends_where_no_passing_case_meets_them_all() -> None:
    code = "from oracle.verdict.diagnosis import _common; print(_common({'a': [True, False], 'b': [False, True]}, 2))"
    assert _in_a_process(code)[0] == "(['a', 'b'], 0)\n"


def test_four_ways_to_fail_are_said_and_the_rest_is_counted() -> None:
    """However many there are: failing case i is told by condition i alone."""
    n = 300
    pure = [((diagnosis._Condition(f"with i={i}", lambda case: True),), np.arange(n) == i) for i in range(n)]
    said = list(diagnosis._cover(pure, n))
    assert said == [*(f"in 1 of 300 cases, always with i={i}" for i in range(4)), "in 296 of 300 cases in other ways"]
    assert list(diagnosis._cover([], 2)) == ["in 2 of 2 cases that no argument tells from those that pass"]


def test_a_dialect_is_tried_on_cases_up_to_an_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case for case in select(["Adam"], ["float32"]) if _short(case)]
    seen = list(_observed(_speaking(DIALECTS["adam-uncorrected"]), cases[:40]))
    failing = [one for one in seen if one.record.fails]
    assert diagnose(failing, []).matches[0].of == len(failing)
    monkeypatch.setattr(diagnosis, "EFFORT", 2 * diagnosis.effort(failing[0].case))
    assert 1 <= diagnose(failing, []).matches[0].of < len(failing)


def test_an_interrupt_ends_a_diagnosis() -> None:
    code = """
import numpy as np
from oracle.verdict import diagnosis
from oracle.cases.selection import select
cases = select(["cross_entropy"], ["float32"])
print("began", flush=True)
while True:
    diagnosis._conditions(cases[::2], cases[1::2])
"""
    assert "KeyboardInterrupt" in _in_a_process(code, interrupted=True)[1]


# --- what was not seen is not said ---------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_a_dialect_explains_nothing_where_what_decides_is_missing() -> None:
    def answer(case: Case) -> Outputs:
        return {name: value for name, value in _reference(case).items() if name == "output"}

    told = diagnose(list(_observed(answer, select(["mse_loss"], ["float32"])[:40])), [])
    assert not told.matches
    assert [said.partition(",")[0] for said in told.lacks] == ["grad.input", "grad.target", "grad.weight"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("whole", "part", "wanted"), [
    ("adam-optax", "adam-typed", lambda case: not case.options["amsgrad"]),
    ("adamw-huggingface", "adamw-eps-hat", lambda case: case.options["weight_decay"] == 0),
    ("adamw-huggingface", "adamw-decay-last", lambda case: case.options["grad"] == "one"),
])
def test_of_two_rules_that_cannot_be_told_apart_the_one_that_says_less_is_named(
        whole: str, part: str, wanted: Callable[[Case], bool]) -> None:
    op = DIALECTS[part].op
    cases = [case for case in select([op], ["float32"]) if _short(case) and wanted(case)][:40]
    seen = list(_observed(_speaking(DIALECTS[part]), cases))
    matches = diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails]).matches
    names = [match.dialect.name for match in matches]
    assert part in names
    assert whole not in names


def test_the_parts_of_a_dialect_are_dialects_of_its_op() -> None:
    assert sum(bool(dialect.parts) for dialect in DIALECTS.values()) > 10
    for dialect in DIALECTS.values():
        assert all(DIALECTS[part].op == dialect.op for part in dialect.parts), dialect.name


@pytest.mark.filterwarnings("ignore")
def test_what_crashes_is_said_by_itself_and_the_rest_is_explained() -> None:
    speaks = _speaking(DIALECTS["mse-half"])

    def answer(case: Case) -> Outputs:
        if case.options["shape"] == "0":
            raise ZeroDivisionError("division by zero")
        return speaks(case)

    cases = [case for case in select(["mse_loss"], ["float32"])
             if case.options["weight"] == "none" and case.options["regime"] == "moderate"]
    seen = [Observation(case, {} if case.options["shape"] == "0" else answer(case),
                        judge.run_case(case, _Target(answer)))
            for case in cases]
    told = diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails])
    (said,) = told.lacks
    assert said.startswith("answer (ZeroDivisionError: division by zero in ")
    assert said.endswith("cases), only with shape=0")
    assert [match.dialect.name for match in told.matches] == ["mse-half"]

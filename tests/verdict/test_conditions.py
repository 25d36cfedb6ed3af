"""Conditions that failures depend on are few, separate, and found in time."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.truth.evaluate import Outputs
from oracle.verdict import conditions, magnitudes
from oracle.verdict.diagnosis import Diagnosis, diagnose
from tests.verdict.observed import observed, reference_of

pytestmark = pytest.mark.usefixtures("shared_truths")

ROOT = Path(__file__).parents[2]


def _wrong_where(wrong: Callable[[Case], bool]) -> Callable[[Case], Outputs]:
    """Right, but for the loss of some cases, which is 1.5 times as large."""
    def answer(case: Case) -> Outputs:
        outputs = reference_of(case)
        return outputs | {"output": outputs["output"] * np.float32(1.5)} if wrong(case) else outputs
    return answer


def _conditions(op: str, wrong: Callable[[Case], bool], cases: list[Case] | None = None) -> Diagnosis:
    cases = select([op], ["float32"], around=False)[:200] if cases is None else cases
    seen = list(observed(_wrong_where(wrong), cases))
    return diagnose([s for s in seen if s.record.fails], [s for s in seen if not s.record.fails])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "wrong", "condition"), [
    ("huber_loss", lambda case: case.options["weight"] == "random", "with weight=random"),
    ("mse_loss", lambda case: case.options["weight"] != "none", "with weight other than none"),
    ("nll_loss", lambda case: case.options["ignore_index"] != "none", "with ignore_index other than none"),
    ("smooth_l1_loss", lambda case: case.options["reduction"] == "sum" and case.options["beta"] == 0.25,
     "with reduction=sum and with beta=0.25"),
    ("huber_loss", lambda case: magnitudes.extremes(case)[1] > 1e4, "with regime=huge"),
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
    told = _conditions("l1_loss", lambda case: magnitudes.extremes(case)[1] > 1e4, cases)
    assert told.conditions[0].startswith("only with regime=huge")


def test_magnitudes_are_said_where_no_argument_says_it() -> None:
    cases = [case for case in select(["huber_loss"], ["float32"])
             if case.options["regime"] == "moderate" and case.options["shape"] != "0"]
    failing = [case for case in cases if magnitudes.extremes(case)[0] < 0.1]
    (said, *_) = conditions.separate(failing, [c for c in cases if c not in failing])
    assert said.startswith("only below 1e")


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
    code = ("from oracle.verdict import conditions\n"
            "print(conditions._halve_passing({'a': [True, False], 'b': [False, True]}, 2))")
    assert _in_a_process(code)[0] == "(['a', 'b'], 0)\n"


def test_four_ways_to_fail_are_said_and_the_rest_is_counted() -> None:
    """However many there are: failing case i is told by condition i alone."""
    n = 300
    pure = [((conditions._Condition(f"with i={i}", lambda case: True),), np.arange(n) == i) for i in range(n)]
    said = list(conditions._say_widest(pure, n))
    assert said == [*(f"in 1 of 300 cases, always with i={i}" for i in range(4)), "in 296 of 300 cases in other ways"]
    assert list(conditions._say_widest([], 2)) == ["in 2 of 2 cases that no argument tells from those that pass"]


def test_an_interrupt_ends_a_diagnosis() -> None:
    code = """
import signal
import numpy as np
from oracle.verdict import conditions
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background is born without
from oracle.cases.selection import select
cases = select(["cross_entropy"], ["float32"])
print("began", flush=True)
while True:
    conditions.separate(cases[::2], cases[1::2])
"""
    assert "KeyboardInterrupt" in _in_a_process(code, interrupted=True)[1]

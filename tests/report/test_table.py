"""The table that ends an audit, and what is said below it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from oracle.report.table import ending, show
from oracle.verdict.record import Record


def test_few_cases_that_nothing_decides_are_named_and_many_counted(capsys: pytest.CaptureFixture[str]) -> None:
    records = [Record(f"l1_loss/float16/{i}", "l1_loss", "float16", "torch:eager", "vacuous", 0.0, 0.0, "output",
                      note="wide") for i in range(11)]
    for n, lines in ((10, 10), (11, 0)):
        show(records[:n], Console(width=160))
        out = capsys.readouterr().out
        assert f"not decided: {n} of {n} cases: {n} l1_loss\n" in out
        assert out.count("vacuous torch:eager on l1_loss/float16/") == lines


def test_the_last_lines_say_what_failed_and_how_much_is_known() -> None:
    records = [Record(f"l1_loss/float32/{i}", "l1_loss", "float32", target, verdict, 1.0, 1.0, "output", waiver=waiver)
               for i in range(2) for target, verdict, waiver in (
                   ("torch:eager", "within", None), ("torch:module", "exceeds", "l1-known"))]
    assert list(ending(records)) == ["PASSED: no unexplained disagreement",
                                     "1 known kind of disagreement in 2 verdicts; oracle defects describes it"]
    wrong = [replace(records[0], verdict="exceeds", target=f"torch:{n}") for n in range(6)]
    assert list(ending(wrong, ["old"])) == [
        "FAILED: 6 unexplained disagreements: 1 of l1_loss on torch:0, 1 of l1_loss on torch:1, 1 of l1_loss on "
        "torch:2, 1 of l1_loss on torch:3, and 2 more; 1 waiver that no case needs any more"]

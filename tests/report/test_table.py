"""The table that ends an audit, and what is said below it."""

from __future__ import annotations

import pytest
from rich.console import Console

from oracle.report.table import show
from oracle.verdict.record import Record


def test_few_cases_that_nothing_decides_are_named_and_many_counted(capsys: pytest.CaptureFixture[str]) -> None:
    records = [Record(f"l1_loss/float16/{i}", "l1_loss", "float16", "torch:eager", "vacuous", 0.0, 0.0, "output",
                      note="wide") for i in range(11)]
    for n, lines in ((10, 10), (11, 0)):
        show(records[:n], Console(width=160))
        out = capsys.readouterr().out
        assert f"not decided: {n} of {n} cases: {n} l1_loss\n" in out
        assert out.count("vacuous torch:eager on l1_loss/float16/") == lines

"""The README says what is: its table of ops is that of the registry, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oracle.report.summary import END, START, replace, rows

pytest_plugins = ["pytester"]
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_ops_is_current() -> None:
    """Run an audit, then ``python -m oracle.report.summary oracle-results/records.jsonl README.md``."""
    table = README.partition(START)[2].partition(END)[0].strip().splitlines()[2:]
    assert [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table] == rows()


def test_the_table_goes_between_its_marks() -> None:
    assert replace(f"a\n{START}\nold\n{END}\nb", "new") == f"a\n{START}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="the text needs the lines"):
        replace("no marks", "new")


def test_the_examples_run(pytester: pytest.Pytester) -> None:
    references, suite = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(references, "README.md", "exec"), {})
    pytester.makepyfile(suite)
    result = pytester.runpytest_inprocess("--oracle-ops=mse_loss", "--oracle-dtypes=float32", "-W", "ignore",
                                          "-p", "no:cacheprovider")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 10
    assert "failed" not in outcomes

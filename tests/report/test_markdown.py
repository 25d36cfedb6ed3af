"""Markdown fits into its tables and its limits, and mentions nobody."""

from __future__ import annotations

import re

from oracle.report import markdown
from oracle.report.digest import Digest
from tests import runs
from tests.report.pages import HEAD, columns, hostile, small


def test_markdown_has_tables_whose_rows_fit() -> None:
    for page in (markdown.render(small()), markdown.render(Digest(HEAD, hostile()))):
        assert all(len(widths) == 1 for widths in columns(page).values()), columns(page)
        assert "## Largest errors, op by op" in page
        assert "## Disagreements that no waiver accepts" in page
    assert columns("# a\n| 1 | 2 |\n| 1 | 2 | 3 |") == {"# a": {3, 4}}


def test_nobody_is_mentioned_from_a_record() -> None:
    page = markdown.render(Digest(HEAD, hostile()))
    outside = re.sub(r"(?s)(`+)(?!`).*?(?<!`)\1(?!`)", "", page)
    assert "@someone" in page
    assert "@someone" not in outside
    assert "<img" not in outside


def test_markdown_stays_below_the_limit_of_an_issue() -> None:
    wrong = [runs.disagreement(r.case, r.target, output=f"output{i % 97}") for i, r in enumerate(runs.made_up(40))]
    page = markdown.render(Digest(HEAD, wrong))
    assert len(page) < 65_536
    assert "The rest is cut; the HTML report has it." in page
    assert "## Largest errors, op by op" in page
    assert page.count("<details>") == page.count("</details>")

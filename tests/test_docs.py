"""The pages of ``docs/`` say what is: their examples run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

#: Pages with examples; that of ``watch.md`` is a script, which ``tests/watching/test_documented.py`` runs.
PAGES = [page for page in sorted((Path(__file__).parent.parent / "docs").glob("*.md")) if ">>>" in page.read_text()]


def test_some_pages_have_examples() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_give_what_is_shown(page: Path) -> None:
    assert not doctest.testfile(str(page), module_relative=False).failed

"""The pages of ``docs/`` say what is: their examples run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_give_what_is_shown(page: Path) -> None:
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted
    assert not found.failed

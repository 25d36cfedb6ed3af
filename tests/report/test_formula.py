"""Every op's docstring can be set as a page."""

from __future__ import annotations

import re

import pytest

from oracle.cases import registry
from oracle.cases.spec import Spec
from oracle.report import formula
from tests.report.pages import Page


@pytest.mark.parametrize("spec", registry.specs().values(), ids=lambda spec: spec.name)
def test_every_formula_is_set(spec: Spec) -> None:
    described = formula.describe(spec)
    for part in (described.summary, described.formula, described.source, *(about for _, about in described.arguments)):
        assert Page(part).open == []
        assert not re.search(r"\\|:math:|``|\$", Page(part).text), part
    assert [name.partition(" = ")[0] for name, _ in described.arguments] == list(spec.parameters)
    assert all(about for _, about in described.arguments)
    assert described.summary
    assert described.source


def test_a_command_that_is_not_known_is_shown_by_name() -> None:
    assert formula.tex(r"\unheard x") == '<span class="eq"><span class="fn">unheard</span><i>x</i></span>'

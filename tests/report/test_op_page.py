"""The page of an op says all that its records say."""

from __future__ import annotations

import pytest

from oracle.cases import registry
from oracle.cases.spec import Spec
from oracle.dialects.table import dialects_of
from oracle.report.op_page import op_page
from oracle.verdict.waivers import load
from tests.commands import exit_status


@pytest.mark.parametrize("spec", registry.specs().values(), ids=lambda spec: spec.name)
def test_it_names_arguments_axes_rules_and_defects(spec: Spec) -> None:
    lines = op_page(spec).splitlines()
    for name in (*(axis.name for axis in spec.axes), *(dialect.name for dialect in dialects_of(spec.name)),
                 *(waiver.name for waiver in load() if waiver.concerns(spec.name))):
        assert any(line.startswith(f"  {name}: ") for line in lines), name
    for name in spec.parameters:
        assert any(line.split(" = ")[0] == f"  {name}" for line in lines), name


def test_one_op_has_its_page_and_several_a_table(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "list", "SGD") == 0
    assert "nesterov: False, True" in capsys.readouterr().out
    assert exit_status(monkeypatch, "list", "SGD", "Adam") == 0
    assert "nesterov: " not in capsys.readouterr().out

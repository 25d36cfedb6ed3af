"""The commands ``oracle report`` and ``oracle defects``: where pages go, and what cannot be shown."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from oracle.auditing.records import header
from oracle.cases.case import Case
from oracle.cli.app import main
from oracle.report import html, junit, markdown, timings
from oracle.report.digest import Digest
from oracle.targets import numpy_reference
from oracle.truth.evaluate import Outputs
from oracle.verdict.compare import Finding, Verdict
from oracle.verdict.record import summarized
from oracle.verdict.waivers import load as load_waivers
from tests import runs
from tests.report.pages import HEAD, Page, results, small


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(("form", "name", "start"), [
    ("html", "report.html", "<!doctype html>"), ("markdown", "report.md", "# Audit of `torch"),
    ("junit", "report.xml", "<?xml")])
def test_a_report_lies_beside_its_records(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, name: str,
        start: str) -> None:
    folder = runs.write(tmp_path / "run", small().records)
    assert _run(monkeypatch, "report", str(folder), "--format", form) == 0
    assert capsys.readouterr().out == f"report: {folder / name}\n"
    page = (folder / name).read_text(encoding="utf-8")
    assert page.startswith(start)
    assert _run(monkeypatch, "report", str(folder / "records.jsonl"), "--format", form, "--out", "-") == 0
    assert capsys.readouterr().out == page


def test_the_page_says_what_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = runs.write(tmp_path, small().records)
    benchmarks = results(tmp_path / "elsewhere", torch=2.0)
    assert _run(monkeypatch, "report", str(folder), "--benchmarks", str(benchmarks)) == 0
    page = Page((folder / "report.html").read_text(encoding="utf-8")).text
    for part in ("oracle audit --out 'some folder'", HEAD["versions"]["torch"], HEAD["machine"]["processor"], "Speed",
                 *(reason for w in load_waivers() if w.name == "soft-margin-overflow" for reason in [w.reason])):
        assert part in page


@pytest.mark.parametrize("place", [f"run/{timings.FOLDER}", timings.FOLDER])
def test_benchmarks_that_lie_with_a_run_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    folder = runs.write(tmp_path / "run", small().records)
    results(tmp_path / place, torch=2.0)
    assert _run(monkeypatch, "report", str(folder)) == 0
    assert 'id="speed"' in (folder / "report.html").read_text(encoding="utf-8")


def test_defects_go_to_standard_output(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _run(monkeypatch, "defects") == 0
    assert capsys.readouterr().out.startswith("# Defects of torch\n")
    assert _run(monkeypatch, "defects", "--format", "html", "--out", str(tmp_path / "d.html")) == 0
    assert (tmp_path / "d.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def _damaged(**changes: Any) -> str:
    record = json.loads(runs.disagreement("mse_loss/float32/default", "torch:eager").to_json())
    return json.dumps(header([], "cpu")) + "\n" + json.dumps(record | changes) + "\n"


@pytest.mark.parametrize(("text", "message"), [
    (None, "oracle: cannot read "), ("", "is not a record file of this version"), ("{}", "is not a record file"),
    (_damaged(verdict="great"), "line 2: damaged record"), (_damaged(got="0xzz"), "line 2: damaged record"),
    (_damaged(bound=3), "line 2: damaged record"), (_damaged(truth=[]), "line 2: damaged record"),
    (_damaged(waiver=3), "line 2: damaged record"), (_damaged(index=["a"]), "line 2: damaged record"),
    (_damaged(more=1), "line 2: damaged record"), (_damaged(ulp=math.nan), "line 2: damaged record"),
    (_damaged(verdict="within", share="inf"), "line 2: damaged record"),
    (_damaged().replace('"machine": {', '"machine": null, "was": {'), "is not a record file of this version"),
    (_damaged().replace('"cases": {', '"cases": 3, "was": {'), "is not a record file of this version"),
    (_damaged(op=["x"]), "line 2: damaged record"), (_damaged(outputs={"a": ["exact", "b", 1]}), "line 2: damaged")])
@pytest.mark.parametrize("command", ["report", "defects"])
def test_a_file_that_cannot_be_shown_is_one_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str,
        text: str | None, message: str) -> None:
    path = tmp_path / "records.jsonl"
    if text is not None:
        path.write_text(text)
    assert _run(monkeypatch, command, str(path)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_half_a_character_is_shown_as_its_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file name that is no UTF-8 comes as one, in the message of an error."""
    (tmp_path / "records.jsonl").write_text(_damaged(note="\udcff"))
    for form, ending in (("html", "html"), ("markdown", "md"), ("junit", "xml")):
        assert _run(monkeypatch, "report", str(tmp_path), "--format", form) == 0
        assert (tmp_path / f"report.{ending}").read_text(encoding="utf-8")
    finding = Finding("output", Verdict.CRASHED, note="no file \udcff")
    assert summarized("a", "b", "c", "d", [finding]).note == "no file \\udcff"
    finding = replace(finding, note="boom\nsecond  line\u2028third")
    assert summarized("a", "b", "c", "d", [finding]).note == "boom second line third"


def test_a_run_that_ended_early_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    early = Digest(HEAD | {"cases": {"count": 4135}}, small().records)
    said = f"Incomplete: {early.cases:,} of 4,135 cases; go on with oracle audit --resume"
    assert said in markdown.render(early)
    page = html.render(early)
    assert said in Page(page).text
    assert 'class="headline bad"' in page
    root = ElementTree.fromstring(junit.render(early))
    errors = int(ElementTree.fromstring(junit.render(small())).attrib["errors"])
    assert int(root.attrib["errors"]) == errors + 1
    assert [e.attrib["message"] for e in root.iter("error") if e.attrib["type"] == "incomplete"] == [said]
    assert "ncomplete" not in markdown.render(small())


def test_a_case_on_which_the_reference_fails_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(case: Case) -> Outputs:
        raise ZeroDivisionError

    folder = runs.write(tmp_path, [runs.disagreement("mse_loss/float32/default", "torch:eager")])
    monkeypatch.setattr(numpy_reference, "answers", fail)
    assert _run(monkeypatch, "report", str(folder)) == 0


def test_a_folder_without_benchmarks_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = runs.write(tmp_path, small().records)
    (tmp_path / timings.FOLDER).mkdir()
    assert _run(monkeypatch, "report", str(folder)) == 0


def test_bad_places_are_one_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = runs.write(tmp_path, [])
    assert _run(monkeypatch, "report", str(folder), "--out", "/dev/null/x") == 2
    assert capsys.readouterr().err.startswith("oracle: cannot write to /dev/null: ")
    assert _run(monkeypatch, "report", str(folder), "--benchmarks", str(tmp_path / "none")) == 2
    assert capsys.readouterr().err.startswith("oracle: no benchmark results in ")

"""The page shows what the records say, and nothing that a record smuggles in."""

from __future__ import annotations

import base64
import hashlib
import html as html_text
import json
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from oracle.auditing.judge import run_case
from oracle.cases import registry
from oracle.cases.case import parse
from oracle.report import densities, html
from oracle.report.digest import Digest
from oracle.targets.loading import load
from oracle.verdict.record import Record
from tests import runs
from tests.report.pages import HEAD, HOSTILE, SOFT, Page, hostile, sections, small, strangers

pytestmark = pytest.mark.usefixtures("shared_truths")


def test_a_page_nests_and_brings_in_nothing() -> None:
    page = html.render(small())
    assert Page(page).open == []
    assert strangers(page) == []


@pytest.mark.parametrize("planted", [
    "<img src='x'>", "<script>1</script><script>2</script><script>3</script>", "<p onclick='f()'>",
    "<link href='https://fonts.example/x.css'>", "<a href='javascript:f()'>x</a>", "<style></style><style></style>",
    "<style>@import 'x'</style>", "<style>p { background: url(https://x) }</style>"])
def test_what_a_page_should_not_have_is_seen(planted: str) -> None:
    assert strangers(planted)


def test_what_a_record_holds_is_text() -> None:
    page = html.render(Digest(HEAD, hostile()))
    assert strangers(page) == []
    assert HOSTILE in Page(page).text
    assert "49" not in re.findall(r"@someone\S*", page)
    assert not re.search(r"</script>(?=<img)", page)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.S)
    assert data is not None
    assert HOSTILE in json.loads(data[1])


def test_text_that_is_not_escaped_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = html._environment()
    monkeypatch.setattr(environment, "autoescape", False)
    monkeypatch.setattr(environment, "cache", jinja2.utils.LRUCache(1))
    page = html.render(Digest(HEAD, hostile()))
    assert "<img" in page.partition("</head>")[2]


def test_the_policy_names_the_one_script() -> None:
    page = html.render(small())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    script = re.search(r"<script>(.*?)</script>", page, flags=re.S)
    assert policy is not None
    assert script is not None
    allowed = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}'" in html_text.unescape(policy[1])
    assert "default-src 'none'" in html_text.unescape(policy[1])


def test_a_disagreement_is_shown_with_values_cause_and_a_script_that_runs(tmp_path: Path) -> None:
    (eager,) = load(["torch:eager"])
    record = run_case(parse(SOFT), eager, waivers=())
    assert record.fails
    page = html.render(Digest(HEAD, [record]))
    text = Page(page).text
    for part in (SOFT, "Disagreements that no waiver accepts", "soft-margin-overflow: the loss is log(1 + e)"):
        assert part in text
    values = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert values["torch:eager"] in ("inf", "nan")
    assert float(values["reference"]) == pytest.approx(float.fromhex(record.truth or ""), rel=1e-6)
    assert float(values["exact"]) == pytest.approx(float.fromhex(record.truth or ""), rel=1e-8)
    script = re.search(r'<div class="script">.*?<pre>(.*?)</pre>', page, flags=re.S)
    assert script is not None
    path = tmp_path / "script.py"
    path.write_text(html_text.unescape(script[1]), encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"torch {values['torch:eager']}" in done.stdout


def test_a_run_of_another_version_is_shown_without_its_cases() -> None:
    record = runs.disagreement("no_such_loss/float32/shape=3", "nimble:fast")
    page = html.render(Digest({"versions": {"nimble": "9.1"}}, [record, replace(record, waiver="no-such-waiver")]))
    for part in ("nimble 9.1", "Unknown to this version", "this version does not know the case",
                 "This version has no waiver of this name"):
        assert part in page


@pytest.fixture(scope="module")
def many() -> list[Record]:
    """As many records as a full run has."""
    records = runs.made_up(560)
    assert len(records) > 80_000
    return records


@pytest.fixture
def _without_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of plots lie anywhere: how large a page is does not depend on it, and thousands of inputs take long."""
    chance = random.Random(7)
    monkeypatch.setattr(html, "rebuilt", parse)
    monkeypatch.setattr(html, "magnitude", lambda case: case.spec.kind != "init" and 10 ** chance.uniform(-9, 9))


@pytest.mark.usefixtures("_without_inputs")
def test_a_full_run_stays_below_five_megabytes(many: list[Record]) -> None:
    assert len(html.render(Digest(HEAD, many)).encode()) < 5e6


@pytest.mark.usefixtures("_without_inputs")
def test_a_run_in_which_everything_is_wrong_stays_below_five_megabytes(
        monkeypatch: pytest.MonkeyPatch, many: list[Record]) -> None:
    monkeypatch.setattr(html, "DETAILED", 2)  # here the lists count
    monkeypatch.setattr(html, "POINTS", 2)
    wrong = [runs.disagreement(r.case, r.target) for r in many]
    page = html.render(Digest(HEAD, wrong))
    assert len(page.encode()) < 5e6
    assert "in the record file" in page


def test_the_same_records_make_the_same_page() -> None:
    assert html.render(small()) == html.render(small())


def test_each_initializer_has_a_picture_of_what_it_draws_and_none_of_inputs() -> None:
    ops = [spec.name for spec in registry.specs().values() if spec.kind == "init"]
    found = sections(html.render(Digest(HEAD, runs.made_up(2, [*ops, "mse_loss"]))))
    assert list(found) == ["mse_loss", *ops]
    drawn = {op: "and the density that it claims (line)" in section for op, section in found.items()}
    assert [op for op in drawn if drawn[op]] == [op for op in ops if op in {panel.op for panel in densities.PANELS}]
    for panel in densities.PANELS:
        assert densities.svg([panel]) in found[panel.op]
    assert [op for op, section in found.items() if "largest magnitude among the inputs" in section] == ["mse_loss"]


def test_a_plot_of_some_cases_says_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Digest(HEAD, runs.made_up(40, ["mse_loss"]))
    captions = [re.findall(r"<figcaption>(Error against[^<]*)", html.render(one))]
    monkeypatch.setattr(html, "POINTS", 2)
    captions.append(re.findall(r"<figcaption>(Error against[^<]*)", html.render(one)))
    (every,), (some,) = captions
    assert every == "Error against the largest magnitude among the inputs"
    assert re.fullmatch(every + r": \d+ of 40 cases, the worst among them", some)

"""Reports show what the records say, all of it, and nothing that a record smuggles in."""

from __future__ import annotations

import base64
import hashlib
import html as html_text
import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import pytest

from oracle.auditing.judge import run_case
from oracle.auditing.records import header
from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.selection import select
from oracle.cases.spec import Spec
from oracle.cli.app import main
from oracle.dialects.table import DIALECTS
from oracle.report import causes, defects, densities, digest, figures, formula, html, junit, markdown, timings
from oracle.report.digest import Digest
from oracle.targets import numpy_reference
from oracle.targets.loading import Target, load
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.verdict.compare import Finding, Verdict
from oracle.verdict.record import Record, summarized
from oracle.verdict.waivers import load as load_waivers
from tests import runs
from tests.planted import Planted

pytest_plugins = ["pytester"]
HEAD = header(["oracle", "audit"], "cpu")
SOFT = "soft_margin_loss/float32/reduction=none,regime=huge"
HOSTILE = '</script><img src=x onerror="alert(1)">]]>&lt;`|@someone\x07{{ 7 * 7 }}'
ENDING = "adversary"


def hostile() -> list[Record]:
    """Records whose every text is an attempt to be more than text, failing and waived."""
    wrong = replace(runs.disagreement("mse_loss/float32/default", "torch:eager", note=HOSTILE), op=HOSTILE,
                    case=f"{HOSTILE}/{HOSTILE}/{HOSTILE}", target=HOSTILE, dtype=HOSTILE, output=HOSTILE)
    return [wrong, replace(wrong, waiver=HOSTILE), replace(wrong, verdict="unsupported"),
            replace(wrong, verdict="vacuous"), *runs.made_up(3, ["mse_loss"])]


def small() -> Digest:
    """A made-up run of four ops, with one disagreement that no waiver accepts."""
    records = runs.made_up(12, ["mse_loss", "soft_margin_loss", "Adam", "normal_"])
    return Digest(HEAD, [*records, runs.disagreement("mse_loss/float32/default", "torch:module")])


# --- the digest -----------------------------------------------------------------------------------


def test_counts_and_cells_are_those_of_the_records() -> None:
    one = small()
    assert sum(one.counts.values()) == len(one.records)
    assert one.counts["waived"] == sum(r.waiver is not None for r in one.records) > 0
    assert sum(cell.cases for cell in one.cells.values()) == len(one.records)
    assert sum(cell.cases for cell in one.totals.values()) == len(one.records)
    assert [cell.wrong for cell in one.totals.values() if cell.wrong] == [1]
    for (op, target), cell in one.totals.items():
        mine = [r.share for r in one.records if (r.op, r.target, r.verdict) == (op, target, "within")]
        assert cell.worst is not None
        assert cell.worst.share == max(mine)


@pytest.mark.parametrize(("index", "said"), [(None, "output"), ((), "output"), ((0, 2), "output[0, 2]")])
def test_an_element_is_said_as_it_is_indexed(index: tuple[int, ...] | None, said: str) -> None:
    assert digest.where(replace(runs.disagreement(SOFT, "torch:eager"), index=index)) == said


def test_every_disagreement_is_in_one_group() -> None:
    one = small()
    wrong = [r for r in one.records if r.verdict == "exceeds"]
    assert Counter(id(r) for group in [*one.failures, *one.waived] for r in group.records) == Counter(map(id, wrong))
    assert [(g.name, g.waived) for g in one.failures] == [("mse_loss, output: torch:module exceeds", False)]
    assert {g.name for g in one.waived} == {r.waiver for r in wrong} - {None}
    assert all(g.waiver is not None for g in one.waived)


@pytest.mark.parametrize(("records", "sentence"), [
    (lambda r: [], "No unexplained disagreement in 0 verdicts on 0 cases"),
    (lambda r: [r], "1 disagreement that no waiver accepts, in 1 verdicts on 1 cases"),
    (lambda r: [replace(r, waiver="soft-margin-overflow")],
     "No unexplained disagreement in 1 verdicts on 1 cases; 1 are known, and explained")])
def test_the_headline_is_the_result(records: Callable[[Record], list[Record]], sentence: str) -> None:
    one = Digest(HEAD, records(runs.disagreement(SOFT, "torch:eager")))
    assert one.headline == sentence
    assert sentence in html.render(one)
    assert sentence in markdown.render(one)


# --- HTML -----------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """Tags of a page, its text, and whether they nest."""

    VOID = frozenset({"meta", "input", "br", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data


def strangers(page: str) -> list[str]:
    """What a page should not have: tags and handlers of others, anything that is fetched."""
    parsed = _Page(page)
    found = [tag for tag in ("img", "iframe", "object", "embed", "link", "base", "style") if
             parsed.tags[tag] > (tag == "style")]
    found += ["script"] * (parsed.tags["script"] > 2)
    found += [f"{tag} {name}" for tag, name, value in parsed.attributes if name.startswith("on") or name in ("src",
              "srcset", "action") or (name == "href" and not value.startswith("#") and tag != "a")]
    found += [f"href {value}" for tag, name, value in parsed.attributes
              if tag == "a" and name == "href" and not value.startswith(("#", "https://"))]
    found += re.findall(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(", page)
    return found


def test_a_page_nests_and_brings_in_nothing() -> None:
    page = html.render(small())
    assert _Page(page).open == []
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
    assert HOSTILE in _Page(page).text
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
    text = _Page(page).text
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


def test_a_full_run_stays_below_five_megabytes(many: list[Record]) -> None:
    assert len(html.render(Digest(HEAD, many)).encode()) < 5e6


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


# --- causes ---------------------------------------------------------------------------------------


def caused(op: str, answer: Callable[[Case], Outputs], most: int = 150, now: Target | None = None) -> list[str]:
    """The causes named for a target that answers so on the float32 cases of an op; ``now`` is what it does today."""
    target = Planted(answer)
    records = [run_case(case, target) for case in select([op], ["float32"])[:most]]
    failing = [r for r in records if r.fails]
    assert failing
    return [" ".join(cause) for cause in causes.causes(failing, [r for r in records if not r.fails], now or target)]


def _sums_wrong(case: Case) -> Outputs:
    outputs = evaluate(case, FLOATS)
    return {k: 1.25 * v for k, v in outputs.items()} if case.options["reduction"] == "sum" else outputs


def test_a_dialect_is_named_where_a_target_follows_it() -> None:
    inside = DIALECTS["adam-eps-inside"]
    found = caused("Adam", lambda case: evaluate(replace(case, spec=inside(case.spec)), FLOATS))
    assert found == [f"Follows the rule of adam-eps-inside: {inside.difference} ({inside.used_by})"]


def test_a_rule_that_overflows_is_named_for_what_it_may_be() -> None:
    """On this case alone the rule decides nothing: whatever overflows so gives the same."""
    (eager,) = load(["torch:eager"])
    (found,) = causes.causes([run_case(parse(SOFT), eager)], [], eager)
    assert found.what == "May follow the rule of"
    assert found.text.startswith("soft-margin-overflow: the loss is log(1 + e")
    assert caused("soft_margin_loss", eager.run)[0].startswith("Follows the rule of soft-margin-overflow: the loss")


def test_a_rule_of_gradients_is_not_named_where_the_loss_overflows() -> None:
    """So does the reference there, whatever the gradients' rule is."""
    (eager,) = load(["torch:eager"])
    records = [run_case(case, eager) for case in select(["cosine_embedding_loss"], ["float16"])]
    wrong = [r for r in records if (r.verdict, r.output) == ("range", "output")]
    assert wrong
    (found,) = causes.causes(wrong, [r for r in records if not r.fails], eager)
    assert found.what == "Fails"


def test_failures_that_no_dialect_explains_have_their_condition() -> None:
    (found,) = caused("mse_loss", _sums_wrong, most=10_000)
    assert re.fullmatch(r"Fails only with reduction=sum \(\d+ cases that fail beside \d+ that pass\)", found)


def test_a_dialect_is_not_named_for_what_the_target_does_not_do_here() -> None:
    for_now = Planted(lambda case: evaluate(case, FLOATS))
    (found,) = caused("mse_loss", _sums_wrong, most=40, now=for_now)
    assert found.startswith("Not seen again:")


# --- formulas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", registry.specs().values(), ids=lambda spec: spec.name)
def test_every_formula_is_set(spec: Spec) -> None:
    described = formula.describe(spec)
    for part in (described.summary, described.formula, described.source, *(about for _, about in described.arguments)):
        assert _Page(part).open == []
        assert not re.search(r"\\|:math:|``|\$", _Page(part).text), part
    assert [name.partition(" = ")[0] for name, _ in described.arguments] == list(spec.parameters)
    assert all(about for _, about in described.arguments)
    assert described.summary
    assert described.source


def test_a_command_that_is_not_known_is_shown_by_name() -> None:
    assert formula.tex(r"\unheard x") == '<span class="eq"><span class="fn">unheard</span><i>x</i></span>'


# --- plots ----------------------------------------------------------------------------------------


def test_an_error_is_counted_in_its_bar() -> None:
    svg = figures.histogram({"a": [0.0, 0.0, 0.7, 1.0, 1.1, 1e9, math.inf], "none": []}, "a", "b")
    (bars,) = re.findall(r'class="bar s0" d="([^"]*)"', svg)
    step = (figures.WIDTH - 12 - 8) / 24
    places = {round((float(x) - 12) / step): float(h) for x, h in re.findall(r"M([\d.]+) \d+v-([\d.]+)", bars)}
    assert list(places) == [0, 7, 8, 22, 23]  # 0; above 1/2, to 1; to 2; more than there are bins; infinite
    assert places[0] == places[7] == 2 * places[8]
    assert "none" not in svg


def test_points_lie_where_their_figures_say() -> None:
    svg = figures.scatter({"a": [(1.0, 1.0), (0.0, 0.0)], "b": [(1e30, 100.0)]}, [(1.0, math.inf)], "a", "x", "y")
    (one, zero), (far,), (wrong,) = ([(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h0", d)] for d in
                                     re.findall(r'class="dots [^"]*" d="([^"]*)"', svg))
    assert zero[0] < one[0] == wrong[0] < far[0]
    assert wrong[1] < far[1] < one[1] < zero[1]
    assert figures.scatter({"a": [(1.0, 1.0)] * 99}, [], "", "", "").count("h0") == 1


def sections(page: str) -> dict[str, str]:
    """The section on each op, by its name."""
    return dict(re.findall(r'<details class="op" id="op-\d+" data-op="([^"]*)"(.*?)(?=<details class="op"|</section>)',
                           page, flags=re.S))


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


# --- Markdown -------------------------------------------------------------------------------------


def columns(page: str) -> dict[str, set[int]]:
    """For each heading, the numbers of cells that rows of tables below it have."""
    found: dict[str, set[int]] = {}
    heading = ""
    for line in page.splitlines():
        heading = line if line.startswith("#") else heading
        if line.startswith("| ") or line.startswith("|--"):
            found.setdefault(heading, set()).add(len(re.findall(r"(?<!\\)\|", line)))
    return found


def test_markdown_has_tables_whose_rows_fit() -> None:
    for page in (markdown.render(small()), markdown.render(Digest(HEAD, hostile()))):
        assert all(len(widths) == 1 for widths in columns(page).values()), columns(page)
        assert "## Closest to the bound, op by op" in page
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
    assert "## Closest to the bound, op by op" in page
    assert page.count("<details>") == page.count("</details>")


# --- JUnit ----------------------------------------------------------------------------------------


def _shape(root: ElementTree.Element) -> set[tuple[str, str]]:
    """Elements with their parents, and elements with their attributes."""
    shape: set[tuple[str, str]] = set()
    for parent in root.iter():
        shape |= {(parent.tag, f"/{child.tag}") for child in parent} | {(parent.tag, name) for name in parent.attrib}
    return shape


def test_junit_uses_only_what_pytest_itself_writes(pytester: pytest.Pytester) -> None:
    """What CI systems read is what the most used of test runners writes."""
    pytester.makepyfile("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\n"
                        "def test_c(): pass\n@pytest.fixture\ndef broken(): raise OSError\ndef test_d(broken): pass")
    pytester.runpytest_inprocess("--junitxml=theirs.xml", "-p", "no:cacheprovider")
    theirs = _shape(ElementTree.parse(pytester.path / "theirs.xml").getroot())
    # `type` of a failure is in the schema of JUnit; pytest has it on what is skipped alone.
    theirs |= {("failure", "type"), ("error", "type")}
    theirs |= {("testsuites", name) for element, name in theirs if element == "testsuite" and "/" not in name}
    crash = replace(runs.disagreement("Adam/float32/default", "torch:eager"), verdict="crashed")
    ours = ElementTree.fromstring(junit.render(Digest(HEAD, [*small().records, crash])))
    assert _shape(ours) - theirs == set()
    assert {("testcase", "/failure"), ("testcase", "/error"), ("testcase", "/skipped")} <= _shape(ours)
    assert _shape(ElementTree.fromstring("<testsuites><test/></testsuites>")) - theirs


def test_junit_counts_are_those_of_the_records() -> None:
    one = small()
    root = ElementTree.fromstring(junit.render(one))
    skipped = sum(one.counts[name] for name in ("waived", "unsupported", "vacuous", "undecided"))
    assert root.attrib == {"name": "torch-oracle", "tests": str(len(one.records)), "failures": "1", "errors": "0",
                           "skipped": str(skipped)}
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        assert sum(int(suite.attrib[name]) for suite in root) == len(list(root.iter(tag))) == int(root.attrib[name])
    (failure,) = root.iter("failure")
    assert "got nan, truth 1.5" in (failure.text or "")


def test_junit_holds_any_text() -> None:
    root = ElementTree.fromstring(junit.render(Digest(HEAD, hostile())))
    (failure,) = root.iter("failure")
    assert HOSTILE.replace("\x07", "\ufffd") in failure.attrib["message"]


# --- defects --------------------------------------------------------------------------------------


def test_defects_are_the_waivers_of_the_framework_alone() -> None:
    records = runs.made_up(40, ["soft_margin_loss", "Adam"])
    found = defects.defects([Digest(HEAD, records)])
    assert [d.waiver.name for d in found] == [w.name for w in load_waivers() if w.target.startswith("torch")]
    assert not any(d.waiver.target == "*" for d in found)
    seen = next(d for d in found if d.waiver.name == "soft-margin-overflow")
    count = sum(r.waiver == "soft-margin-overflow" for r in records)
    assert count > 0
    assert seen.size == f"NaN instead of a number in {count} verdicts"
    assert (seen.ops, seen.versions) == (["soft_margin_loss"], (HEAD["versions"]["torch"],))
    assert "import torch" in seen.examples[0].script
    for page in (markdown.defects_page(found, "torch"), html.defects_page(found, "torch")):
        assert strangers(page) == []
        for d in found:
            assert d.waiver.name in page
            assert all(link.removeprefix("https://github.com/") in page for link in d.links)
    assert columns(markdown.defects_page(found, "torch")) == {"# Defects of torch": {7}}


def test_every_waiver_names_an_op_that_there_is() -> None:
    assert all(d.ops for d in defects.defects([]))


def test_defects_of_two_versions_are_told_apart() -> None:
    record = runs.disagreement(SOFT, "torch:eager", waiver="soft-margin-overflow")
    digests = [Digest({"versions": {"torch": version}}, [record]) for version in ("2.5", "2.13")]
    seen = next(d for d in defects.defects(digests) if d.versions)
    assert (seen.versions, len(seen.group.records)) == (("2.5", "2.13"), 2)


# --- benchmarks -----------------------------------------------------------------------------------


def timed(kind: str, op: str, target: str, n: int, median: float) -> dict[str, Any]:
    """One benchmark as pytest-benchmark writes it, in so far as it is read."""
    return {"extra_info": {"kind": kind, "op": op, "part": "part", "target": target, "n": n, "threads": 1},
            "stats": {"median": median}}


def results(folder: Path, *, torch: float, machine: dict[str, Any] | None = None) -> Path:
    """Benchmarks in which torch takes so many times as long as the reference, and Adam fused the double of it.

    With 10,000 elements it is four times as much.
    """
    folder.mkdir(exist_ok=True, parents=True)
    times = {("loss", "mse_loss", "torch:eager"): torch, ("optim", "Adam", "torch:eager"): torch,
             ("optim", "Adam", "torch:fused"): 2 * torch, ("draw", "randint", "torch:eager"): torch}
    document = {"machine_info": machine or {}, "benchmarks": [
        timed(kind, op, one, n, median * (4 if one != "reference" and n == 10_000 else 1))
        for (kind, op, target), ratio in times.items() for n in (100, 10_000)
        for one, median in (("reference", 2.0), (target, 2.0 * ratio))]}
    (folder / "threads-1.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def speeds(page: str) -> dict[str, tuple[list[tuple[str, str]], str]]:
    """Dots of each line of the plot (their places, and what they are), and the mean at its end."""
    lines = re.findall(r'<div class="speed (?:mean)?"[^>]*><span>([^<]*)</span>(.*?)<b>([^<]*)</b>', page, flags=re.S)
    return {name: (re.findall(r'left:([\d.]+)%" title="([^"]*)"', dots), mean) for name, dots, mean in lines}


def test_benchmarks_are_a_dot_for_each_target_and_size(tmp_path: Path) -> None:
    found = speeds(html.render(small(), timings.read(results(tmp_path, torch=2.0))))
    assert list(found) == ["All", "Losses", "mse_loss", "Optimizers", "Adam", "Draws", "randint"]
    # Ten percent of a track are a factor of two. The reference is faster to the right of the middle.
    assert found["mse_loss"] == ([("60.0", "torch:eager, n = 100: 2.00"), ("80.0", "torch:eager, n = 10,000: 8.00")],
                                 "4.00")
    assert found["Adam"] == found["Optimizers"] == (
        [("60.0", "torch:eager, n = 100: 2.00"), ("70.0", "torch:fused, n = 100: 4.00"),
         ("80.0", "torch:eager, n = 10,000: 8.00"), ("90.0", "torch:fused, n = 10,000: 16.00")], "5.66")  # 4 sqrt(2)
    assert found["All"] == ([("62.5", "all targets, n = 100: 2.38"), ("82.5", "all targets, n = 10,000: 9.51")],
                            "4.76")  # four rows of 2, 2, 4, 2: 2^(5/4); times 4; and between them 2^(9/4)
    assert 'id="speed"' not in html.render(small())


def test_the_section_of_an_op_has_the_mean_of_its_parts_and_sizes(tmp_path: Path) -> None:
    results(tmp_path, torch=2.0)
    path = tmp_path / "threads-1.json"
    document = json.loads(path.read_text())
    for one in [b for b in document["benchmarks"] if b["extra_info"]["op"] == "Adam"]:
        times = 9 if one["extra_info"]["target"] == "torch:eager" else 1
        document["benchmarks"].append({"extra_info": one["extra_info"] | {"part": "other"},
                                       "stats": {"median": times * one["stats"]["median"]}})
    path.write_text(json.dumps(document))
    section = sections(html.render(small(), timings.read(tmp_path)))["Adam"]
    # 2 and 8 of the one part, 18 and 72 of the other
    assert re.search(r"<code>torch:eager</code> 12.00,\s+<code>torch:fused</code> 8.00", section), section[-500:]


def test_benchmarks_of_another_version_are_told_from_the_run(tmp_path: Path) -> None:
    ours = HEAD["versions"]["torch"]
    for version, said in ((ours, ""), ("1.2.3", f"The run is one of torch {ours}.")):
        read = timings.read(results(tmp_path, torch=2.0, machine={"torch": version, "cpu": {"brand_raw": "a CPU"}}))
        text = _Page(html.render(small(), read)).text
        assert f"Measured with torch {version}, a CPU. {said}" in text
        assert ("The run is one of" in text) == bool(said)


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": [{}]}', '{"benchmarks": 3}'])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no result of the benchmarks"):
        timings.read(tmp_path)


# --- the commands ---------------------------------------------------------------------------------


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
    page = _Page((folder / "report.html").read_text(encoding="utf-8")).text
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
    assert said in _Page(page).text
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


def test_registry_and_kinds_agree() -> None:
    assert {spec.kind for spec in registry.specs().values()} < set(digest.KINDS)

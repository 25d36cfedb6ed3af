"""The report in a real browser, without a network: it renders, filters work, nothing is fetched, nothing complains.

Skipped where Playwright or a Chromium is missing (Debian: package chromium).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.auditing.records import header
from oracle.report import html, timings
from oracle.report.digest import Digest
from tests import runs

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome")

WRONG = "mse_loss/float32/reduction=sum"


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu",
                                                                        "--disable-background-networking"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five ops with a disagreement that no waiver accepts, and benchmarks."""
    records = runs.made_up(25, ["mse_loss", "soft_margin_loss", "Adam", "RAdam", "normal_"])
    records += [replace(r, target="torch:differentiable") for r in records if r.target == "torch:fused"]
    records.append(runs.disagreement(WRONG, "torch:module", note="<b>planted</b>"))
    columns = {timings.Column(100, 1): 1.5, timings.Column(10, 1): 99.0}
    ratios = {timings.Row(kind, op, "forward", "torch:eager"): columns
              for kind, op in (("loss", "mse_loss"), ("optim", "Adam"), ("draw", "randint"))}
    path = tmp_path_factory.mktemp("report") / "report.html"
    digest = Digest(header(["oracle", "audit"], "cpu"), records)
    path.write_text(html.render(digest, timings.Timings(ratios)), encoding="utf-8")
    return path


class Tab:
    """An open page, with all that it asked for and complained of."""

    def __init__(self, browser: playwright.Browser, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def ops(self) -> list[str]:
        """The ops that the map shows."""
        return self.page.locator("#map tr[data-op] th").filter(visible=True).all_inner_texts()

    def shown(self, selector: str) -> int:
        """How many elements can be seen."""
        return self.page.locator(selector).filter(visible=True).count()

    def choose(self, label: str) -> None:
        """Press a filter."""
        self.page.locator(".chips button", has_text=label).first.click()

    def search(self, text: str) -> None:
        """Type into the search box, and wait for what it does."""
        self.page.fill("#search", text)
        self.page.wait_for_timeout(250)


@pytest.fixture
def tab(browser: playwright.Browser, report: Path) -> Iterator[Tab]:
    tab = Tab(browser, report)
    tab.page.locator(".filters .more > summary").click()
    yield tab
    assert tab.complaints == []
    assert tab.requests == [report.as_uri()]
    tab.context.close()


ALL = ["mse_loss", "soft_margin_loss", "Adam", "RAdam", "normal_"]


def test_it_renders(tab: Tab) -> None:
    assert tab.page.title().startswith("Audit of torch ")
    assert tab.ops() == ALL
    assert tab.shown("#failures .example") == 1
    assert "<b>planted</b>" in tab.page.locator("#failures .note").first.inner_text()
    assert tab.shown("details.op") == len(ALL)


def test_a_kind_narrows_map_ops_and_disagreements(tab: Tab) -> None:
    tab.choose("Optimizers")
    assert tab.ops() == ["Adam", "RAdam"]
    assert tab.page.locator("#shown").inner_text() == f"2 of {len(ALL)} ops"
    assert tab.shown("details.op") == 2
    assert tab.shown("#failures") == 0
    assert tab.page.locator(".speed > span").filter(visible=True).all_inner_texts() == [
        "All", "Optimizers", "Adam", "Draws", "randint"]
    assert 0 < tab.shown("#waived > .group") < tab.page.locator("#waived > .group").count()
    tab.choose("Initializers")
    assert tab.ops() == ["Adam", "RAdam", "normal_"]
    tab.choose("Optimizers")
    tab.choose("Initializers")
    assert tab.ops() == ALL
    assert tab.page.locator("#shown").inner_text() == ""
    assert tab.shown("#failures") == 1


def test_a_storage_type_changes_the_numbers(tab: Tab) -> None:
    cell = tab.page.locator("tr[data-op=mse_loss] td[data-target='torch:module']")
    assert cell.locator(".wrong").inner_text() == "1 wrong"
    before = tab.page.locator("#map .cell b").all_inner_texts()
    tab.choose("float64")
    assert cell.locator(".wrong").count() == 0
    assert tab.page.locator("#map .cell b").all_inner_texts() != before
    assert tab.shown("#failures") == 0
    tab.choose("float64")
    assert tab.page.locator("#map .cell b").all_inner_texts() == before


def test_a_verdict_leaves_what_has_it(tab: Tab) -> None:
    tab.choose("exceeds")
    assert tab.ops() == ["mse_loss"]
    assert tab.page.locator("tr[data-op=mse_loss] td[data-target]:not(.off)").count() == 1
    assert tab.shown("#failures .group") == 1
    tab.choose("exceeds")
    tab.choose("waived")
    assert set(tab.ops()) == {"soft_margin_loss", "Adam", "RAdam"}


def test_search_finds_ops_cases_and_reasons(tab: Tab) -> None:
    tab.search("ADAM")
    assert "Adam" in tab.ops()
    assert "normal_" not in tab.ops()
    tab.search(WRONG)
    assert tab.ops() == ["mse_loss"]
    assert tab.shown("#failures .group") == 1
    tab.search("overflows")
    assert tab.ops() == ["soft_margin_loss"]
    tab.search("nothing like this")
    assert tab.ops() == []
    assert tab.page.locator(".nothing").is_visible()
    tab.search("")
    assert tab.ops() == ALL


def test_a_name_in_the_map_opens_the_op(tab: Tab) -> None:
    tab.page.locator("#map").get_by_role("link", name="RAdam", exact=True).click()
    op = tab.page.locator("details.op[data-op=RAdam]")
    playwright.expect(op).to_have_attribute("open", "")
    assert op.locator("svg").filter(visible=True).count() == 3
    assert op.locator(".formula .frac").first.is_visible()
    sign, inside = op.locator(".root:has(.frac)").first.evaluate(
        "root => [...root.children].map((one) => [one.getBoundingClientRect().top, one.offsetHeight])")
    assert sign == inside  # a root over a fraction is as high as it


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_an_initializer_has_the_colours_of_the_page(browser: playwright.Browser, report: Path,
                                                                   scheme: str) -> None:
    tab = Tab(browser, report, scheme=scheme)
    tab.page.evaluate("document.querySelector('details.op[data-op=normal_]').open = true")
    colours = """() => {
      const svg = [...document.querySelectorAll("svg")].find((one) => one.querySelector("polyline"));
      const of = (element, name) => getComputedStyle(element)[name];
      const dot = document.querySelector(".legend i.t1");
      return [of(svg.querySelector("polyline"), "stroke"), of(svg.querySelector("text"), "fill"),
              of(svg.querySelector("path"), "fill"), of(document.body, "color"), of(dot, "backgroundColor")];
    }"""
    line, letters, bars, ink, accent = tab.page.evaluate(colours)
    assert (line, letters, bars) == (ink, ink, accent)
    tab.context.close()


def test_a_script_can_be_copied(tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.page.locator("#failures .example details summary", has_text="Script").first.click()
    tab.page.locator("#failures .copy").first.click()
    playwright.expect(tab.page.locator("#failures .copy").first).to_have_text("Copied")
    assert f"# {WRONG} on torch:module" in tab.page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 820, 1600])
def test_it_fits_every_screen_and_can_be_read(browser: playwright.Browser, report: Path, width: int,
                                              scheme: str) -> None:
    tab = Tab(browser, report, width, scheme)
    tab.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.page.evaluate(COLLIDING) == []
    faint = tab.page.evaluate(CONTRAST)
    assert faint == [], faint
    assert tab.complaints == []
    tab.context.close()


#: Names over columns that leave the screen or run into the next.
COLLIDING = """() => {
  const colliding = [];
  const box = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect();
  };
  for (const row of document.querySelectorAll("thead tr, .speed.head")) {
    const names = [...row.children].filter((one) => one.checkVisibility() && one.textContent.trim());
    names.forEach((one, k) => {
      const end = k + 1 < names.length ? box(names[k + 1]).left : row.getBoundingClientRect().right + 1;
      if (box(one).right > end) colliding.push(one.textContent.trim());
    });
  }
  return colliding;
}"""

#: Texts of a map's cells, of headings and notes whose contrast with what is behind them is below 4.5 (WCAG, AA).
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (rgb(color)[3] > 250) return color;
    }
    return "white";
  };
  const faint = [];
  const texts = ".cell b, .cell small, .lead, .headline, h1, h2, .reason, .verdict, dt, dd, .name, .note, .source, a";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.checkVisibility() || element instanceof SVGElement) continue;
    const [one, other] = [getComputedStyle(element).color, behind(element)].map(rgb).map(luminance);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) faint.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(faint)];
}"""


def test_a_page_that_fetches_or_complains_would_be_seen(browser: playwright.Browser, report: Path,
                                                        tmp_path: Path) -> None:
    page = report.read_text(encoding="utf-8")
    planted = tmp_path / "planted.html"
    planted.write_text(page.replace("</main>", "<img src='https://example.invalid/x.png'><script>alert(1)</script></main>"),
                       encoding="utf-8")
    tab = Tab(browser, planted)
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)
    tab.context.close()
    planted.write_text(page.replace("default-src 'none'; style-src", "style-src").replace("img-src data:;", "").replace(
        "</main>", "<img src='https://example.invalid/x.png'></main>"), encoding="utf-8")
    tab = Tab(browser, planted)
    assert any("example.invalid" in request for request in tab.requests)
    tab.context.close()

"""Defects of a framework are its waivers, with what runs show of them."""

from __future__ import annotations

from oracle.report import defects, html, markdown
from oracle.report.digest import Digest
from oracle.report.harm import harm_of
from oracle.verdict.waivers import load as load_waivers
from tests import runs
from tests.report.pages import HEAD, SOFT, columns, strangers


def test_defects_are_the_waivers_of_the_framework_alone() -> None:
    records = runs.made_up(40, ["soft_margin_loss", "Adam"])
    found = defects.defects([Digest(HEAD, records)])
    known = [w.name for w in load_waivers() if w.target.startswith("torch")]
    assert sorted(d.waiver.name for d in found) == sorted(known)
    assert [d.waiver.name for d in defects.defects([])] == known, "none is seen to do more than another"
    order = [harm_of(d.group.records) for d in found]
    assert order == sorted(order)
    assert order[0] < order[-1]
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
    assert columns(markdown.defects_page(found, "torch")) == {"# Defects of torch": {8}}


def test_every_waiver_names_an_op_that_there_is() -> None:
    assert all(d.ops for d in defects.defects([]))


def test_defects_of_two_versions_are_told_apart() -> None:
    record = runs.disagreement(SOFT, "torch:eager", waiver="soft-margin-overflow")
    digests = [Digest({"versions": {"torch": version}}, [record]) for version in ("2.5", "2.13")]
    seen = next(d for d in defects.defects(digests) if d.versions)
    assert (seen.versions, len(seen.group.records)) == (("2.5", "2.13"), 2)

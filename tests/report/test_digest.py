"""A digest counts and groups all that the records say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from oracle.cases import registry
from oracle.report import digest, html, markdown, table
from oracle.report.digest import Digest
from oracle.verdict.record import Record
from tests import runs
from tests.report.pages import HEAD, SOFT, small


def test_counts_and_cells_are_those_of_the_records() -> None:
    one = small()
    assert sum(one.counts.values()) == len(one.records)
    assert one.counts["waived"] == sum(r.waiver is not None for r in one.records) > 0
    assert sum(cell.cases for cell in one.cells.values()) == len(one.records)
    assert sum(cell.cases for cell in one.totals.values()) == len(one.records)
    assert [cell.wrong for cell in one.totals.values() if cell.wrong] == [1]
    for (op, target), cell in one.totals.items():
        mine = [r for r in one.records if (r.op, r.target, r.verdict) == (op, target, "within")]
        assert cell.most_share is not None
        assert cell.most_share.share == max(r.share for r in mine)
        assert cell.most_ulp is not None
        assert cell.most_ulp.ulp == max(r.ulp for r in mine)


def test_the_largest_error_may_be_that_of_another_case_than_the_largest_share() -> None:
    near = Record("a/float32/default", "a", "float32", "torch", "within", 3.94, 0.9,
                  outputs={"output": ("within", 3.94, 0.9)})
    far = replace(near, case="a/float32/b=1", ulp=38.08, share=0.2, outputs={"output": ("within", 38.08, 0.2)})
    (cell,) = digest.Digest({}, [near, far]).totals.values()
    assert (cell.most_ulp, cell.most_share) == (far, near)
    assert str(table.cell([near, far])) == "38.1 ulp; 0.90"


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


def test_registry_and_kinds_agree() -> None:
    assert {spec.kind for spec in registry.specs().values()} < set(digest.KINDS)

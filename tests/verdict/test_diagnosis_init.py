"""Each dialect of an initializer is told by its name from its distribution alone, and no other is."""

from __future__ import annotations

import numpy as np
import pytest

import oracle
from oracle.cases.selection import select
from oracle.checking import choice
from oracle.dialects.table import DIALECTS, dialects_of
from oracle.truth.claims import CLAIMS
from oracle.verdict.distribution import claim_of
from tests.verdict.plain_init import PLAIN

#: What differs in the stream alone.
SAME = {"sparse-own-generator"}


def test_every_dialect_of_a_random_initializer_says_how_it_is_distributed() -> None:
    told = {name for name, dialect in DIALECTS.items() if dialect.claims is not None}
    assert told == {dialect.name for op in CLAIMS for dialect in dialects_of(op)}
    assert told - SAME == set(PLAIN)


@pytest.mark.parametrize("name", sorted(SAME))
def test_what_differs_in_the_stream_alone_has_the_distribution_of_torchs(name: str) -> None:
    dialect = DIALECTS[name]
    assert dialect.claims is not None
    for case in select([dialect.op], ["float32"], around=False):
        assert claim_of(case, dialect.claims) == claim_of(case, CLAIMS[dialect.op])


@pytest.mark.parametrize("name", PLAIN)
def test_a_dialect_with_a_stream_of_its_own_is_told_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 2000)
    report = oracle.check(DIALECTS[name].op, PLAIN[name], framework="numpy", stream=False, dtypes=["float32"])
    assert report.failures
    assert not [r for r in report.records if r.verdict == "crashed"], str(report)
    assert [match.dialect.name for match in report.diagnosis.matches] == [name], str(report.diagnosis)
    (match,) = report.diagnosis.matches
    assert match.explained == match.of == sum("@" not in record.case for record in report.failures)


def test_another_mistake_has_no_name() -> None:
    def wide(tensor: np.ndarray, gain: float = 1.0) -> np.ndarray:  # type: ignore[type-arg]
        return np.multiply(PLAIN["xavier-normal-truncated"](tensor, gain), 1.2, out=tensor)

    report = oracle.check("xavier_normal_", wide, framework="numpy", stream=False, dtypes=["float32"])
    assert report.failures
    assert not report.diagnosis.matches

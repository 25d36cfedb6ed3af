"""Formulas evaluated block by block: blocks of a few elements give answers within the bounds, as whole arrays do."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from oracle.auditing.judge import run_case
from oracle.cases import registry
from oracle.cases.spec import LossSpec, Spec
from oracle.truth.evaluate import FLOATS, evaluate
from oracle.verdict.compare import Verdict
from reference import blocks
from reference.blocks import map_blocks
from tests.meta.harness import Planted, shipped, truths

#: One in so many of the shipped cases: neighbours differ little.
STRIDE = 9


def in_blocks(spec: Spec) -> bool:
    """Does its own module, an optimizer's too, cut arrays itself?"""
    return any(value is blocks.blocks for value in vars(sys.modules[spec.implementation.__module__]).values())


OPS = [name for name, spec in registry.specs().items() if isinstance(spec, LossSpec) or in_blocks(spec)]


@pytest.mark.parametrize("size", [4, 11])  # a row, and mostly two or three
@pytest.mark.parametrize("op", OPS)
def test_small_blocks_give_answers_within_bounds(op: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = shipped(op)[::STRIDE]
    proven = [truths(case) for case in cases]  # in one block
    monkeypatch.setattr(blocks, "BLOCK", size)
    target = Planted("reference", lambda case: evaluate(case, FLOATS))
    flagged = [record for case, truth in zip(cases, proven, strict=True)
               for record in [run_case(case, target, truths=truth)] if Verdict(record.verdict).disagrees]
    assert flagged == []


def test_blocks_come_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 7)
    x, column, row = np.arange(21.0).reshape(7, 3), np.arange(7.0)[:, None], np.array([1.0, 2.0, 4.0])
    product, sums = map_blocks(lambda x, c, r: (x * c + r, x.sum(1)), x, column, row)
    np.testing.assert_array_equal(product, x * column + row)
    np.testing.assert_array_equal(sums, x.sum(1))

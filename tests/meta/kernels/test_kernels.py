"""Planted kernels: a wrong one is found wrong in the surroundings that are its cause, and a right one passes."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from oracle.verdict.compare import Verdict
from oracle.verdict.diagnosis import diagnose

from . import (
    right_losses,
    right_optim,
    wrong_init,
    wrong_layout_losses,
    wrong_layout_optim,
    wrong_ownership,
    wrong_size_losses,
    wrong_size_optim,
    wrong_time,
)
from .kernel import LAYOUT, OWNERSHIP, SIZE, TIME, Kernel, judged

WRONG = [kernel for family in (wrong_size_optim, wrong_size_losses, wrong_layout_optim, wrong_layout_losses, wrong_time,
                               wrong_ownership, wrong_init) for kernel in family.WRONG]
RIGHT = [*right_optim.RIGHT, *right_losses.RIGHT]


@pytest.mark.parametrize("kernel", RIGHT, ids=str)
def test_right_one_passes(kernel: Kernel) -> None:
    records = [seen.record for seen in judged(kernel)]
    assert [record for record in records if record.fails or record.fault] == []
    assert any(record.sound for record in records)


@pytest.mark.parametrize("kernel", WRONG, ids=str)
def test_wrong_one_fails_where_its_cause_is(kernel: Kernel) -> None:
    asked = [seen for seen in judged(kernel) if seen.record.verdict != Verdict.UNSUPPORTED]
    failing, passing = ([seen for seen in asked if seen.record.fails is fails] for fails in (True, False))
    assert failing, f"nothing catches {kernel.name}: {kernel.about}"
    if kernel.around:
        assert [seen.case.id for seen in failing if not re.search(kernel.around, seen.case.id)] == []
        assert any(seen.record.sound and not seen.case.around for seen in passing)
        assert re.search(kernel.says, str(diagnose(failing, passing)))
    else:
        assert any(not seen.case.around and re.search(kernel.says, seen.record.note) for seen in failing)


def test_there_are_kernels_of_each_kind() -> None:
    """Mistakes in both frameworks, and for each kind of op that has its kind of mistake."""
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 30
    counts = Counter((kernel.kind, kernel.framework) for kernel in WRONG)
    assert min(counts[kind, framework] for kind in (SIZE, LAYOUT, TIME, OWNERSHIP)
               for framework in ("numpy", "torch")) >= 5, counts
    names = [str(kernel) for kernel in (*WRONG, *RIGHT)]
    assert len(set(names)) == len(names)
    assert all(kernel.about.endswith(".") for kernel in (*WRONG, *RIGHT))

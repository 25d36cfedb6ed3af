"""The order of defects: what hits every user comes first, what is done with NaN last."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from oracle.report.harm import harm_of, who_is_hit
from oracle.verdict.record import Record
from tests import runs


def _record(case_id: str, target: str = "torch:eager", *, got: float = 2.0, ulp: float = 1e9,
            verdict: str = "exceeds", truth: float = 1.5) -> Record:
    return replace(runs.disagreement(case_id, target, verdict=verdict), got=got.hex(), truth=truth.hex(), ulp=ulp)


IN_ORDER = [
    [_record("mse_loss/float32/default", got=math.nan, ulp=math.inf)],
    [_record("mse_loss/float32/default", ulp=1e6)],
    [_record("mse_loss/float32/default", ulp=1e3)],
    [_record("SGD/float32/steps=2", "torch:fused")],
    [_record("SGD/float32/steps=2", "torch:fused", ulp=1e3)],
    [_record("SGD/bfloat16/steps=2,momentum=0.9@size=16", "torch:fused")],
    [_record("SGD/float32/steps=2,momentum=0.9@size=33x17,memory=strided", "torch:fused")],
    [_record("mse_loss/float32/default", verdict="crashed", ulp=math.inf)],
    [_record("mse_loss/float32/default", truth=math.inf)],
    [_record("mse_loss/float32/regime=nan", got=math.nan)],
]


def test_the_worst_comes_first() -> None:
    assert sorted((IN_ORDER[i] for i in (4, 9, 8, 0, 6, 2, 7, 5, 3, 1)), key=harm_of) == IN_ORDER
    assert harm_of([]) > max(map(harm_of, IN_ORDER))


def test_a_defect_is_as_bad_as_the_worst_record_of_it() -> None:
    for first, second in itertools.pairwise(IN_ORDER):
        assert harm_of([*second, *first]) == harm_of(first)


@pytest.mark.parametrize("size", ["16", "4x4", ""])
def test_a_larger_case_is_no_less_ordinary(size: str) -> None:
    around = f"@size={size}" if size else ""
    one, other = (f"SGD/float32/start=zero,steps={steps}" for steps in (1, 2))
    assert harm_of([_record(one)]) == harm_of([_record(other + around)])


def test_who_is_hit_is_said_where_not_all_are() -> None:
    sized = [_record(f"SGD/{dtype}/steps=2,momentum=0.9@size={n}", "torch:fused")
             for dtype, n in [("float16", "33"), ("bfloat16", "16")]]
    assert who_is_hit(sized) == ["float16, bfloat16", "torch:fused", "from 16 elements on"]
    assert who_is_hit([*sized, _record("SGD/float16/steps=2")]) == ["float16, bfloat16", "torch:fused, torch:eager"]
    turned = [_record("SGD/float32/steps=2,momentum=0.9@size=33x17,memory=transposed:gradient")]
    assert who_is_hit(turned)[-1] == "where the gradient is transposed"
    loaded = [_record("SGD/float32/steps=2,momentum=0.9@event=load")]
    assert who_is_hit(loaded)[-1] == "after load_state_dict"

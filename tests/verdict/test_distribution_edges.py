"""oracle.verdict.distribution where numbers end: far tails, constants, what is infinite, subnormal or empty."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from oracle.cases.selection import select
from oracle.checking import choice
from oracle.checking.check import check
from oracle.truth.claims import CLAIMS, Claim
from oracle.truth.laws import Law, law_of
from oracle.verdict.distribution import claim_of, judge_draws

Array = np.ndarray[Any, Any]

TAILS = [(20.0, 1.0, -0.04, 0.04), (-20.0, 1.0, -0.04, 0.04), (40.0, 1.0, -1.0, 1.0), (1e8, 1.0, -1.0, 1.0),
         (0.0, 1.0, 10.0, math.inf), (0.0, 1.0, -math.inf, -10.0), (0.0, 1.0, -2.0, 2.0), (0.0, 3e38, -2.0, math.inf),
         (0.0, 1e200, -2.0, 2.0), (0.0, 1.0, 1.0, 1.0 + 1e-12), (0.0, 1.0, 5e-324, 1e-320),
         (0.0, 1e-310, -1e-310, 1e-309)]


@pytest.mark.parametrize(("mean", "std", "low", "high"), TAILS)
def test_the_law_in_a_tail_is_that_of_many_digits(mean: float, std: float, low: float, high: float) -> None:
    law = law_of(Claim.truncated(mean, std, low, high))
    assert isinstance(law, Law)
    y = np.array([0.0, 0.01, 0.1, 0.5, 0.9, 1.0])
    with mpmath.workdps(60 if (high - low) / std > 1e-40 else 750):
        def mass(a: Any, b: Any) -> Any:
            """From the side of the mean on which nothing cancels."""
            a, b = ((mpmath.mpf(v) - mean) / std for v in (a, b))
            if a + b > 0:
                a, b = -b, -a
            return mpmath.ncdf(b) - mpmath.ncdf(a)

        places = [mpmath.mpf(law.origin) + mpmath.mpf(v) * law.unit for v in y]
        exact = [float(min(mass(low, place) / mass(low, high), 1)) for place in places]
    np.testing.assert_allclose(law.below(y), exact, rtol=0, atol=law.error + 1e-12)
    assert law.error < 1e-6


def _exponential_tail(seed: int, scale: float = 1.0) -> Array:
    """Normal numbers at 20 standard deviations below their mean, within [-0.04, 0.04], by rejection."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.04, 0.04, 200_000)
    accepted = rng.random(x.size) < np.exp(((x - 20 * scale) ** 2 - (0.04 - 20 * scale) ** 2) / -2)
    return x[accepted][:40_000]


def test_draws_in_a_far_tail_are_told_from_others() -> None:
    claim = Claim.truncated(20.0, 1.0, -0.04, 0.04)
    for seed in range(20):
        assert judge_draws([_exponential_tail(seed)], claim) == []
        assert judge_draws([_exponential_tail(seed, 1.2)], claim)
        assert judge_draws([np.random.default_rng(seed).uniform(-0.04, 0.04, 40_000)], claim)


def _inputs(shape: tuple[int, ...], dtype: str) -> Iterator[Array]:
    rng = np.random.default_rng(0)
    for values in ([0.0], [1.0], [math.inf], [-math.inf], [math.nan], [math.inf, -math.inf, 0.0, 1.0, 3e38],
                   [np.finfo(dtype).max], [np.finfo(dtype).smallest_subnormal], rng.normal(size=997)):
        yield np.resize(np.array(values, dtype), shape)


HOSTILE = [Claim.normal(0.0), Claim.normal(0.0, 3.0), Claim.normal(5e-324), Claim.normal(1e299),
           Claim.uniform(1.0, 1.0), Claim.uniform(0.0, 5e-324), Claim.uniform(-8e307, 8e307),
           Claim.truncated(0.0, 0.0, -1.0, 1.0), Claim.truncated(5.0, 0.0, -1.0, 1.0),
           Claim.truncated(0.0, 1.0, 2.0, 2.0),
           Claim.truncated(1e300, 1e-300, -1.0, 1.0), Claim.truncated(0.0, 1.0, -math.inf, math.inf),
           Claim.truncated(0.0, math.inf, -1.0, 1.0), Claim.orthogonal(0.0), Claim.orthogonal(1e-200),
           Claim.normal(0.0, zeros=0.5), Claim.normal(1.0, zeros=1.0), Claim.normal(1.0, zeros=0.5, rows=True),
           *(Claim.truncated(*tail) for tail in TAILS)]


def _asked() -> Iterator[tuple[Claim, tuple[int, ...]]]:
    yield from ((claim, (4, 3)) for claim in HOSTILE)
    yield from ((claim, shape) for claim in HOSTILE if not claim.zeros for shape in ((1, 1), (2, 0), (1, 2)))
    seen = set()
    for op, claims in CLAIMS.items():
        for case in select([op], ["float32"], around=False):
            seen.add((claim_of(case, claims), case.inputs["shape"]))
    yield from seen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_judge_neither_raises_nor_gives_a_nan_whatever_is_claimed_or_drawn(dtype: str) -> None:
    """For the claims of all shipped cases, and for hostile ones."""
    for claim, shape in _asked():
        for x in _inputs((2, *shape), dtype):
            alarms = judge_draws(list(x), claim)
            assert not any(math.isnan(a.got) or math.isnan(a.allowed) for a in alarms), (claim, shape, alarms)
            if x.size and np.isnan(x).any():
                assert alarms


@pytest.mark.parametrize("claims", [
    lambda: Claim.uniform(1.0, 0.0), lambda: Claim.uniform(0.0, math.inf), lambda: Claim.uniform(-1e308, 1e308),
    lambda: Claim.normal(-1.0), lambda: Claim.normal(math.nan), lambda: Claim.normal(1.0, math.inf),
    lambda: Claim.truncated(0.0, 1.0, 2.0, 1.0), lambda: Claim.truncated(0.0, 1.0, math.nan, 1.0),
    lambda: Claim.orthogonal(math.nan), lambda: Claim.normal(1.0, zeros=1.5)])
def test_what_no_distribution_has_is_no_claim(claims: Any) -> None:
    with pytest.raises(ValueError, match="no distribution is claimed"):
        claims()


def test_a_constant_is_judged_as_one() -> None:
    for claim in (Claim.normal(0.0, 3.0), Claim.uniform(3.0, 3.0), Claim.truncated(9.0, 0.0, 0.0, 3.0)):
        assert judge_draws([np.full(7, 3.0, np.float32)], claim) == []
        assert [a.statistic for a in judge_draws([np.array([3.0, 3.001])], claim)] == ["distance from the only number"]


def test_numbers_too_large_for_the_type_are_as_many_as_the_claim_has() -> None:
    claim = Claim.normal(3e38)
    for seed in range(20):
        x = np.random.default_rng(seed).normal(0.0, 3e38, 20_000)
        with np.errstate(over="ignore"):
            assert judge_draws([x.astype(np.float32)], claim) == []
        assert judge_draws([np.where(np.abs(x) > 3.4e38, 3.4e38, x).astype(np.float32)], claim)
        x[:5] = math.inf
        assert judge_draws([x], claim), "no double is infinite there"


def test_a_number_that_is_rounded_to_zero_is_no_zero_too_many() -> None:
    """float16 has none below 6e-8: of 100,000 with a standard deviation of 0.001 two are 0."""
    claim = Claim.normal(1e-3, zeros=0.5)
    for seed in range(20):
        x = np.random.default_rng(seed).normal(0.0, 1e-3, (100, 2000))
        x[:50] = 0
        order = np.random.default_rng(seed).random(x.shape).argsort(axis=0)
        assert judge_draws([np.take_along_axis(x, order, axis=0).astype(np.float16)], claim) == []


def test_half_types_far_from_zero_are_not_accused() -> None:
    """At 10,000 their numbers lie further apart than a standard deviation of 0.02."""
    x = np.random.default_rng(0).normal(1e4, 0.02, 50_000)
    assert judge_draws([x.astype(np.float16)], Claim.normal(0.02, 1e4)) == []
    assert judge_draws([x.astype(np.float16) + 64], Claim.normal(0.02, 1e4))


@pytest.mark.parametrize("op", CLAIMS)
def test_torch_passes(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The truncated law in every shipped case, the far tail among them."""
    monkeypatch.setattr(choice, "BUDGET", 1000)
    report = check(op, f"torch.nn.init:{op}", stream=False, all_cases=op == "trunc_normal_",
                   dtypes=["float32"])
    assert report.passed, str(report)
    assert not any(record.verdict == "unsupported" for record in report.records if "@" not in record.case)

"""Verdicts: each is given where it is due, on arrays made for it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from oracle.truth.proof import Truth
from oracle.ulp import numpy_dtype
from oracle.verdict.compare import Finding, Verdict, compare, judge


def _truth(hi: Any, bound: Any = 1e-6, precise: Any = None, dtype: str = "float32") -> Truth:
    hi = np.asarray(hi, np.float64)
    bound = np.broadcast_to(np.asarray(bound, np.float64), hi.shape)
    precise = bound if precise is None else np.broadcast_to(np.asarray(precise, np.float64), hi.shape)
    finite = np.abs(hi[np.isfinite(hi)])
    scale = np.full(hi.shape, finite.max(initial=1e-38))
    return Truth(hi, np.zeros(hi.shape), bound, precise, scale, ~np.isfinite(hi), dtype)


def _verdict(got: Any, truth: Truth, dtype: str = "float32") -> Verdict:
    return judge("output", np.asarray(got, numpy_dtype(dtype)), truth).verdict


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(("got", "truth", "verdict"), [
    ([1.0], _truth([1.0]), Verdict.EXACT),
    ([1.0], _truth([1.0 + 2e-8]), Verdict.EXACT),
    ([1.0000001], _truth([1.0]), Verdict.WITHIN),
    ([1.0, 1.00001], _truth([1.0, 1.0]), Verdict.EXCEEDS),
    ([NAN], _truth([1.0]), Verdict.EXCEEDS),
    ([INF], _truth([1.0]), Verdict.RANGE),
    ([-INF], _truth([1.0]), Verdict.RANGE),
    ([NAN], _truth([NAN]), Verdict.EXACT),
    ([1.0], _truth([NAN]), Verdict.EXCEEDS),
    ([INF], _truth([NAN]), Verdict.EXCEEDS),
    ([NAN], _truth([INF]), Verdict.EXCEEDS),
    ([INF], _truth([INF]), Verdict.EXACT),
    ([-INF], _truth([INF]), Verdict.EXCEEDS),
    ([3e38], _truth([INF]), Verdict.EXCEEDS),
    ([INF], _truth([1e39]), Verdict.EXACT),
    ([-INF], _truth([1e39]), Verdict.EXCEEDS),
    ([3.4028235e38], _truth([1e39]), Verdict.EXCEEDS),
    ([INF], _truth([3.4028e38], 1e34), Verdict.WITHIN),
    ([1.01], _truth([1.0], 0.2), Verdict.VACUOUS),
    ([1.5], _truth([1.0], 0.2), Verdict.EXCEEDS),
    ([1.0], _truth([1.0], INF), Verdict.EXACT),
    ([1.5], _truth([1.0], INF), Verdict.UNDECIDED),
    ([1.0 + 1e-6], _truth([1.0], INF, 1e-5), Verdict.WITHIN),
    ([1.5], _truth([1.0], INF, 1e-5), Verdict.RANGE),
    ([NAN], _truth([1.0], INF, 1e-5), Verdict.RANGE),
    ([0.0], _truth([1.0], 2.0, 1e-5), Verdict.RANGE),
    ([], _truth([]), Verdict.EXACT),
])
def test_verdicts(got: Any, truth: Truth, verdict: Verdict) -> None:
    assert _verdict(got, truth) == verdict


@pytest.mark.parametrize("got", [NAN, INF])
def test_an_infinite_error_is_an_infinite_share_of_any_bound(got: float) -> None:
    (finding,) = compare({"x": np.array([got], np.float32)}, {"x": _truth([1.0], INF)})
    assert (finding.verdict, finding.ulp, finding.share) == (Verdict.UNDECIDED, INF, INF)


def test_the_sign_of_zero_counts_where_there_is_no_enclosure() -> None:
    """IEEE arithmetic gave that zero, and gave it a sign; a real number that is 0 has none."""
    assert _verdict([-0.0], _truth([0.0])) == Verdict.EXACT, "an enclosed zero has no sign"
    unenclosed = dataclasses.replace(_truth([0.0, 0.0]), special=np.ones(2, bool))
    assert _verdict([0.0, 0.0], unenclosed) == Verdict.EXACT
    assert _verdict([0.0, -0.0], unenclosed) == Verdict.EXCEEDS


def test_subnormal_results_are_held_to_their_quantum() -> None:
    quantum = 2.0**-149
    assert _verdict([quantum], _truth([1.4 * quantum], quantum / 2)) == Verdict.EXACT
    assert _verdict([3 * quantum], _truth([1.4 * quantum], quantum / 2)) == Verdict.EXCEEDS


@pytest.mark.parametrize(("got", "note"), [
    (np.zeros(2, np.float32), r"shape (2,), needed is (1,)"),
    (np.zeros((1, 1), np.float32), r"shape (1, 1), needed is (1,)"),
    (np.zeros(1, np.float64), "dtype float64, needed is float32"),
    (np.zeros(1, np.int64), "dtype int64, needed is float32"),
])
def test_a_wrong_shape_or_dtype_exceeds(got: Any, note: str) -> None:
    finding = judge("output", got, _truth([0.0]))
    assert (finding.verdict, finding.note) == (Verdict.EXCEEDS, note)


def test_missing_outputs_are_missing_and_surplus_ones_exceed() -> None:
    findings = compare({"b": np.zeros(1, np.float32)}, {"a": _truth([0.0])})
    assert [(f.output, f.verdict, f.note) for f in findings] == [
        ("a", Verdict.MISSING, "this output is missing"), ("b", Verdict.EXCEEDS, "there is no such output")]


def test_discrete_outputs_have_to_be_equal() -> None:
    zero = np.zeros(2)
    truth = Truth(np.array([1, 2], np.int32), zero, zero, zero, zero, zero != 0, "int32", discrete=True)
    assert judge("next_word", np.array([1, 2], np.int32), truth).verdict == Verdict.EXACT
    finding = judge("next_word", np.array([1, 3], np.int32), truth)
    assert (finding.verdict, finding.index, finding.got, finding.truth) == (Verdict.EXCEEDS, (1,), 3.0, 2.0)
    undecided = dataclasses.replace(truth, bound=np.full(2, np.inf))
    assert judge("func_evals", np.array([1, 3], np.int32), undecided).verdict == Verdict.UNDECIDED
    assert judge("func_evals", np.array([1, 2], np.int32), undecided).verdict == Verdict.EXACT


def test_a_finding_names_the_worst_element_and_its_figures() -> None:
    got = np.array([1.0, 2.0 + 2**-20, 3.0], np.float32)
    finding = judge("output", got, _truth([1.0, 2.0, 3.0], 2**-22))
    assert finding == Finding("output", Verdict.EXCEEDS, 4.0, 4.0, (1,), 2.0 + 2**-20, 2.0, 2**-22)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_storage_types_are_judged_alike(dtype: str) -> None:
    step = float(np.ldexp(1.0, 1 - {"float64": 53, "float16": 11, "bfloat16": 8}[dtype]))
    truth = _truth([1.0, 1.0], 1.5 * step, dtype=dtype)
    assert _verdict([1.0, 1.0], truth, dtype) == Verdict.EXACT
    assert _verdict([1.0, 1.0 + step], truth, dtype) == Verdict.WITHIN
    assert _verdict([1.0, 1.0 + 2 * step], truth, dtype) == Verdict.EXCEEDS

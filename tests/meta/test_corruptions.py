"""The correctly rounded truth passes as exact; with one element changed it has to fail, in every case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from oracle.auditing.judge import run_case
from oracle.cases import registry
from oracle.cases.case import Case
from oracle.targets.loading import Unsupported
from oracle.truth.evaluate import Outputs
from oracle.truth.proof import VACUOUS, Truth
from oracle.verdict.compare import Verdict
from tests.meta.harness import Planted, shipped, truths
from tests.meta.plain_losses import Array


@dataclass(frozen=True)
class Corruption:
    """A change of the right answer; None where there is nothing to change."""

    name: str
    change: Callable[[Array, Truth], Array | None]
    losses_only: bool = False  #: other ops have no cases with NaN or infinity


def _set(got: Array, where: Array, value: Array | float) -> Array | None:
    """The first element that ``where`` marks, replaced."""
    if not where.any():
        return None
    index = tuple(np.argwhere(where)[0])
    changed = got.copy()
    changed[index] = np.broadcast_to(value, got.shape)[index]
    return changed


def _decided(truth: Truth) -> Array:
    return np.isfinite(truth.hi) & (truth.bound <= VACUOUS * truth.scale)


def _off(got: Array, truth: Truth) -> Array | None:
    """Three bounds nearer to 0, or beyond it."""
    with np.errstate(all="ignore"):
        return _set(got, _decided(truth), truth.hi - np.copysign(3 * truth.bound, truth.hi))


CORRUPTIONS = [
    Corruption("three bounds off", _off),
    Corruption("NaN for a number", lambda got, truth: _set(got, _decided(truth), np.nan)),
    Corruption("another dtype", lambda got, truth: got.astype(np.float64)),
    Corruption("another shape", lambda got, truth: got[None]),
    Corruption("NaN for infinity", lambda got, truth: _set(got, np.isinf(truth.hi), np.nan), True),
    Corruption("infinity for NaN", lambda got, truth: _set(got, np.isnan(truth.hi), np.inf), True),
    Corruption("the other infinity", lambda got, truth: _set(got, np.isinf(truth.hi), -got), True),
    Corruption("the largest number for infinity",
               lambda got, truth: _set(got, np.isinf(truth.hi), np.copysign(np.finfo(got.dtype).max, got)), True),
]
_PAIRS = [(op, corruption) for op, spec in registry.specs().items() for corruption in CORRUPTIONS
          if spec.kind == "loss" or not corruption.losses_only]


def _rounded(case: Case) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        return {name: truth.hi.astype(truth.dtype) for name, truth in truths(case).items()}


def _verdict(case: Case, outputs: Outputs) -> Verdict:
    return Verdict(run_case(case, Planted("planted", lambda _: outputs), truths=truths(case)).verdict)


@pytest.mark.parametrize("op", registry.specs())
def test_rounded_truth_is_exact(op: str) -> None:
    undecided = {Verdict.EXACT, Verdict.UNDECIDED}
    assert {_verdict(case, _rounded(case)) for case in shipped(op)} <= undecided


@pytest.mark.parametrize(("op", "corruption"), _PAIRS, ids=[f"{op}-{c.name}" for op, c in _PAIRS])
def test_corruption_is_caught_in_every_case(op: str, corruption: Corruption) -> None:
    seen = 0
    for case in shipped(op):
        outputs = _rounded(case)
        for name, truth in truths(case).items():
            changed = None if truth.discrete else corruption.change(outputs[name], truth)
            if changed is not None:
                seen += 1
                assert _verdict(case, {**outputs, name: changed}) is Verdict.EXCEEDS, (case.id, name)
    if not seen:
        pytest.skip(f"no exact value of {op} is infinite in any case, so that there is nothing to corrupt this way")


@pytest.mark.parametrize("op", registry.specs())
def test_missing_and_invented_outputs(op: str) -> None:
    for case in shipped(op)[:3]:
        outputs = _rounded(case)
        for name in outputs:
            assert _verdict(case, {k: v for k, v in outputs.items() if k != name}) is Verdict.MISSING
        assert _verdict(case, {**outputs, "invented": np.zeros(())}) is Verdict.EXCEEDS


@pytest.mark.parametrize(("error", "verdict"), [
    (ZeroDivisionError("0"), Verdict.CRASHED), (MemoryError(), Verdict.CRASHED), (Warning("w"), Verdict.CRASHED),
    (Unsupported("not this"), Verdict.UNSUPPORTED)])
def test_exceptions(error: Exception, verdict: Verdict) -> None:
    def fail(case: Case) -> Outputs:
        raise error

    case = shipped("mse_loss")[0]
    assert run_case(case, Planted("planted", fail), truths=truths(case)).verdict == verdict

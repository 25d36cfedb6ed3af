"""Connectionist temporal classification against all paths one by one, values by hand and torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.cases.ops.losses.ctc import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from reference.numerics import log_softmax
from tests.losses.agreement import disagreements, encloses, finite_cases

Array = np.ndarray[Any, Any]
HALF = np.log(np.full((2, 1, 2), 0.5))


def by_paths(arguments: Mapping[str, Any]) -> list[Any]:
    """Σ exp Σ log_probs over the paths that collapse to the target, found by collapsing them all."""
    log_probs, targets = arguments["log_probs"], arguments["targets"]
    log_probs = log_probs if log_probs.ndim == 3 else log_probs[:, None]
    lengths = [int(n) for n in arguments["target_lengths"]]
    starts = [sum(lengths[:n]) for n in range(len(lengths))] if targets.ndim == 1 else [0] * len(lengths)
    each = []
    for n, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        row = targets if targets.ndim == 1 else targets[n]
        times = int(arguments["input_lengths"][n])
        wanted = row[start:start + length].tolist()
        values = [[mpmath.mpf(float(v)) for v in log_probs[t, n]] for t in range(times)]
        likelihood = mpmath.mpf(0)
        for path in itertools.product(range(log_probs.shape[2]), repeat=times):
            if [k for k, _ in itertools.groupby(path) if k != arguments["blank"]] == wanted:
                likelihood += mpmath.exp(sum(values[t][k] for t, k in enumerate(path)))
        each.append(-mpmath.log(likelihood))
    if arguments["reduction"] == "mean":
        return [sum(loss / max(length, 1) for loss, length in zip(each, lengths, strict=True)) / len(each)]
    return [sum(each)] if arguments["reduction"] == "sum" else each


def test_values_are_sums_over_paths() -> None:
    chosen = [case for case in finite_cases(SPEC) if not {"long", "zero", "blank", "too-long"} & {
        case.options[axis] for axis in ("regime", "inputs", "labels")}]
    assert len(chosen) > 50
    assert all(encloses(case, by_paths) for case in chosen[::3])


def test_values_by_hand() -> None:
    one, two = np.array([[1]]), (2,)
    ln = np.log
    eps = 8 * 2.0**-52  # a handful of roundings of numbers below 2
    assert abs(losses.ctc_loss(HALF, one, two, (1,)) - ln(4 / 3)) <= eps  # 11, 1- and -1, of four paths
    assert abs(losses.ctc_loss(HALF, one, two, (0,)) - ln(4)) <= eps  # --
    assert abs(losses.ctc_loss(HALF, one, (1,), (1,)) - ln(2)) <= eps  # 1
    assert losses.ctc_loss(HALF, one, (0,), (0,)) == 0
    repeated = np.array([[1, 1]])
    assert losses.ctc_loss(HALF, repeated, two, two) == np.inf  # they need a blank between them
    assert losses.ctc_loss(HALF, repeated, two, two, zero_infinity=True) == 0
    both = np.concatenate([HALF, HALF], 1)  # the mean of ln(4/3)/1 and inf or 0, and of that and ln(4)/1
    assert abs(losses.ctc_loss(both, np.array([[1, 0], [1, 1]]), (2, 2), (1, 2), zero_infinity=True) * 2
               - ln(4 / 3)) <= eps
    assert abs(losses.ctc_loss(both, np.array([1]), (2, 2), (1, 0)) - (ln(4 / 3) + ln(4)) / 2) <= eps
    three = np.log(np.full((3, 1, 2), 0.5))
    assert abs(losses.ctc_loss(three, repeated, (3,), two) - ln(8) / 2) <= eps  # 1-1, and two labels
    gradient = losses.ctc_loss_backward(np.array(6.0), HALF, one, two, (1,))[0]
    # softmax less occupancy: 1/2 - 2/3 for label 1, 1/2 - 1/3 for the blank, and 6 times that
    assert np.abs(gradient - np.array([[[1.0, -1.0]]] * 2)).max() <= 6 * eps
    for wrong in (losses.ctc_loss_backward(np.array(1.0), HALF, repeated, two, two)[0],
                  losses.ctc_loss_backward(np.array([1.0]), HALF * np.nan, one, two, (1,), 0, "none", True)[0]):
        assert np.isnan(wrong).all()
    assert not losses.ctc_loss_backward(np.array(1.0), HALF, repeated, two, two, zero_infinity=True)[0].any()


def test_gradient_passes_through_log_softmax_unchanged() -> None:
    """It adds up to 0 over the classes, so the gradient of log_softmax, g - p Σ g, leaves it as it is."""
    logits = np.random.default_rng(0).standard_normal((6, 2, 4))
    gradient = losses.ctc_loss_backward(np.array(1.0), log_softmax(logits, 2), np.array([[1, 2], [3, 3]]),
                                        (6, 5), (2, 2))[0]
    # 16 roundings of posteriors, whose exponents are below 32
    assert np.abs(gradient.sum(2)).max() <= 16 * 32 * 2.0**-53


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    times, batch, classes = (data.draw(st.integers(1, n)) for n in (6, 3, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    log_probs = log_softmax(rng.normal(0, 3, (times, batch, classes)), 2)
    blank = data.draw(st.integers(0, classes - 1))
    labels = st.sampled_from([k for k in range(classes) if k != blank] or [None])
    rows = [data.draw(st.lists(labels, max_size=3 if classes > 1 else 0)) for _ in range(batch)]
    lengths = tuple(map(len, rows))
    if data.draw(st.booleans()):
        targets = np.array([k for row in rows for k in row], np.int64)
    else:
        targets = np.array([row + [blank] * (3 - len(row)) for row in rows], np.int64)
    inputs = tuple(data.draw(st.integers(0, times)) for _ in range(batch))
    arguments = {"log_probs": log_probs, "targets": targets, "input_lengths": inputs, "target_lengths": lengths,
                 "blank": blank, "reduction": data.draw(st.sampled_from(["none", "mean", "sum"])),
                 "zero_infinity": data.draw(st.booleans())}
    assert disagreements(SPEC, arguments) == []


def test_long_sequences_against_longdouble() -> None:
    """2000 steps, each with two roundings of an α of at most |log P| + 60, in float64; longdouble for the truth."""
    rng = np.random.default_rng(1)
    log_probs = log_softmax(rng.normal(0, 2, (2000, 3, 6)), 2)
    targets = rng.integers(1, 6, (3, 40))
    lengths = ((2000, 1900, 1500), (40, 30, 1))
    ours = losses.ctc_loss(log_probs, targets, *lengths, reduction="none")
    truth = losses.ctc_loss(log_probs.astype(np.longdouble), targets, *lengths, reduction="none")
    assert (np.abs(ours - truth) <= 2 * 2000 * 2.0**-53 * (truth + 60)).all()
    theirs = torch.nn.functional.ctc_loss(to_tensor(log_probs), to_tensor(targets), *lengths, reduction="none")
    assert (np.abs(theirs.numpy() - truth) <= 2 * 2000 * 2.0**-53 * (truth + 60)).all()


def test_labels_that_are_no_classes() -> None:
    """torch reads outside of its array, says its issue 193794, so it is not asked."""
    for label in (2, -1):
        with pytest.raises(IndexError, match=f"targets must be in 0..1, not {label}"):
            losses.ctc_loss(HALF, np.array([[label]]), (2,), (1,))
    losses.ctc_loss(HALF, np.array([[1, 7]]), (2,), (1,))  # what is behind a target is not looked at


def test_defects_of_torch_that_the_docstring_names() -> None:
    """Each of these fails when torch mends it; then the docstring has to change."""
    def gradients(log_probs: Array, label: int) -> tuple[Array, Array]:
        leaf = to_tensor(log_probs).requires_grad_()
        torch.nn.functional.ctc_loss(leaf, torch.tensor([[label]]), (2,), (1,)).backward()
        return losses.ctc_loss_backward(np.array(1.0), log_probs, np.array([[label]]), (2,), (1,))[0], leaf.grad.numpy()

    impossible = HALF.copy()
    impossible[0, 0, 1] = -np.inf
    ours, theirs = gradients(impossible, 1)
    assert ours[0, 0, 1] == 0
    assert np.isnan(theirs[0, 0, 1])
    # The label is the blank: all paths have only it, so it has all of the occupancy, 1, and its gradient is 1/2 - 1.
    ours, theirs = gradients(HALF, 0)
    assert np.abs(ours[:, 0, 0] + 0.5).max() <= 8 * 2.0**-52
    assert abs(theirs[0, 0, 0] + 0.5) <= 8 * 2.0**-52
    assert theirs[1, 0, 0] > -0.4


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.longdouble])
def test_types_that_torch_does_not_take(dtype: Any) -> None:
    """-log(3/4) is 0.29: a dozen roundings of numbers below 2."""
    loss = losses.ctc_loss(HALF.astype(dtype), np.array([[1]]), (2,), (1,))
    assert loss.dtype == dtype
    eps = 2.0**-52 if dtype == np.longdouble else float(ml_dtypes.finfo(dtype).eps)
    assert abs(float(loss) - np.log(4 / 3)) <= 24 * eps
    assert losses.ctc_loss_backward(loss, HALF.astype(dtype), np.array([[1]]), (2,), (1,))[0].dtype == dtype


def test_module() -> None:
    module = losses.CTCLoss(blank=1, reduction="none", zero_infinity=True)
    assert module(HALF, np.array([[0]]), (2,), (1,)).shape == (1,)
    assert repr(module) == "CTCLoss(blank=1, reduction='none', zero_infinity=True)"

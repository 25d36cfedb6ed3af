"""Adaptive softmax against plain loops in mpmath, values by hand and torch's module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.cases.case import Case
from oracle.cases.ops.losses.adaptive_log_softmax import SPEC
from oracle.cases.selection import cases
from oracle.targets.loading import load
from oracle.targets.pytorch import to_tensor
from oracle.truth.proof import prove
from oracle.verdict.compare import compare
from reference import losses, random

Array = np.ndarray[Any, Any]


def by_loops(arguments: Mapping[str, Any]) -> list[Any]:
    """log p of each target as the logarithm of a product of two quotients."""

    def times(matrix: Array, vector: list[Any]) -> list[Any]:
        return [mpmath.fsum(mpmath.mpf(float(a)) * b for a, b in zip(row, vector, strict=True)) for row in matrix]

    def share(logits: list[Any], k: int) -> Any:
        return mpmath.exp(logits[k]) / mpmath.fsum(map(mpmath.exp, logits))

    cutoffs, bias, each = arguments["cutoffs"], arguments.get("head_bias"), []
    for x, y in zip(np.atleast_2d(arguments["input"]).tolist(), arguments["target"].ravel().tolist(), strict=True):
        head = times(arguments["head_weight"], x)
        head = head if bias is None else [z + float(b) for z, b in zip(head, bias, strict=True)]
        cluster = sum(y >= c for c in cutoffs)
        if not cluster:
            each.append(mpmath.log(share(head, y)))
            continue
        projection, weight = arguments["tail"][cluster - 1]
        tail = times(weight, times(projection, x))
        each.append(mpmath.log(share(head, cutoffs[0] + cluster - 1) * share(tail, y - cutoffs[cluster - 1])))
    return each


def test_values_are_those_of_loops() -> None:
    for case in cases(SPEC, "float64", around=False):
        if case.options["regime"] in ("masked", "nan") or case.options["shape"] == "0x4":
            continue
        with mpmath.workprec(1200):
            each = by_loops(case.inputs)
            truths = prove(case)
            for name, wanted in (("output", each), ("loss", [-sum(each) / len(each)])):
                hi, lo = truths[name].hi.ravel(), truths[name].lo.ravel()
                for h, low, want in zip(hi.tolist(), lo.tolist(), wanted, strict=True):
                    # the truth is enclosed to 2**-70 of itself, or to the least double
                    error = abs(mpmath.mpf(h) + low - want)
                    assert error <= abs(want) * mpmath.mpf(2) ** -70 + mpmath.mpf(2) ** -1074, case.id


def test_values_by_hand() -> None:
    x = np.array([[1.0], [1.0], [1.0]])
    head = np.log([[2.0], [1.0], [1.0]])  # probabilities 1/2 for class 0, 1/4 for each cluster
    tail = ((np.ones((1, 1)), np.log([[1.0], [3.0]])), (np.zeros((0, 1)), np.zeros((2, 0))))
    output, loss = losses.adaptive_log_softmax_with_loss(x, np.array([0, 2, 4]), [1, 3], head, tail)
    wanted = np.log([1 / 2, 1 / 4 * 3 / 4, 1 / 4 * 1 / 2])
    assert np.abs(output - wanted).max() <= 16 * 2.0**-52  # two logarithms of a few roundings each
    assert abs(loss + wanted.mean()) <= 16 * 2.0**-52
    one = losses.adaptive_log_softmax_with_loss(x[0], np.array(0), [1, 3], head, tail)
    assert (one.output.shape, one.loss) == ((), -one.output)
    g = np.array([1.0, 0.0, 0.0]), np.array(0.0)
    grad_x, _, grad_head, grad_tail, _ = losses.adaptive_log_softmax_with_loss_backward(
        g, x, np.array([0, 2, 4]), [1, 3], head, tail)
    assert np.abs(grad_head - np.array([[0.5], [-0.25], [-0.25]])).max() <= 16 * 2.0**-52
    assert np.abs(grad_x - np.array([[np.log(2) / 2], [0], [0]])).max() <= 16 * 2.0**-52
    assert [part.tolist() for part in grad_tail[0]] == [[[0.0]], [[0.0], [0.0]]]
    unused = losses.adaptive_log_softmax_with_loss_backward(g, x, np.array([0, 0, 4]), [1, 3], head, tail)[3]
    assert unused[0] == (None, None)
    assert np.isnan(losses.adaptive_log_softmax_with_loss(x[:0], np.zeros(0, np.int64), [1, 3], head, tail).loss)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    batch, features = data.draw(st.sampled_from([(), (1,), (4,)])), data.draw(st.integers(1, 6))
    cutoffs = tuple(sorted(data.draw(st.sets(st.integers(1, 6), min_size=1, max_size=3))))
    classes = cutoffs[-1] + data.draw(st.integers(1, 3))
    sizes = np.diff([*cutoffs, classes]).tolist()
    # as its module has them
    first = int(features // data.draw(st.sampled_from([1.0, 2.0])))
    inner = [int(features // (features / first if first else features + 1.0) ** i) for i in range(1, len(sizes) + 1)]
    arguments = {"input": rng.normal(0, 2, (*batch, features)), "target": rng.integers(0, classes, batch),
                 "cutoffs": cutoffs, "head_weight": rng.normal(0, 1, (cutoffs[0] + len(cutoffs), features)),
                 "tail": tuple((rng.normal(0, 1, (h, features)), rng.normal(0, 1, (size, h)))
                               for h, size in zip(inner, sizes, strict=True))}
    arguments["target"] = np.asarray(arguments["target"])
    if data.draw(st.booleans()):
        arguments["head_bias"] = rng.normal(0, 1, cutoffs[0] + len(cutoffs))
    case = Case(dataclasses.replace(SPEC, draw=lambda *_: arguments), "float64", SPEC.defaults)
    truths = prove(case)
    for target in load(["reference", "torch:module"]):
        assert [f for f in compare(target.run(case), truths) if f.verdict.disagrees] == []


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(("features", "cutoffs", "bias"), [(8, [2], False), (5, [1, 4, 7], True)])
def test_module_is_that_of_torch(features: int, cutoffs: list[int], bias: bool) -> None:
    random.manual_seed(3)
    torch.manual_seed(3)
    ours = losses.AdaptiveLogSoftmaxWithLoss(features, 9, cutoffs, div_value=2.0, head_bias=bias)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(features, 9, cutoffs, div_value=2.0, head_bias=bias)
    assert ours.head.weight.tolist() == theirs.head.weight.tolist()
    for mine, its in zip(ours.tail, theirs.tail, strict=True):
        assert [layer.weight.tolist() for layer in mine] == [layer.weight.tolist() for layer in its]
    x = np.random.default_rng(0).standard_normal((20, features)).astype(np.float32)
    y = np.arange(20) % 9
    with torch.no_grad():
        output, loss = theirs(to_tensor(x), to_tensor(y))
        log_p, best = theirs.log_prob(to_tensor(x)).numpy(), theirs.predict(to_tensor(x)).numpy()
    # two softmaxes of logits below 8, each of some 20 roundings
    eps = 2 * 20 * 8 * 2.0**-23
    assert np.abs(ours(x, y).output - output.numpy()).max() <= eps
    assert abs(ours(x, y).loss - loss.item()) <= eps
    assert np.abs(ours.log_prob(x) - log_p).max() <= eps
    assert np.abs(np.exp(ours.log_prob(x)).sum(1) - 1).max() <= eps
    assert ours.predict(x).tolist() == best.tolist()
    assert (ours.shortlist_size, ours.n_clusters, ours.head_size, ours.cutoffs) == (
        theirs.shortlist_size, theirs.n_clusters, theirs.head_size, theirs.cutoffs)
    before = ours.head.weight.copy()
    ours.reset_parameters()
    assert (ours.head.weight != before).any()


@pytest.mark.parametrize("cutoffs", [[], [0, 3], [5, 2], [2, 2], [2, 9], [2.5]])
def test_cutoffs_that_torch_refuses(cutoffs: list[Any]) -> None:
    with pytest.raises(ValueError, match="cutoffs must be"):
        losses.AdaptiveLogSoftmaxWithLoss(4, 9, cutoffs)
    with pytest.raises(ValueError, match="cutoffs should be"):
        torch.nn.AdaptiveLogSoftmaxWithLoss(4, 9, cutoffs)

"""Cross-entropy of a linear layer against plain loops in mpmath, values by hand and torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.linear_cross_entropy_loss import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses, random
from tests.losses.agreement import disagreements, encloses, finite_cases

NUMBERS = st.floats(-4, 4, width=16)  # halves, so that few products of them cancel to less than their error


def by_loops(arguments: Mapping[str, Any]) -> list[Any]:
    """-Σ_c w_c q_c log(exp z_c / Σ exp z), logit by logit."""
    x, w, y = np.atleast_2d(arguments["input"]), arguments["linear_weight"], arguments["target"]
    classes, *places = w.shape[:-1]
    bias, weight = arguments.get("linear_bias"), arguments.get("weight")
    epsilon = mpmath.mpf(arguments["label_smoothing"])
    probabilities = y.dtype.kind == "f"
    y = y.reshape(len(x), *((classes,) if probabilities else ()), *places)
    ignored = arguments.get("ignore_index")
    each, divisor = [], mpmath.mpf(0)
    for n, *place in itertools.product(range(len(x)), *map(range, places)):
        logits = [mpmath.fsum([mpmath.mpf(float(a)) * float(b) for a, b in zip(x[n], w[(c, *place)], strict=True)])
                  + (0 if bias is None else float(bias[(c, *place)])) for c in range(classes)]
        log_sum = mpmath.log(mpmath.fsum(map(mpmath.exp, logits)))
        weights = [mpmath.mpf(1 if weight is None else float(weight[c])) for c in range(classes)]
        if probabilities:
            wanted = [mpmath.mpf(float(y[(n, c, *place)])) for c in range(classes)]
            divisor += 1
        else:
            index = int(y[(n, *place)])
            if index == (-100 if ignored is None else ignored):
                each.append(mpmath.mpf(0))
                continue
            wanted = [mpmath.mpf(c == index) for c in range(classes)]
            divisor += weights[index]
        each.append(mpmath.fsum([v * ((1 - epsilon) * q + epsilon / classes) * (log_sum - z)
                                 for v, q, z in zip(weights, wanted, logits, strict=True)]))
    if arguments["reduction"] == "none":
        return each
    total = mpmath.fsum(each)
    return [total] if arguments["reduction"] == "sum" else [total / divisor if divisor else None]


def test_values_are_those_of_loops() -> None:
    assert all(encloses(case, by_loops) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, w = np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 0.0], [np.log(3) / 2, 0.0]])
    each = losses.linear_cross_entropy(x, w, np.array([1, 1]), reduction="none")
    # logits (0, log 3) and (0, 0): probabilities 3/4 and 1/2
    assert np.abs(each - [np.log(4 / 3), np.log(2)]).max() <= 8 * 2.0**-52
    biased = losses.linear_cross_entropy(x, w, np.array([1, 1]), linear_bias=np.array([np.log(3), 0.0]),
                                         reduction="none")  # logits (log 3, log 3) and (log 3, 0)
    assert np.abs(biased - [np.log(2), np.log(4)]).max() <= 8 * 2.0**-52
    gradient = losses.linear_cross_entropy_backward(np.ones(2), x, w, np.array([1, -100]), reduction="none")
    assert gradient[1] is not None
    assert np.abs(gradient[1] - np.array([[0.5, 0.25], [-0.5, -0.25]])).max() <= 8 * 2.0**-52  # x/4 and -x/4
    empty = losses.linear_cross_entropy_backward(np.array(1.0), x[:0], w, np.zeros(0, np.int64), reduction="sum")
    assert [g is not None and g.shape for g in empty[:2]] == [(0, 2), (2, 2)]
    nothing = losses.linear_cross_entropy(x[:, :0], w[:, :0], np.array([0, 1]))
    assert abs(nothing - np.log(2)) <= 2.0**-52  # without features all classes are equally likely


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    batch, features, classes = data.draw(st.sampled_from([(), (1,), (3,)])), data.draw(st.integers(1, 3)), 3
    places = data.draw(st.sampled_from([(), (2,), (2, 1)])) if batch else ()
    x = data.draw(arrays(np.float64, (*batch, features), elements=NUMBERS))
    w = data.draw(arrays(np.float64, (classes, *places, features), elements=NUMBERS))
    arguments: dict[str, Any] = {"input": x, "linear_weight": w}
    if data.draw(st.booleans()):
        arguments["target"] = data.draw(arrays(np.int64, (*batch, *places), elements=st.integers(0, classes - 1)))
        arguments["ignore_index"] = data.draw(st.sampled_from([None, -100, 1]))
    else:
        shape = (*batch, classes, *places)
        arguments["target"] = data.draw(arrays(np.float64, shape, elements=st.floats(0, 1, width=16)))
    if data.draw(st.booleans()):
        arguments["linear_bias"] = data.draw(arrays(np.float64, (classes, *places), elements=NUMBERS))
    if data.draw(st.booleans()):
        arguments["weight"] = data.draw(arrays(np.float64, classes, elements=st.floats(0.125, 4, width=16)))
    arguments |= {"reduction": data.draw(st.sampled_from(["none", "mean", "sum"])),
                  "label_smoothing": data.draw(st.sampled_from([0.0, 0.25, 1.0]))}
    assert disagreements(SPEC, arguments) == []


@pytest.mark.parametrize(("bias", "places"), [(False, ()), (True, (2, 3))])
def test_module_has_the_parameters_of_torch(bias: bool, places: tuple[int, ...]) -> None:
    random.manual_seed(5)
    torch.manual_seed(5)
    ours = losses.LinearCrossEntropyLoss(4, 3, out_features=places, bias=bias)
    theirs = torch.nn.LinearCrossEntropyLoss(4, 3, out_features=places, bias=bias)
    assert ours.linear.weight.tolist() == theirs.linear.weight.tolist()
    assert (ours.linear.bias is None) is not bias
    if bias:
        assert ours.linear.bias.tolist() == theirs.linear.bias.tolist()
    x, y = np.ones((2, 4), np.float32), np.zeros((2, *places), np.int64)
    got, wanted = ours(x, y), theirs(to_tensor(x), to_tensor(y)).item()
    # logits are sums of 5 terms below 1, and a dozen roundings follow
    assert abs(got - wanted) <= 24 * 2.0**-23
    assert repr(ours) == "LinearCrossEntropyLoss()"


def test_module_refuses_what_torch_refuses() -> None:
    for wrong in ({"label_smoothing": 1.5}, {"label_smoothing": -0.5}, {"weight": np.ones(4, np.float32)}):
        with pytest.raises(RuntimeError, match=f"^{next(iter(wrong))} must"):
            losses.LinearCrossEntropyLoss(4, 5, **wrong)
        with pytest.raises(RuntimeError):
            torch.nn.LinearCrossEntropyLoss(4, 5, **{k: to_tensor(v) if isinstance(v, np.ndarray) else v
                                                     for k, v in wrong.items()})

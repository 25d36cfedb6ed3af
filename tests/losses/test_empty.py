"""Losses of nothing: no rows, classes, components or places. Values, signs of zeros and gradients are torch's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.spec import LossSpec
from reference import losses

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
Arguments = dict[str, Any]

SHAPES = [shape for n in (1, 2, 3) for shape in itertools.product((0, 1, 3), repeat=n) if 0 in shape]

#: The names of the arrays that have the shape of the first, and what else the loss is asked.
ELEMENTWISE: Mapping[str, tuple[tuple[str, ...], tuple[Arguments, ...]]] = {
    "mse_loss": (("input", "target"), ({},)), "l1_loss": (("input", "target"), ({},)),
    "smooth_l1_loss": (("input", "target"), ({}, {"beta": 0.0})), "huber_loss": (("input", "target"), ({},)),
    "soft_margin_loss": (("input", "target"), ({},)), "hinge_embedding_loss": (("input", "target"), ({},)),
    "poisson_nll_loss": (("input", "target"), ({}, {"full": True, "log_input": False})),
    "binary_cross_entropy": (("input", "target", "weight"), ({},)),
    "binary_cross_entropy_with_logits": (("input", "target", "weight"), ({},)),
    "kl_div": (("input", "target"), ({}, {"log_target": True}, {"reduction": "batchmean"})),
    "gaussian_nll_loss": (("input", "target", "var"), ({}, {"full": True})),
    "margin_ranking_loss": (("input1", "input2", "target"), ({},)),
    "triplet_margin_loss": (("anchor", "positive", "negative"),
                            ({}, {"p": 1.0, "swap": True}, {"p": 3.0}, {"p": math.inf})),
    "triplet_margin_with_distance_loss": (("anchor", "positive", "negative"), ({}, {"swap": True})),
    "multilabel_soft_margin_loss": (("input", "target"), ({},)),
}

#: The mean and the sum of no rows are uninitialised memory in torch, other in each run: nothing to compare.
UNINITIALISED = ("multi_margin_loss", "multilabel_margin_loss")

#: Arguments that torch does not differentiate: weights beside class indices, among others.
CONSTANT = {"soft_margin_loss": "target", "binary_cross_entropy": "weight",
            "binary_cross_entropy_with_logits": "weight"}


def of_elements(shape: tuple[int, ...]) -> Iterator[tuple[str, Arguments]]:
    for name, (arrays, settings) in ELEMENTWISE.items():
        yield from ((name, dict.fromkeys(arrays, np.full(shape, 0.5, np.float32)) | more) for more in settings)
    x = np.full(shape, 0.5, np.float32)
    for y in (1.0, -1.0):
        yield "cosine_embedding_loss", {"input1": x, "input2": x, "target": np.full(shape[:-1], y, np.float32)}


def of_classes(shape: tuple[int, ...]) -> Iterator[tuple[str, Arguments]]:
    axis = min(len(shape) - 1, 1)
    x, classes, rows = np.full(shape, 0.5, np.float32), shape[axis], shape[:axis] + shape[axis + 1:]
    ignored = np.full(rows, -100)
    for weight in (None, np.full(classes, 0.5, np.float32)):
        for epsilon in (0.0, 0.1):
            yield "cross_entropy", {"input": x, "target": x, "weight": weight, "label_smoothing": epsilon}
            if classes or len(shape) < 3:  # else torch folds the places away, and refuses what is left
                yield "cross_entropy", {"input": x, "target": ignored, "weight": weight, "label_smoothing": epsilon}
        if classes or len(shape) < 3:
            yield "nll_loss", {"input": x, "target": ignored, "weight": weight}
        if len(shape) == 2:
            yield "multi_margin_loss", {"input": x, "target": 0 * ignored, "weight": weight}
            yield "linear_cross_entropy", {"input": x[:, :0], "linear_weight": np.ones((classes, 0), np.float32),
                                           "target": ignored, "weight": weight, "label_smoothing": 0.1}
    if len(shape) <= 2:
        yield "multilabel_margin_loss", {"input": x, "target": np.full(shape, -1)}


CALLS = [(name, arguments if "reduction" in arguments else {**arguments, "reduction": reduction})
         for shape in SHAPES for name, arguments in (*of_elements(shape), *of_classes(shape))
         for reduction in ("none", "mean", "sum")]


def described(value: Any) -> Any:
    """Type, shape, and numbers with the signs of zeros."""
    return None if value is None else (value.dtype.name, value.shape, [repr(float(v)) for v in np.ravel(value)])


def torchs(name: str, arguments: Arguments) -> Any:
    """The error's kind; or the loss, and the gradients that there are."""
    spec = registry.get(name)
    assert isinstance(spec, LossSpec)
    constant = (CONSTANT.get(name, ""), "weight" if arguments["target" if "target" in arguments else spec.arrays[0]
                                                             ].dtype.kind == "i" else "")
    tensors = {k: torch.from_numpy(v.copy()).requires_grad_(v.dtype.kind == "f" and k not in constant)
               if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    try:
        loss = getattr(torch.nn.functional, name)(**tensors)
    except (RuntimeError, IndexError, ValueError) as error:
        return type(error)
    loss.backward(torch.ones_like(loss))
    gradients = [tensors[k].grad for k in spec.arrays if isinstance(tensors.get(k), torch.Tensor)
                 and tensors[k].requires_grad]
    return described(loss.detach().numpy()), [described(None if g is None else g.numpy()) for g in gradients], constant


def ours(name: str, arguments: Arguments, constant: Any) -> Any:
    spec = registry.get(name)
    assert isinstance(spec, LossSpec)
    loss = spec.function(**arguments)
    gradients = spec.backward(np.ones_like(loss), **arguments)
    return described(loss), [described(g) for k, g in zip(spec.arrays, gradients, strict=True)
                             if isinstance(arguments.get(k), np.ndarray) and arguments[k].dtype.kind == "f"
                             and k not in constant]


@pytest.mark.parametrize("name", sorted({name for name, _ in CALLS}))
def test_losses_of_nothing_are_torchs(name: str) -> None:
    for arguments in (arguments for other, arguments in CALLS if other == name):
        shapes = {k: np.shape(v) for k, v in arguments.items() if isinstance(v, np.ndarray)}
        if name in UNINITIALISED and arguments["reduction"] != "none" and not shapes["input"][0]:
            continue
        asked = {**shapes, **{k: v for k, v in arguments.items() if k not in shapes}}
        expected = torchs(name, arguments)
        if isinstance(expected, type):
            with pytest.raises(expected):
                getattr(losses, name)(**arguments)
            continue
        assert ours(name, arguments, expected[2]) == expected[:2], asked


def test_probabilities_of_no_classes_by_hand() -> None:
    """The mean is 0/0 however many rows there are; a sum of no logarithms has its sign changed afterwards."""
    for shape in ((3, 0), (3, 0, 2)):
        x = np.zeros(shape, np.float32)
        assert math.isnan(losses.cross_entropy(x, x))
        total = losses.cross_entropy(x, x, reduction="sum")
        assert total == 0
        assert np.signbit(total)
        assert losses.cross_entropy(x, x, reduction="none").tolist() == np.zeros(shape[:1] + shape[2:]).tolist()

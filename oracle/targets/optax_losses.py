"""optax's losses, and what torch's arguments are called there.

optax gives losses one by one and leaves their reduction to the caller: ``.mean()`` or ``.sum()`` of them is what
stands for torch's, also where torch's mean divides by something else. Gradients are those of ``jax.vjp``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from ..cases.case import Case
from ..truth.evaluate import Outputs
from .translation import Arguments, Translation, shapes_differ

__all__ = ["LOSSES", "run_loss"]


def _classes_last(a: Arguments) -> tuple[Any, Any]:
    """Logits, and probabilities or indices."""
    x, y = a["input"], a["target"]
    axis = min(x.ndim - 1, 1)
    return jnp.moveaxis(x, axis, -1), jnp.moveaxis(y, axis, -1) if y.ndim == x.ndim else y


def _cross_entropy(a: Arguments) -> Any:
    x, y = _classes_last(a)
    if y.ndim < x.ndim:
        if a["label_smoothing"] == 0:
            return optax.softmax_cross_entropy_with_integer_labels(x, y)
        y = jax.nn.one_hot(y, x.shape[-1], dtype=x.dtype)
    if a["label_smoothing"] != 0:
        y = optax.smooth_labels(y, a["label_smoothing"])
    return optax.softmax_cross_entropy(x, y)


def _kl_div(a: Arguments) -> Any:
    divergence = (optax.losses.kl_divergence_with_log_targets if a["log_target"]
                  else optax.losses.kl_divergence)
    return divergence(a["input"], a["target"], axis=())


def _triplet(a: Arguments) -> Any:
    return optax.losses.triplet_margin_loss(a["anchor"], a["positive"], a["negative"], norm_degree=a["p"],
                                            margin=a["margin"], eps=a["eps"])


def _ignored(a: Arguments) -> bool:
    return bool(a["target"].dtype.kind == "i" and (a["target"] == a["ignore_index"]).any())


def _unlike(a: Arguments) -> bool:
    return bool(np.broadcast_shapes(a["input1"].shape, a["input2"].shape) != a["target"].shape)


_SAME_SHAPES = {"takes targets of the shape of the input": shapes_differ}

#: torch's name -> optax's.
LOSSES: Mapping[str, Translation] = {
    "mse_loss": Translation(lambda a: optax.squared_error(a["input"], a["target"]), {"weight": None}, _SAME_SHAPES),
    "huber_loss": Translation(lambda a: optax.huber_loss(a["input"], a["target"], delta=a["delta"]),
                              {"weight": None}),
    "smooth_l1_loss": Translation(lambda a: optax.huber_loss(a["input"], a["target"], delta=a["beta"])),
    "binary_cross_entropy_with_logits": Translation(
        lambda a: optax.sigmoid_binary_cross_entropy(a["input"], a["target"]), {"weight": None, "pos_weight": None}),
    "multilabel_soft_margin_loss": Translation(
        lambda a: optax.sigmoid_binary_cross_entropy(a["input"], a["target"]).mean(-1), {"weight": None},
        {"takes targets of no more classes than the input": lambda a: a["target"].shape[-1] != a["input"].shape[-1]}),
    "cross_entropy": Translation(_cross_entropy, {"weight": None}, {
        "ignores no index": _ignored,
        "smooths by negative numbers too, which torch ignores": lambda a: a["label_smoothing"] < 0}),
    "kl_div": Translation(_kl_div),
    "margin_ranking_loss": Translation(lambda a: optax.losses.perceptron_loss(a["input1"] - a["input2"], a["target"]),
                                       {"margin": 0.0}, {"takes targets of the shape of the input": _unlike}),
    "triplet_margin_loss": Translation(_triplet, {"swap": False}, {
        "takes powers of differences with their signs, which make a norm for p = 2 alone": lambda a: a["p"] != 2}),
}


def run_loss(case: Case, jit: bool) -> Outputs:
    """The loss and its gradients on a case."""
    loss = LOSSES[case.spec.name]
    given, reduction = loss.arguments(case, "optax")
    fixed = {name: jnp.asarray(value) if isinstance(value, np.ndarray) else value for name, value in given.items()}

    def function(*values: Any) -> Any:
        return _reduced(loss.call({**fixed, **dict(zip(case.differentiated, values, strict=True))}), reduction,
                        given)

    found, pull = jax.vjp(jax.jit(function) if jit else function, *(fixed[name] for name in case.differentiated))
    gradients = pull(jnp.asarray(case.grad_output).reshape(found.shape))
    return {"output": np.asarray(found)} | {
        f"grad.{name}": np.asarray(g) for name, g in zip(case.differentiated, gradients, strict=True)}


def _reduced(losses: Any, reduction: str, a: Arguments) -> Any:
    if reduction == "batchmean":
        return losses.sum() / math.prod(a["input"].shape[:1])
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses

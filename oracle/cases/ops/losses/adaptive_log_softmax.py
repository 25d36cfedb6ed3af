"""What is asked of ``adaptive_log_softmax_with_loss``: its axes, draws and refusals.

torch has it as a module alone: :func:`_held` says which of its parameters each array is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.losses.adaptive_log_softmax import (
    adaptive_log_softmax_with_loss,
    adaptive_log_softmax_with_loss_backward,
)

from ...spec import Axis, Limits, LossSpec, Options
from ._cases import refuser, size_of

__all__ = ["SPEC"]

_SHAPES = {"5x4": (5, 4), "4": (4,), "1x2": (1, 2), "0x4": (0, 4)}
_CUTOFFS = {"2-of-5": ((2,), 5), "1-4-of-6": ((1, 4), 6), "2-3-5-of-8": ((2, 3, 5), 8)}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "huge" and (dtype == "float16" or options["shape"] == "4"):
        return False  # logits of 1000 have no digits left that exp could use; all of one row may be 1 - 1
    if options["regime"] == "masked" and options["head_bias"] == "none":
        return False
    return bool(options["shape"] != "0x4" or options["regime"] == "moderate")


def _classes_of(targets: str, cutoffs: tuple[int, ...], classes: int) -> tuple[int, int]:
    """From which class to which the targets are: those of the head, of the tail, of the last cluster, or all."""
    match targets:
        case "head":
            return 0, cutoffs[0]
        case "tail":
            return cutoffs[0], classes
        case "last":
            return cutoffs[-1], classes
    return 0, classes


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, (cutoffs, classes) = _SHAPES[options["shape"]], _CUTOFFS[options["cutoffs"]]
    features, regime = shape[-1], options["regime"]
    bounds = (*cutoffs, classes)
    low, high = _classes_of(options["targets"], cutoffs, classes)
    y = np.asarray(low + (rng.integers(0, 100) + np.arange(shape[0] if len(shape) > 1 else 1)) % (high - low))
    size = 0.0 if regime == "equal" else size_of(regime, 1.0, huge=20.0, tiny=8 * limits.tiny**0.5)

    def draw(*shape: int, scale: float = 1.0) -> np.ndarray[Any, Any]:
        return np.asarray(rng.uniform(0.5, 1.0, shape) * rng.choice([-scale, scale], shape))

    x = draw(*shape, scale=size)
    if regime == "nan":
        x.flat[:1] = np.nan
    inner = [int(features // options["div_value"] ** i) for i in range(1, len(bounds))]
    tail = tuple((draw(h, features), draw(bounds[i + 1] - bounds[i], h, scale=max(size, 1.0)))
                 for i, h in enumerate(inner))
    head = draw(cutoffs[0] + len(cutoffs), features, scale=max(size, 1.0))
    arguments: dict[str, Any] = {
        "input": x, "target": y.reshape(shape[:-1]), "cutoffs": cutoffs, "head_weight": head, "tail": tail}
    if options["head_bias"] != "none":
        arguments["head_bias"] = draw(cutoffs[0] + len(cutoffs))
        arguments["head_bias"][:1] = -np.inf if regime == "masked" else 0.5  # class 0 cannot be
    return arguments


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    features = 48
    rows = max(n // features, 1)

    def draw(*shape: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape, np.float32) / np.float32(7)

    return {"input": draw(rows, features), "target": rng.integers(0, 200, rows), "cutoffs": (20, 100),
            "head_weight": draw(22, features), "tail": ((draw(12, features), draw(80, 12)),
                                                        (draw(3, features), draw(100, 3)))}


def _held(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    cutoffs, features, tail = arguments["cutoffs"], arguments["head_weight"].shape[1], arguments["tail"]
    held = {f"tail[{i}][{j}]": f"tail.{i}.{j}.weight" for i in range(len(tail)) for j in range(2)}
    held |= {"head_weight": "head.weight"} | ({"head_bias": "head.bias"} if "head_bias" in arguments else {})
    inner = len(tail[0][0])
    return {"in_features": features, "n_classes": sum((*cutoffs[-1:], len(tail[-1][1]))), "cutoffs": cutoffs,
            "div_value": features / inner if inner else features + 1.0,
            "head_bias": "head_bias" in arguments}, held


_GOOD: dict[str, Any] = {
    "input": np.zeros((3, 4), np.float32), "target": np.array([0, 1, 2]), "cutoffs": (2,),
    "head_weight": np.zeros((3, 4), np.float32),
    "tail": ((np.zeros((1, 4), np.float32), np.zeros((3, 1), np.float32)),)}
_X, _Y = _GOOD["input"], _GOOD["target"]
_refuse = refuser(**_GOOD)

SPEC = LossSpec(
    name="adaptive_log_softmax_with_loss", torch_names=("torch.nn.AdaptiveLogSoftmaxWithLoss",),
    independent="",  # and no sums of any size: gradients of weights add up what is rounded, over all rows
    function=adaptive_log_softmax_with_loss, backward=adaptive_log_softmax_with_loss_backward,
    module="AdaptiveLogSoftmaxWithLoss", held=_held, omitted=("device",),
    axes=(Axis("cutoffs", tuple(_CUTOFFS), "and the number of classes"),
          Axis("shape", tuple(_SHAPES)),
          Axis("div_value", (2.0, 4.0), "by which clusters have fewer features"),
          Axis("head_bias", ("none", "random")),
          Axis("targets", ("all", "head", "tail", "last"), "the clusters in which they are"),
          Axis("regime", ("moderate", "huge", "equal", "tiny", "masked", "nan"), "of the features")),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    dtypes=("float64", "float32", "float16"),  # after two softmaxes bfloat16 cannot tell gradients from 0
    arrays=("input", "target", "head_weight", "tail", "head_bias"),
    refusals=(
        _refuse("no such class", RuntimeError, "target must be in 0..4, not 5", target=_Y + 3),
        _refuse("a negative class", RuntimeError, "target must be in 0..4, not -1", target=_Y - 1),
        _refuse("targets in two dimensions", RuntimeError, r"target must have shape \(N\) or \(\)",
                target=_Y[:, None]),
        _refuse("a third dimension", RuntimeError, r"input must have shape \(3, F\)", input=_X[:, None]),
        _refuse("another batch", RuntimeError, r"input must have shape \(3, F\)", input=_X[:2]),
        _refuse("one target for a batch", RuntimeError, r"input must have shape \(F\) for target of",
                target=np.array(1)),
        _refuse("a batch without features", RuntimeError, r"not \(3,\)", input=_X[:, 0]),
        _refuse("floating targets", RuntimeError, "int64 or int32, not float32",
                target=_Y.astype(np.float32)),
        _refuse("short targets", RuntimeError, "int64 or int32, not uint8", target=_Y.astype(np.uint8)),
        _refuse("other features", RuntimeError, r"head_weight must have shape \(3, 3\)", input=_X[:, :3]),
        _refuse("wider features", RuntimeError, "must have the dtype of input", input=_X.astype(np.float64)),
        _refuse("no cutoffs", ValueError, "cutoffs must be increasing", cutoffs=()),
        _refuse("cutoffs that fall", ValueError, r"not \[3, 2\]", cutoffs=(3, 2)),
        _refuse("a cutoff of 0", ValueError, r"not \[0\]", cutoffs=(0,)),
        _refuse("a cutoff between integers", ValueError, r"not \[1.5\]", cutoffs=(1.5,)),
    ),
)

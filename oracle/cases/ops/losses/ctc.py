"""What is asked of ``ctc_loss``: its axes, draws and refusals.

torch's gradient is one for logits: :func:`_normalized` is the function whose derivative it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.ctc import (
    Lengths,
    ctc_loss,
    ctc_loss_backward,
    find_alphas,
    log_probability,
    prepare,
    reduced,
)
from reference.numerics import Array, ieee, log_softmax, total

from ...spec import Axis, Limits, LossSpec, Options
from ._cases import refuser

__all__ = ["SPEC"]


@ieee
def _normalized(log_probs: Array, targets: Array, input_lengths: Lengths, target_lengths: Lengths,
                blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> Array:
    """The loss plus Σ exp(lp) over each input's times: its derivative is :func:`ctc_loss_backward`."""
    a = prepare(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    losses = -log_probability(find_alphas(a), a)
    inside = np.arange(len(a.lp))[:, None, None] < a.input_lengths[:, None]
    losses = losses + total(np.where(inside, np.exp(a.lp), 0), (0, 2))
    return reduced(np.where(losses == np.inf, 0, losses) if a.zero_infinity else losses, a)


_SHAPES = {"5x2x4": (5, 2, 4), "1x2x3": (1, 2, 3), "7x1x3": (7, 1, 3), "3x3x4": (3, 3, 4)}


def _allowed(options: Options, dtype: str) -> bool:
    changed = {axis.name for axis in SPEC.axes if options[axis.name] != axis.values[0]}
    if options["regime"] == "long":
        return changed <= {"regime", "reduction"} and options["reduction"] != "sum"
    if options["regime"] == "huge" and options["shape"] == "1x2x3":
        return False  # all of the gradient may be 1 - 1
    return bool(options["targets"] != "unbatched" or options["shape"] == "7x1x3")


def _labels(kind: str, n: int, time: int, blank: int, classes: int, rng: np.random.Generator) -> list[int]:
    """A target that an input of this length can have, unless it is too long on purpose."""
    others = [k for k in range(classes) if k != blank]
    if kind == "none" or (kind == "empty" and n == 0):
        return []
    if kind == "repeated":
        return [others[n % len(others)]] * min((time + 1) // 2, 3)
    size = time + 1 if kind == "too-long" and n == 0 else int(rng.integers(1, 4))
    labels = [others[int(k)] for k in np.cumsum(rng.integers(1, len(others), size)) % len(others)]
    labels = labels if kind == "too-long" and n == 0 else labels[:time]
    return [blank, *labels[1:]] if kind == "blank" and len(labels) > 1 else labels  # not the last: see above


def _raise_paths(logits: Array, labels: list[list[int]], blank: int, rng: np.random.Generator, *, long: bool) -> None:
    """Raise the logits along one path of each target: most of them by 12 where the input is long, else all by 4."""
    times = np.arange(len(logits))
    for n, label in enumerate(labels):
        path = [k for one in label for k in (one, blank)] or [blank]
        height = np.where(rng.permutation(len(times)) < 10, 3.0, 12.0) if long else 4.0
        logits[times, n, np.array(path)[times * len(path) // len(times)]] += height


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    regime, long = options["regime"], options["regime"] == "long"
    times, batch, classes = (2000, 1, 3) if long else _SHAPES[options["shape"]]
    blank = options["blank"] if options["blank"] < classes else classes - 1
    inputs = np.array([times, *rng.integers((times + 1) // 2, times + 1, batch - 1)])
    inputs[0] = 0 if options["inputs"] == "zero" else times
    inputs[1:] = times if options["inputs"] == "full" else inputs[1:]
    labels = [_labels(options["labels"], n, int(time), blank, classes, rng) for n, time in enumerate(inputs)]
    logits = rng.uniform(-1.0, 1.0, (times, batch, classes)) * (1e3 if regime == "huge" else 3.0)
    if regime in ("peaked", "long"):
        _raise_paths(logits, labels, blank, rng, long=long)
    log_probs = log_softmax(logits, 2)
    shift = rng.uniform(-2.0, 1.0, logits.shape)  # drawn in every regime
    if regime == "unnormalized":
        log_probs += shift
    if regime == "inf":
        log_probs.flat[rng.integers(0, log_probs.size, 2)] = -np.inf
    if regime == "nan":  # a class that the first target has not, and all classes of the last at one time
        unused = [k for k in range(classes) if k not in (blank, *labels[0])]
        log_probs[0, 0, unused[:1]] = np.nan
        log_probs[times // 2, 1:][-1:] = np.nan
    lengths = [len(row) for row in labels]
    if options["targets"] in ("concatenated", "unbatched"):
        targets = np.array([label for row in labels for label in row], np.int64)
    else:
        targets = np.full((batch, max(lengths) + 2 * (options["targets"] == "wider")), -7)
        for n, row in enumerate(labels):
            targets[n, : len(row)] = row
    integers = np.int32 if options["lengths"] == "int32" else np.int64

    def as_lengths(values: Any) -> Any:
        return tuple(map(int, values)) if options["lengths"] == "tuples" else integers(values)

    return {"log_probs": log_probs[:, 0] if options["targets"] == "unbatched" else log_probs,
            "targets": targets.astype(np.int32) if options["lengths"] == "int32" else targets,
            "input_lengths": as_lengths(inputs), "target_lengths": as_lengths(lengths), "blank": blank,
            "reduction": options["reduction"], "zero_infinity": options["zero_infinity"]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    classes = min(n, 20)
    times = min(max(n // classes, 1), 50)
    batch = max(n // (classes * times), 1)
    log_probs = log_softmax(rng.standard_normal((times, batch, classes), np.float32), 2)
    return {"log_probs": log_probs, "targets": rng.integers(1, max(classes, 2), (batch, times // 3)),
            "input_lengths": np.full(batch, times), "target_lengths": np.full(batch, times // 3)}


_GOOD: dict[str, Any] = {
    "log_probs": np.log(np.full((4, 2, 3), 1 / 3, np.float32)), "targets": np.array([[1, 2], [2, 2]]),
    "input_lengths": np.array([4, 4]), "target_lengths": np.array([2, 2])}
_X = _GOOD["log_probs"]
_refuse = refuser(**_GOOD)

SPEC = LossSpec(
    name="ctc_loss", torch_names=("torch.nn.functional.ctc_loss", "torch.nn.CTCLoss"),
    independent="",  # and no sums of any size: a sum over paths is no whole number
    function=ctc_loss, backward=ctc_loss_backward, module="CTCLoss", potential=_normalized,
    axes=(Axis("shape", tuple(_SHAPES), "times x batch x classes"),
          Axis("targets", ("padded", "wider", "concatenated", "unbatched"),
               "wider: with labels behind that are none"),
          Axis("lengths", ("arrays", "tuples", "int32")),
          Axis("inputs", ("full", "ragged", "zero"), "input lengths; zero: the first"),
          Axis("labels", ("distinct", "repeated", "empty", "none", "blank", "too-long"),
               "empty, too-long: the first target; none: all are empty; blank: one inside"),
          Axis("blank", (0, 1, 3), "3: the last class"), Axis("reduction", ("mean", "none", "sum")),
          Axis("zero_infinity", (False, True)),
          Axis("regime", ("moderate", "peaked", "huge", "unnormalized", "inf", "nan", "long"),
               "long: 2000 times, peaked, so that float32 can decide its gradient")),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    dtypes=("float64", "float32"),  # torch's kernel takes no others
    arrays=("log_probs", "targets", "input_lengths", "target_lengths"),
    refusals=(
        _refuse("integer log-probabilities", NotImplementedError, "log_probs must be floating, not int64",
                log_probs=_X.astype(np.int64)),
        _refuse("no classes", RuntimeError, r"not empty, not \(4, 2, 0\)", log_probs=_X[:, :, :0]),
        _refuse("no times", RuntimeError, r"not \(0, 2, 3\)", log_probs=_X[:0]),
        _refuse("no classes at all", RuntimeError, r"log_probs must have shape .*, not \(4,\)",
                log_probs=_X[:, 0, 0]),
        _refuse("blank is no class", RuntimeError, "blank must be in 0..2, not 3", blank=3),
        _refuse("negative blank", RuntimeError, "blank must be in 0..2, not -1", blank=-1),
        _refuse("floating blank", TypeError, "blank must be an integer, not float", blank=1.0),
        _refuse("input longer than there are times", RuntimeError, "input_lengths must be in 0..4, not 5",
                input_lengths=np.array([5, 4])),
        _refuse("negative input length", RuntimeError, "input_lengths must be in 0..4, not -1",
                input_lengths=np.array([-1, 4])),
        _refuse("negative target length", RuntimeError, "target_lengths must be in 0..2, not -1",
                target_lengths=np.array([-1, 2])),
        _refuse("target longer than its row", RuntimeError, "target_lengths must be in 0..2, not 3",
                target_lengths=np.array([3, 2])),
        _refuse("too few input lengths", RuntimeError, r"input_lengths must have shape \(2,\), not \(1,\)",
                input_lengths=np.array([4])),
        _refuse("too few target lengths", RuntimeError, r"target_lengths must have shape \(2,\)",
                input_lengths=(4, 4), target_lengths=(2,)),
        _refuse("one length for a batch", RuntimeError, r"not \(\)", input_lengths=np.array(4)),
        _refuse("floating lengths", RuntimeError, "input_lengths must be integers, not float32",
                input_lengths=np.array([4, 4], np.float32)),
        _refuse("boolean lengths", RuntimeError, "target_lengths must be integers, not bool",
                target_lengths=np.array([True, True])),
        _refuse("array and tuple", TypeError, "must both be arrays or both be tuples, not ndarray and tuple",
                target_lengths=(2, 2)),
        _refuse("floating lengths in a tuple", TypeError, "input_lengths must be an array or a tuple of int",
                input_lengths=(4.0, 4.0), target_lengths=(2, 2)),
        _refuse("no lengths but one number", TypeError, "must be an array or a tuple of integers, not 4",
                input_lengths=4, target_lengths=2),
        _refuse("too few labels", RuntimeError, r"targets must have shape \(4,\), the sum of target_lengths",
                targets=np.array([1, 2, 2])),
        _refuse("too many labels", RuntimeError, r"not \(5,\)", targets=np.array([1, 2, 2, 2, 1])),
        _refuse("another batch", RuntimeError, r"targets must have shape \(2, S\)",
                targets=np.array([[1, 2]])),
        _refuse("one dimension too many", RuntimeError, "targets must have shape",
                targets=np.ones((2, 2, 1), int)),
        _refuse("no array", TypeError, "targets must be a NumPy array, not list", targets=[[1, 2], [2, 2]]),
        _refuse("no bool", TypeError, "zero_infinity must be a bool, not int", zero_infinity=1),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
    ),
)

"""Adaptive softmax: the rare classes stand in clusters, behind a first choice among those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..numerics import Array, array, cast, ieee, is_floating, log_softmax, total, widen
from ..reduction import reduce_losses
from ._classes import first_outside, log_partition, scaled_softmax
from ._linear import Linear
from ._module import LossModule

__all__ = ["AdaptiveLogSoftmaxWithLoss", "AdaptiveOutput", "adaptive_log_softmax_with_loss",
           "adaptive_log_softmax_with_loss_backward"]

Tail = tuple[tuple[Array, Array], ...]


class AdaptiveOutput(NamedTuple):
    """The log-probability of each target, and the mean of their negatives."""

    output: Array
    loss: Array


@ieee
def adaptive_log_softmax_with_loss(input: Array, target: Array, cutoffs: Sequence[int], head_weight: Array,
                                   tail: Tail, head_bias: Array | None = None) -> AdaptiveOutput:
    r"""Log-probabilities of targets under an adaptive softmax, and their mean, negated.

    The head is a softmax over the c₁ most frequent classes and the K clusters of the others; cluster i holds
    the classes from cᵢ to cᵢ₊₁ - 1 and has a softmax over them, of features projected to fewer::

        log p(y) = log_softmax(H x + b)_y                                              for y < c₁
        log p(y) = log_softmax(H x + b)_{c₁+i-1} + log_softmax(Wᵢ Pᵢ x)_{y-cᵢ}       in cluster i

    torch has this as a module alone; its parameters are arguments here.

    Args:
        input: x, shape (N, F) or (F), floating.
        target: classes, shape (N) or (), int64 or int32.
        cutoffs: c₁ < ... < c_K, positive integers. There are c_K classes and those of the last cluster.
        head_weight: H, shape (c₁ + K, F).
        tail: for each cluster (Pᵢ, Wᵢ), of shapes (Fᵢ, F) and (cᵢ₊₁ - cᵢ, Fᵢ); with Fᵢ = 0 its classes are
            equally likely.
        head_bias: b, shape (c₁ + K), or None for zeros.

    Returns:
        ``output``, log p of each target, shape (N) or (); and ``loss``, shape (), NaN without targets.

    Raises:
        ValueError: ``cutoffs`` are none, or not positive and increasing.
        RuntimeError: a shape or dtype does not fit, or there is no such class.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array.

    >>> x, nothing = np.ones((2, 1)), np.zeros((0, 1))
    >>> both = adaptive_log_softmax_with_loss(x, np.array([0, 2]), [1], np.zeros((2, 1)),
    ...                                       ((nothing, np.zeros((3, 0))),))
    >>> np.exp(both.output)  # 1/2, and 1/2 · 1/3
    array([0.5       , 0.16666667])

    Source: Grave, Joulin, Cissé, Grangier, Jégou, Efficient softmax approximation for GPUs (2017), section 4.
    """
    x, y, bounds = _prepare(input, target, cutoffs, head_weight, tail, head_bias)
    place, members = _places(y, bounds)
    output = _log_p(_head(x, head_weight, head_bias), place)
    for (projection, weight), rows, low in zip(tail, members, bounds, strict=False):
        if rows.size:
            output[rows] += _log_p(_linear(_linear(x[rows], projection), weight), y[rows] - low)
    return AdaptiveOutput(output.reshape(target.shape), reduce_losses(-output, "mean"))


@ieee
def adaptive_log_softmax_with_loss_backward(
        grad_output: tuple[Array, Array], input: Array, target: Array, cutoffs: Sequence[int],
        head_weight: Array, tail: Tail, head_bias: Array | None = None) -> tuple[Any, ...]:
    r"""Gradient of :func:`adaptive_log_softmax_with_loss`.

    The derivative of log p(y) with respect to the logits of a softmax that has a part in it is [c = y] - p_c.

    Args:
        grad_output: gradients with respect to ``output`` and ``loss``, of their shapes.
        input, target, cutoffs, head_weight, tail, head_bias: as for :func:`adaptive_log_softmax_with_loss`.

    Returns:
        Gradients of input, target (None), head_weight, tail (pairs as in the argument) and head_bias. A cluster without
        a target has (None, None): its softmax has no part in the loss.

    Raises:
        What :func:`adaptive_log_softmax_with_loss` raises.

    >>> g = np.zeros(1), np.array(1.0)
    >>> adaptive_log_softmax_with_loss_backward(g, np.ones((1, 1)), np.array([0]), [1], np.zeros((2, 1)),
    ...                                         ((np.zeros((1, 1)), np.zeros((3, 1))),))[2].tolist()
    [[-0.5], [0.5]]

    Source: the chain rule.
    """
    x, y, bounds = _prepare(input, target, cutoffs, head_weight, tail, head_bias)
    place, members = _places(y, bounds)
    g = cast(grad_output[0], x.dtype).ravel() - cast(grad_output[1], x.dtype) / len(y)
    delta = _delta(g, _head(x, head_weight, head_bias), place)
    grad_x = _product(delta, head_weight)
    pairs: list[tuple[Array | None, Array | None]] = []
    for (projection, weight), rows, low in zip(tail, members, bounds, strict=False):
        if not rows.size:
            pairs.append((None, None))
            continue
        h = _linear(x[rows], projection)
        below = _delta(g[rows], _linear(h, weight), y[rows] - low)
        by_h = _product(below, weight)
        pairs.append((_product(by_h.T, x[rows]), _product(below.T, h)))
        grad_x[rows] += _product(by_h, projection)
    grad_bias = None if head_bias is None else total(delta, 0)
    return grad_x.reshape(input.shape), None, _product(delta.T, x), tuple(pairs), grad_bias


def _prepare(input: Array, target: Array, cutoffs: Sequence[int], head_weight: Array, tail: Tail,
             head_bias: Array | None) -> tuple[Array, Array, list[int]]:
    """The checked input and targets, batched; the first class of each cluster, and the number of classes."""
    x, y = array("input", input), array("target", target)
    bounds = check_cutoffs(cutoffs)
    if y.ndim > 1:
        raise RuntimeError(f"target must have shape (N) or (), not {y.shape}")
    if x.ndim != y.ndim + 1 or x.shape[:-1] != y.shape:
        needed = "".join(f"{n}, " for n in y.shape)
        raise RuntimeError(f"input must have shape ({needed}F) for target of shape {y.shape}, not {x.shape}")
    if y.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"target must be of dtype int64 or int32, not {y.dtype}")
    _check_parameters(x, bounds, head_weight, tail, head_bias)
    if not is_floating(x):
        raise NotImplementedError(f"input must be floating, not {x.dtype}")
    bounds = [*bounds, bounds[-1] + len(tail[-1][1])]
    wrong = first_outside(y, 0, bounds[-1])
    if wrong is not None:
        raise RuntimeError(f"target must be in 0..{bounds[-1] - 1}, not {wrong}")
    return x.reshape(y.size, x.shape[-1]), y.ravel().astype(np.int64), bounds


def _check_parameters(x: Array, bounds: list[int], head_weight: Array, tail: Tail, head_bias: Array | None) -> None:
    """Refuse parameters that have another shape than the cutoffs and the features ask for, or another dtype."""
    features = x.shape[-1]
    named: dict[str, tuple[Array, tuple[int, ...]]] = {
        "head_weight": (head_weight, (bounds[0] + len(bounds), features))}
    if not isinstance(tail, list | tuple) or not all(isinstance(one, list | tuple) and len(one) == 2 for one in tail):
        raise TypeError(f"tail must be a sequence of pairs of matrices, not {type(tail).__name__}")
    if len(tail) != len(bounds):
        raise RuntimeError(f"tail must have a pair for each of {len(bounds)} clusters, not {len(tail)}")
    for i, (projection, weight) in enumerate(tail):
        inner, classes = len(array(f"tail[{i}][0]", projection)), len(array(f"tail[{i}][1]", weight))
        if i + 1 < len(bounds):
            classes = bounds[i + 1] - bounds[i]
        named |= {f"tail[{i}][0]": (projection, (inner, features)),
                  f"tail[{i}][1]": (weight, (classes, inner))}
    if head_bias is not None:
        named["head_bias"] = head_bias, (bounds[0] + len(bounds),)
    for name, (given, shape) in named.items():
        if array(name, given).shape != shape:
            raise RuntimeError(f"{name} must have shape {shape}, not {given.shape}")
        if given.dtype != x.dtype:
            raise RuntimeError(f"{name} must have the dtype of input, {x.dtype}, not {given.dtype}")


def check_cutoffs(cutoffs: Sequence[int]) -> list[int]:
    """The cutoffs as integers.

    Raises:
        ValueError: there are none, or they are not positive, increasing integers.
    """
    if not isinstance(cutoffs, Iterable):
        raise TypeError(f"cutoffs must be a sequence of integers, not {type(cutoffs).__name__}")
    given = list(cutoffs)
    if not given or any(int(c) != c or c <= 0 for c in given) or given != sorted(set(given)):
        raise ValueError(f"cutoffs must be increasing, positive integers, at least one, not {given}")
    return [int(c) for c in cutoffs]


def _places(y: Array, bounds: list[int]) -> tuple[Array, list[Array]]:
    """The place of each target in the head, and the rows with targets in each cluster."""
    cluster = np.searchsorted(bounds, y, side="right")
    place = np.where(cluster == 0, y, bounds[0] + cluster - 1)
    return place, [np.flatnonzero(cluster == i) for i in range(1, len(bounds))]


def _product(a: Array, b: Array) -> Array:
    """a b; half types are accumulated in float32."""
    return cast(widen(a) @ widen(b), a.dtype)


def _linear(x: Array, weight: Array) -> Array:
    return _product(x, weight.T)


def _head(x: Array, head_weight: Array, head_bias: Array | None) -> Array:
    logits = _linear(x, head_weight)
    return logits if head_bias is None else logits + head_bias


def _delta(g: Array, logits: Array, index: Array) -> Array:
    """g ([c = y] - p_c), for each row."""
    delta = scaled_softmax(logits, -g, 1)
    delta[np.arange(len(index)), index] += g
    return cast(delta, logits.dtype)


def _log_p(logits: Array, index: Array) -> Array:
    """log_softmax(logits) at the index of each row."""
    largest, log_sum = log_partition(logits, 1)
    return (logits[np.arange(len(index)), index] - largest) - log_sum


class AdaptiveLogSoftmaxWithLoss(LossModule):
    """The module form of :func:`adaptive_log_softmax_with_loss`, with parameters of its own.

    Arguments are those of ``torch.nn.AdaptiveLogSoftmaxWithLoss`` but for ``device``. ``head`` is a linear
    layer, ``tail`` has two for each cluster; cluster i has in_features / div_valueⁱ features, rounded down.

    Raises:
        ValueError: ``cutoffs`` are none, or not positive, increasing and below n_classes.

    >>> module = AdaptiveLogSoftmaxWithLoss(2, 5, [2])
    >>> np.exp(module.log_prob(np.ones((1, 2), np.float32))).sum().round(3).item()
    1.0
    """

    function = staticmethod(adaptive_log_softmax_with_loss)
    defaults = MappingProxyType({})

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
                 head_bias: bool = False, dtype: Any = None) -> None:
        bounds = check_cutoffs(cutoffs)
        if bounds[-1] >= n_classes:
            raise ValueError(f"cutoffs must be below n_classes, {n_classes}, not {bounds}")
        self.in_features, self.n_classes = in_features, n_classes
        self.div_value, self.head_bias = div_value, head_bias
        self.cutoffs = [*bounds, n_classes]
        self.shortlist_size, self.n_clusters = bounds[0], len(bounds)
        self.head_size = bounds[0] + len(bounds)
        self.head = Linear(in_features, self.head_size, head_bias, dtype)
        self.tail = []
        for i, size in enumerate(np.diff(self.cutoffs).tolist(), 1):
            inner = int(in_features // div_value**i)
            self.tail.append((Linear(in_features, inner, False, dtype), Linear(inner, size, False, dtype)))

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for layer in (self.head, *(layer for pair in self.tail for layer in pair)):
            layer.reset_parameters()

    def forward(self, input_: Array, target_: Array) -> AdaptiveOutput:
        """Log-probabilities of the targets, and the loss."""
        tail = tuple((projection.weight, out.weight) for projection, out in self.tail)
        return adaptive_log_softmax_with_loss(input_, target_, self.cutoffs[:-1], self.head.weight, tail,
                                              self.head.bias)

    __call__ = forward

    @ieee
    def log_prob(self, input: Array) -> Array:
        """Log-probabilities of all classes, shape (N, n_classes), of input of shape (N, F)."""
        head = log_softmax(_head(input, self.head.weight, self.head.bias), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, (projection, out) in enumerate(self.tail):
            below = log_softmax(_linear(_linear(input, projection.weight), out.weight), 1)
            parts.append(below + head[:, self.shortlist_size + i, None])
        return np.concatenate(parts, 1)

    def predict(self, input: Array) -> Array:
        """The most probable class of each row, shape (N), of input of shape (N, F)."""
        return np.asarray(np.argmax(self.log_prob(input), 1))

    def __repr__(self) -> str:
        return (f"AdaptiveLogSoftmaxWithLoss({self.in_features}, {self.n_classes}, {self.cutoffs[:-1]}, "
                f"div_value={self.div_value}, head_bias={self.head_bias})")

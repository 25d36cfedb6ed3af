"""Rules that torch follows where its own documentation says something else: losses of probabilities."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import losses, numerics, reduction

from ..cases.spec import LossSpec
from .calls import Arguments, Array, mean_over, with_reduction
from .record import Dialect

__all__ = ["TORCH_LIKELIHOODS"]


def _log_sigmoid_bce(spec: LossSpec) -> LossSpec:
    """(1-t) x - (1 + (v-1) t) log σ(x), and its gradient from σ(x) - t."""

    def factors(input: Array, target: Array, weight: Array | None, pos_weight: Array | None) -> tuple[Any, Any, Any]:
        v = 1 if pos_weight is None else pos_weight
        log_weight = 1 if pos_weight is None else (v - 1) * target + 1
        return v, log_weight, 1 if weight is None else weight

    @numerics.ieee
    def function(input: Array, target: Array, weight: Array | None = None, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean", pos_weight: Array | None = None) -> Array:
        _, log_weight, w = factors(input, target, weight, pos_weight)
        elements = ((1 - target) * input - log_weight * numerics.log_sigmoid(input)) * w
        return reduction.reduce_losses(numerics.cast(elements, target.dtype),
                                       reduction.resolve(reduction_, size_average=size_average, reduce=reduce))

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 size_average: bool | None = None, reduce: bool | None = None, reduction_: str = "mean",
                 pos_weight: Array | None = None) -> tuple[Array | None, ...]:
        v, _, w = factors(input, target, weight, pos_weight)
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = (grad_output / input.size if mean else grad_output) * w
        sigma = numerics.sigmoid(input)
        if pos_weight is None:
            by_input, by_target = sigma - target, -input
        else:
            by_input = (v * target + 1 - target) * sigma - v * target
            by_target = -v * numerics.log_sigmoid(input) + numerics.log_sigmoid(-input)
        return (numerics.unbroadcast(g * by_input, input), numerics.unbroadcast(g * by_target, target), None, None)

    return dataclasses.replace(spec, function=with_reduction(function), backward=with_reduction(backward))


def _unclamped_bce(spec: LossSpec) -> LossSpec:
    """The gradient for the target is log(1-x) - log x, though the loss clamps both."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean") -> tuple[Array | None, ...]:
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = (grad_output / input.size if mean else grad_output) * (1 if weight is None else weight)
        by_target = numerics.cast(g * (np.log1p(-input) - np.log(input)), target.dtype)
        return spec.backward(grad_output, input, target, weight, size_average, reduce, reduction_)[0], by_target, None

    return dataclasses.replace(spec, backward=with_reduction(backward))


def _floorless_bce(spec: LossSpec) -> LossSpec:
    """The gradient for the input is (x - t) / (x (1-x)), for 1e-12 is 0 in float16."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean") -> tuple[Array | None, ...]:
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = (grad_output / input.size if mean else grad_output) * (1 if weight is None else weight)
        by_input = numerics.cast(g * ((input - target) / (input * (1 - input))), input.dtype)
        return by_input, *spec.backward(grad_output, input, target, weight, size_average, reduce, reduction_)[1:]

    return dataclasses.replace(spec, backward=with_reduction(backward))


def _unmasked_cross_entropy(spec: LossSpec) -> LossSpec:
    """The gradient of every row is multiplied out, those that do not count by 0: 0 · NaN is NaN."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, *args: Any, **kwargs: Any) -> Any:
        grad_input, *others = losses.cross_entropy_backward(grad_output, input, target, *args, **kwargs)
        axis = min(input.ndim - 1, 1)
        return (grad_input + numerics.cast(0 * numerics.softmax(input, axis), input.dtype), *others)

    return dataclasses.replace(spec, backward=backward)


def _multiplied_mask_poisson(spec: LossSpec) -> LossSpec:
    """Stirling's derivative, log t + t/t - 1 + 1/(2t), is multiplied by 0 where the term is left out."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, *args: Any, **kwargs: Any) -> Any:
        by_input, by_target = spec.backward(grad_output, input, target, *args, **kwargs)
        harm = 0 * (np.log(target) + target / target - 1 + 1 / (2 * target))
        return by_input, None if by_target is None else by_target + numerics.cast(harm, target.dtype)

    return dataclasses.replace(spec, backward=backward)


def _epsless_poisson(spec: LossSpec) -> LossSpec:
    """ε is 0, as 1e-8 is in float16, and the gradient for the target that of torch in the other types."""
    def without(f: Callable[..., Any], full_f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, eps=1e-8, full=False, **kwargs: (full_f if full else f)(
            *args, eps=0.0, full=full, **kwargs)

    return dataclasses.replace(spec, function=without(spec.function, spec.function),
                               backward=without(spec.backward, _multiplied_mask_poisson(spec).backward))


def _unmasked_kl_div(spec: LossSpec) -> LossSpec:
    """Probabilities of 0 are multiplied out: 0 · inf is NaN, and so is 0/0, the derivative of t log t but for log t."""

    def resolved(input: Array, reduction_: str, size_average: bool | None,
                 reduce: bool | None) -> tuple[str, int | None]:
        kind = reduction.resolve(reduction_, size_average=size_average, reduce=reduce, extra=("batchmean",))
        return ("mean", input.shape[0] if input.ndim else 1) if kind == "batchmean" else (kind, None)

    @numerics.ieee
    def function(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean", log_target: bool = False) -> Array:
        x, t = input, target
        elements = np.exp(t) * (t - x) if log_target else numerics.xlogy(t, t) - t * x
        return reduction.reduce_losses(elements, *resolved(x, reduction_, size_average, reduce))

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean",
                 log_target: bool = False) -> tuple[Array | None, ...]:
        x, t, p = input, target, np.exp(target) if log_target else target
        by_target = p * (t - x) + p if log_target else np.log(t) + t / t - x
        kind, rows = resolved(x, reduction_, size_average, reduce)
        g = grad_output / (by_target.size if rows is None else rows) if kind == "mean" else grad_output
        by_input = np.broadcast_to(-g * p, by_target.shape, subok=True)
        return numerics.unbroadcast(by_input, input), numerics.unbroadcast(g * by_target, target)

    return dataclasses.replace(spec, function=with_reduction(function), backward=with_reduction(backward))


def _ctc_inf_minus_inf(spec: LossSpec) -> LossSpec:
    """exp(lp) - exp(A - lp - log P) with log-probabilities A of paths: where lp is -inf, so is A, and NaN comes."""

    @numerics.ieee
    def backward(grad_output: Array, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any,
                 blank: int = 0, reduction_: str = "mean", zero_infinity: bool = False) -> Any:
        arguments = (log_probs, targets, input_lengths, target_lengths, blank)
        gradient, *others = losses.ctc_loss_backward(grad_output, *arguments, reduction_, zero_infinity)
        time = np.arange(len(log_probs)).reshape(-1, *(1,) * (log_probs.ndim - 1))
        lost = (time < np.asarray(input_lengths).reshape(-1, 1)) & (log_probs == -np.inf)
        if zero_infinity:
            lost = lost & (losses.ctc_loss(*arguments, "none") != np.inf).reshape(-1, 1)
        return (np.where(lost, np.nan, gradient), *others)

    return dataclasses.replace(spec, backward=with_reduction(backward))


def _count_in_float16(a: Arguments) -> Any:
    """What rows that are not ignored weigh together, as float16 holds it: infinitely much above 65,519."""
    target, weight = a["target"], a.get("weight")
    if target.dtype.kind in "iu":
        counted = target[target != a.get("ignore_index", -100)]
        total = counted.size if weight is None else weight[counted].sum()
    else:  # probabilities, of all classes of each row
        total = target.size // target.shape[min(target.ndim - 1, 1)]
    return total if total < 65520 else math.inf


TORCH_LIKELIHOODS = (
    Dialect("bce-log-sigmoid", "binary_cross_entropy_with_logits", "log σ(x) in the place of a softplus",
            "the loss is (1-t) x - (1 + (v-1) t) log σ(x), which cancels where x < 0; the gradient σ(x) - t "
            "cancels where x > 0", "torch 0.4 to 2.13", _log_sigmoid_bce),
    Dialect("ce-unmasked", "cross_entropy", "ignored rows multiplied by 0",
            "gradients of ignored rows are 0 · softmax rather than 0, NaN where the row holds NaN or infinity",
            "torch 0.4 to 2.13", _unmasked_cross_entropy),
    Dialect("ce-float16-count", "cross_entropy", "rows counted in float16",
            "the mean divides by infinity where there are more rows than 65,519: it is 0, and so is its gradient",
            "torch in float16", mean_over(_count_in_float16)),
    Dialect("nll-float16-count", "nll_loss", "rows counted in float16",
            "the mean divides by infinity where there are more rows than 65,519: it is 0, and so is its gradient",
            "torch in float16", mean_over(_count_in_float16)),
    Dialect("bce-unclamped", "binary_cross_entropy", "an unclamped gradient for the target",
            "the gradient for the target is log(1-x) - log x, where the loss has both logarithms clamped at -100",
            "torch 2.13", _unclamped_bce),
    Dialect("bce-floorless", "binary_cross_entropy", "no floor under x (1-x) in the gradient",
            "the gradient for the input divides by x (1-x), without a floor of 1e-12", "torch in float16",
            _floorless_bce),
    Dialect("poisson-multiplied-mask", "poisson_nll_loss",
            "Stirling's gradient multiplied by 0 where the term is left out",
            "the gradient of Stirling's term for the target is multiplied by 0 where the term is left out, "
            "NaN where the target is 0 or negative", "torch 2.13", _multiplied_mask_poisson),
    Dialect("poisson-epsless", "poisson_nll_loss", "an eps of 0",
            "the loss is x - t log x, without eps", "torch in float16",
            _epsless_poisson),
    Dialect("kl-unmasked", "kl_div", "probabilities of 0 multiplied out",
            "the loss is t log t - t x or exp(t) (t - x) at a probability of 0 too, NaN where a factor is "
            "infinite; the derivative of t log t is log t + t/t, NaN at 0", "torch 1.13 to 2.13", _unmasked_kl_div),
    Dialect("ctc-inf-minus-inf", "ctc_loss", "a gradient of inf - inf where log_probs is -inf",
            "the gradient is NaN rather than 0 where log_probs is -inf", "torch 1.0 to 2.13", _ctc_inf_minus_inf),
)

"""Dialects: known ways in which implementations differ from the reference, each with the rule it follows.

A dialect is a changed spec, so everything that can be asked of a reference can be asked of it: its
values, its truth, its bound. A waiver that names one accepts a disagreement only where the answer is
what the dialect's rule gives, within the dialect's own bound: whatever else is wrong still fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference import losses, numerics, optim, reduction
from reference.optim import muon
from reference.precision import outcomes
from reference.spec import LossSpec, OptimSpec, Spec

__all__ = ["DIALECTS", "Dialect"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Dialect:
    """A known variant of an op."""

    name: str
    op: str
    difference: str  #: in mathematics, one line
    used_by: str
    changed: Callable[[Any], Spec]

    def __call__(self, spec: Spec) -> Spec:
        """The spec of the op with the dialect's rule in it."""
        if spec.name != self.op:
            raise ValueError(f"dialect {self.name!r} is one of {self.op}, not of {spec.name}")
        return self.changed(spec)


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
                                       reduction.resolve(reduction_, size_average, reduce))

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 size_average: bool | None = None, reduce: bool | None = None, reduction_: str = "mean",
                 pos_weight: Array | None = None) -> tuple[Array | None, ...]:
        v, _, w = factors(input, target, weight, pos_weight)
        mean = reduction.resolve(reduction_, size_average, reduce) == "mean"
        g = (grad_output / input.size if mean else grad_output) * w
        sigma = numerics.sigmoid(input)
        if pos_weight is None:
            by_input, by_target = sigma - target, -input
        else:
            by_input = (v * target + 1 - target) * sigma - v * target
            by_target = -v * numerics.log_sigmoid(input) + numerics.log_sigmoid(-input)
        return (numerics.unbroadcast(g * by_input, input), numerics.unbroadcast(g * by_target, target), None, None)

    return dataclasses.replace(spec, function=_torch_names(function), backward=_torch_names(backward))


def _torch_names(function: Callable[..., Any]) -> Callable[..., Any]:
    """``reduction`` is the name of a module here."""
    return lambda *args, reduction="mean", **kwargs: function(*args, reduction_=reduction, **kwargs)


def _unmasked_cross_entropy(spec: LossSpec) -> LossSpec:
    """The gradient of every row is multiplied out, those that do not count by 0: 0 · NaN is NaN."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, *args: Any, **kwargs: Any) -> Any:
        grad_input, *others = losses.cross_entropy_backward(grad_output, input, target, *args, **kwargs)
        axis = min(input.ndim - 1, 1)
        return (grad_input + numerics.cast(0 * numerics.softmax(input, axis), input.dtype), *others)

    return dataclasses.replace(spec, backward=backward)


def _float32_rates(spec: OptimSpec) -> OptimSpec:
    """Learning rate and weight of the mean are computed, or at least kept, in float32."""

    class Float32Rates(optim.ASGD):
        def _rates(self, eta: float, n: float, saved: float) -> tuple[float, float]:
            kept = np.ones_like(next(iter(self.state)).data, np.float32, shape=())
            kept[...] = saved  # a second rounding: foreach computes it in float32
            return kept.item(), 1 / float(np.float32(1 / n))

    return dataclasses.replace(spec, optimizer=Float32Rates)


#: The smallest number above 0 of a storage type.
_SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}


def _sign_of_product(spec: OptimSpec) -> OptimSpec:
    """Whether a gradient has turned is the sign of its product with the last one, and that may underflow."""

    class SignOfProduct(optim.Rprop):
        def _update(self, p: optim.Parameter, grad: Array, options: dict[str, Any]) -> None:
            if self.state[p]:
                prev = self.state[p]["prev"]
                smallest = _SMALLEST[(getattr(prev, "stands_for", None) or prev.dtype).name]
                lost = np.abs(prev * grad) * 2.0**60 <= smallest * 2.0**59  # a half of it rounds to 0
                prev[...] = np.where(lost, 0, prev)
            super()._update(p, grad, options)

    return dataclasses.replace(spec, optimizer=SignOfProduct)


def _shared_accumulator(spec: OptimSpec) -> OptimSpec:
    """Every group's sum starts where the constructor says, whatever the group says."""

    class SharedAccumulator(optim.Adagrad):
        def _start(self, p: optim.Parameter, tau: float) -> None:
            super()._start(p, self.defaults["initial_accumulator_value"])

    return dataclasses.replace(spec, optimizer=SharedAccumulator)


def _aliased_muon(spec: OptimSpec) -> OptimSpec:
    """The buffer itself is divided by its norm, where it is in bfloat16 already and is what is orthogonalized."""

    class Aliased(muon.Muon):
        def _update(self, p: Any, grad: Array, options: dict[str, Any]) -> None:
            super()._update(p, grad, options)
            b = self.state[p]["momentum_buffer"]
            if not options["nesterov"] and getattr(b, "stands_for", b.dtype).name == "bfloat16":
                b[...] = outcomes(muon.normalized, "float32", numerics.widen(b), options["eps"])

    return dataclasses.replace(spec, optimizer=Aliased)


DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (
    Dialect("bce-log-sigmoid", "binary_cross_entropy_with_logits",
            "the loss is (1-t) x - (1 + (v-1) t) log σ(x), which cancels where x < 0; the gradient σ(x) - t "
            "cancels where x > 0", "torch 0.4 to 2.13", _log_sigmoid_bce),
    Dialect("ce-unmasked", "cross_entropy",
            "gradients of ignored rows are 0 · softmax rather than 0, NaN where the row holds NaN or infinity",
            "torch 0.4 to 2.13", _unmasked_cross_entropy),
    Dialect("asgd-float32-rates", "ASGD", "learning rate and 1/n are rounded to float32 before they are used",
            "torch 2.0 to 2.13", _float32_rates),
    Dialect("rprop-product", "Rprop", "a gradient has turned where g·g_prev < 0, and stayed where it is > 0; in "
            "the type, where the product of small ones is 0", "torch 0.1 to 2.13", _sign_of_product),
    Dialect("adagrad-one-start", "Adagrad", "the constructor's initial_accumulator_value is that of every group",
            "torch 0.4 to 2.13", _shared_accumulator),
    Dialect("muon-aliased", "Muon",
            "in bfloat16, without Nesterov's momentum, the buffer is divided by its norm after every step",
            "torch 2.9 to 2.13", _aliased_muon),
)}

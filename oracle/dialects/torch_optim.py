"""Rules that torch follows where its own documentation says something else: optimizers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from reference import numerics, optim
from reference.optim import muon
from reference.precision import outcomes

from ..cases.spec import OptimSpec
from .record import Dialect

__all__ = ["TORCH_OPTIM"]

Array = np.ndarray[Any, Any]


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
        def _update(self, p: optim.Parameter, grad: Array, options: dict[str, Any]) -> Any:
            if self.state[p]:
                prev = self.state[p]["prev"]
                smallest = _SMALLEST[(getattr(prev, "stands_for", None) or prev.dtype).name]
                lost = np.abs(prev * grad) * 2.0**60 <= smallest * 2.0**59  # a half of it rounds to 0
                prev[...] = np.where(lost, 0, prev)
            return super()._update(p, grad, options)

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


TORCH_OPTIM = (
    Dialect("asgd-float32-rates", "ASGD", "rates in float32",
            "learning rate and 1/n are rounded to float32 before they are used",
            "torch 2.0 to 2.13", _float32_rates),
    Dialect("rprop-product", "Rprop", "the sign of a product that may underflow",
            "a gradient has turned where g·g_prev < 0, and stayed where it is > 0; in "
            "the type, where the product of small ones is 0", "torch 0.1 to 2.13", _sign_of_product),
    Dialect("adagrad-one-start", "Adagrad", "one initial accumulator for all groups",
            "the constructor's initial_accumulator_value is that of every group",
            "torch 0.4 to 2.13", _shared_accumulator),
    Dialect("muon-aliased", "Muon", "a buffer that is divided by its norm",
            "in bfloat16, without Nesterov's momentum, the buffer is divided by its norm after every step",
            "torch 2.9 to 2.13", _aliased_muon),
)

"""Mistakes in the mean squared error that people make. A class's docstring says which one."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_losses import Array, PlainMSE

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


@plant("mse_loss")
class MeanOverRows(PlainMSE):
    """The mean divides by the length of the first axis."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return (d.shape[0] if d.ndim else 1) if weight is None else weight.sum()


@plant("mse_loss")
class WeightedMeanOverCount(PlainMSE):
    """The weighted mean divides by the number of elements."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size


@plant("mse_loss")
class WeightsCountedAsBroadcast(PlainMSE):
    """Σ w counts a weight as often as it is used; torch counts it once."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size if weight is None else np.broadcast_to(weight, d.shape).sum()


@plant("mse_loss")
class HalfTheSquare(PlainMSE):
    """½ (x - y)²."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(d * d * w / 2)


@plant("mse_loss")
class WeightSquared(PlainMSE):
    """(w (x - y))²."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray((d * w) ** 2)


@plant("mse_loss")
class Expanded(PlainMSE):
    """x² - 2xy + y², which cancels."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **reductions: Any) -> Array:
        x, y, w = input, target, 1 if weight is None else weight
        losses = (x * x - 2 * x * y + y * y) * w
        return self.reduced(losses, self.reduction(**reductions), self.divisor(x - y, weight))


@plant("mse_loss")
class NoFactorTwo(PlainMSE):
    """The gradient is that of half the square."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return g * (d * w)


@plant("mse_loss")
class GradientUnweighted(PlainMSE):
    """The gradient without weights."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return g * (2 * d)


@plant("mse_loss")
class WeightsGradientOfSum(PlainMSE):
    """The mean's gradient for w forgets that w is in the divisor."""

    def weight_gradient(self, g: Array, d: Array, w: Array, mean: bool) -> Array:
        return super().weight_gradient(g, d, w, False)


@plant("mse_loss")
class BroadcastAveraged(PlainMSE):
    """The gradient of a broadcast argument is the mean of its copies' and not their sum."""

    def unbroadcast(self, gradient: Array, argument: Array) -> Array:
        copies = max(gradient.size, 1) // max(argument.size, 1)
        return super().unbroadcast(gradient, argument) / copies


@plant("mse_loss", note="^shape")
class BroadcastKept(PlainMSE):
    """The gradient of a broadcast argument has the broadcast shape."""

    def unbroadcast(self, gradient: Array, argument: Array) -> Array:
        return gradient


@plant("mse_loss")
class LegacyIgnored(PlainMSE):
    """size_average and reduce change nothing."""

    def reduction(self, reduction: str = "mean", size_average: bool | None = None,
                  reduce: bool | None = None) -> str:
        return reduction if size_average is None else "mean"


@plant("mse_loss", note="^dtype float64")
class DoubleMean(PlainMSE):
    """The mean comes back as float64."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return np.float64(d.size) if weight is None else weight.sum()


@plant("mse_loss", Verdict.CRASHED, note="read-only")
class DifferenceInPlace(PlainMSE):
    """The difference is written into the input."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **reductions: Any) -> Array:
        input -= target
        return super().forward(input, np.zeros_like(input), weight, **reductions)

"""Mistakes in losses between pairs: absolute, smoothed, Huber, soft margin and hinge embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import Mutant
from tests.meta.plain_losses import Array, PlainLoss, PlainMSE

__all__ = ["MUTANTS", "PlainHinge", "PlainHuber", "PlainL1", "PlainSmoothL1", "PlainSoftMargin"]


class PlainL1(PlainMSE):
    """w |d|."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(np.abs(d) * w)

    def sign(self, d: Array) -> Array:
        return np.asarray(np.where(d > 0, np.float32(1), np.where(d < 0, np.float32(-1), np.float32(0))))

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * w * self.sign(d))

    def weight_gradient(self, g: Array, d: Array, w: Array, mean: bool) -> Array:
        gain = self.unbroadcast(np.broadcast_to(g * np.abs(d), d.shape), w)
        return gain - g * self.total(np.abs(d) * w) / w.sum() if mean else gain


class PlainSmoothL1(PlainMSE):
    """d²/2β, |d| - β/2."""

    def forward(self, input: Array, target: Array, beta: float = 1.0, **rest: Any) -> Array:  # type: ignore[override]
        self.beta = beta
        return super().forward(input, target, **rest)

    def backward(self, grad_output: Array, input: Array, target: Array, beta: float = 1.0,  # type: ignore[override]
                 **rest: Any) -> tuple[Array | None, ...]:
        self.beta = beta
        return super().backward(grad_output, input, target, **rest)[:2]

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return np.where(z < self.beta, z * z / (2 * self.beta) if self.beta else z, z - self.beta / 2)

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        if not self.beta:
            return g * np.nan_to_num(np.sign(d))
        return np.asarray(g * (np.clip(d, -self.beta, self.beta) / self.beta))


class PlainHuber(PlainMSE):
    """w d²/2, w δ (|d| - δ/2)."""

    def forward(self, input: Array, target: Array, delta: float = 1.0, **rest: Any) -> Array:  # type: ignore[override]
        self.delta = delta
        return super().forward(input, target, **rest)

    def backward(self, grad_output: Array, input: Array, target: Array, delta: float = 1.0,  # type: ignore[override]
                 **rest: Any) -> tuple[Array | None, ...]:
        self.delta = delta
        return super().backward(grad_output, input, target, **rest)

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return np.asarray(np.where(z <= self.delta, z * z / 2, self.delta * (z - self.delta / 2)) * w)

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * w * np.clip(d, -self.delta, self.delta))

    def weight_gradient(self, g: Array, d: Array, w: Array, mean: bool) -> Array:
        return self.unbroadcast(np.broadcast_to(g * self.losses(d, 1), d.shape), w)


class PlainSoftMargin(PlainLoss):
    """max(-y x, 0) + log1p(exp(-|y x|))."""

    def forward(self, input: Array, target: Array, **reductions: Any) -> Array:
        losses = self.losses(-self.float(target) * input)
        return self.reduced(losses, self.reduction(**reductions), losses.size)

    def backward(self, grad_output: Array, input: Array, target: Array, **reductions: Any) -> tuple[Any, ...]:
        y = self.float(target)
        g = grad_output / input.size if self.reduction(**reductions) == "mean" else grad_output
        return np.asarray(g * self.slope(y, -y * input)), None

    def float(self, target: Array) -> Array:
        return target.astype(np.float32)

    def losses(self, z: Array) -> Array:
        return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))

    def slope(self, y: Array, z: Array) -> Array:
        return np.asarray(-y * np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))))


class PlainHinge(PlainLoss):
    """x, max(0, m - x)."""

    def forward(self, input: Array, target: Array, margin: float = 1.0, **reductions: Any) -> Array:
        losses = np.asarray(self.losses(*np.broadcast_arrays(input, target), margin))
        return self.reduced(losses, self.reduction(**reductions), losses.size)

    def backward(self, grad_output: Array, input: Array, target: Array, margin: float = 1.0,
                 **reductions: Any) -> tuple[Any, ...]:
        slope = self.slope(*np.broadcast_arrays(input, target), margin).astype(np.float32)
        g = grad_output / slope.size if self.reduction(**reductions) == "mean" else grad_output
        return PlainMSE().unbroadcast(g * slope, input), None

    def losses(self, x: Array, y: Array, m: float) -> Array:
        return np.where(y != -1, x, 0) + np.where(y != 1, self.lacking(x, m), 0)

    def lacking(self, x: Array, m: float) -> Array:
        return np.asarray(np.maximum(m - x, 0))

    def slope(self, x: Array, y: Array, m: float) -> Array:
        return (y != -1).astype(int) - ((y != 1) & self.short(x, m))

    def short(self, x: Array, m: float) -> Array:
        return np.asarray(m - x >= 0)


# --- absolute error ------------------------------------------------------------------------------


class AbsoluteMeanOverCount(PlainL1):
    """The weighted mean divides by the number of elements."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size


class AbsoluteSlopeAtTies(PlainL1):
    """The gradient at x = y is 1."""

    def sign(self, d: Array) -> Array:
        return np.asarray(np.where(d >= 0, np.float32(1), np.where(d < 0, np.float32(-1), np.float32(0))))


class AbsoluteSlopeByDivision(PlainL1):
    """The gradient is d/|d|, NaN at x = y."""

    def sign(self, d: Array) -> Array:
        return np.asarray(d / np.abs(d))


class AbsoluteRoot(PlainL1):
    """The root of d², which overflows and underflows."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(np.sqrt(d * d) * w)


class AbsoluteUnweightedGradient(PlainL1):
    """The gradient without weights."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return super().slope(g, d, 1)


# --- smoothed absolute error ---------------------------------------------------------------------


class SmoothAsHuber(PlainSmoothL1):
    """The Huber loss: β times what is wanted."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(super().losses(d, w) * (self.beta or 1))


class SmoothBetaForOne(PlainSmoothL1):
    """The parabola ends at 1 whatever β is."""

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return np.where(z < 1, z * z / (2 * self.beta) if self.beta else z, z - self.beta / 2)


class SmoothZeroBetaDivides(PlainSmoothL1):
    """β = 0 divides 0 by 0 where x = y, as torch's CUDA kernel once did."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * (np.clip(d, -self.beta, self.beta) / np.float32(self.beta)))


class SmoothOffset(PlainSmoothL1):
    """|d| - β: the branches do not meet."""

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return np.where(z < self.beta, z * z / (2 * self.beta) if self.beta else z, z - self.beta)


class SmoothGradientUnscaled(PlainSmoothL1):
    """The gradient of the parabola without 1/β."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * np.clip(d, -1, 1)) if self.beta else super().slope(g, d, w)


# --- Huber loss ----------------------------------------------------------------------------------


class HuberMeanOverWeights(PlainHuber):
    """The weighted mean divides by Σ w, as that of squared errors does."""

    def divisor(self, d: Array, weight: Array | None) -> Any:
        return d.size if weight is None else weight.sum()


class HuberAsSmooth(PlainHuber):
    """Divided by δ."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(super().losses(d, w) / self.delta)


class HuberDeltaForOne(PlainHuber):
    """The parabola ends at 1 whatever δ is."""

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return np.asarray(np.where(z <= 1, z * z / 2, self.delta * (z - self.delta / 2)) * w)


class HuberWeightInside(PlainHuber):
    """Errors are weighted, not losses."""

    def losses(self, d: Array, w: Any) -> Array:
        return super().losses(np.asarray(d * w), 1)


class HuberGradientUnclipped(PlainHuber):
    """The gradient of the parabola everywhere."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * w * d)


# --- soft margin ---------------------------------------------------------------------------------


class SoftMarginOverflow(PlainSoftMargin):
    """log(1 + exp(-y x)) as it stands."""

    def losses(self, z: Array) -> Array:
        return np.asarray(np.log1p(np.exp(z)))


class SoftMarginLog(PlainSoftMargin):
    """log(1 + e) for log1p(e): what is far on the right side costs nothing."""

    def losses(self, z: Array) -> Array:
        return np.asarray(np.maximum(z, 0) + np.log(1 + np.exp(-np.abs(z))))


class SoftMarginSign(PlainSoftMargin):
    """The sign of the margin: log(1 + exp(y x))."""

    def losses(self, z: Array) -> Array:
        return super().losses(-z)


class SoftMarginGradientOverflow(PlainSoftMargin):
    """The gradient -y e / (1 + e), NaN where e overflows."""

    def slope(self, y: Array, z: Array) -> Array:
        return np.asarray(-y * np.exp(z) / (1 + np.exp(z)))


class SoftMarginGradientCancels(PlainSoftMargin):
    """The gradient y (p - 1) with p = σ(y x), which cancels where p is near 1."""

    def slope(self, y: Array, z: Array) -> Array:
        return np.asarray(y * (1 / (1 + np.exp(z)) - 1))


class SoftMarginTargetsForSigns(PlainSoftMargin):
    """The sign of the target instead of the target."""

    def float(self, target: Array) -> Array:
        return np.sign(target).astype(np.float32)


# --- hinge embedding -----------------------------------------------------------------------------


class HingeOtherwiseUnlike(PlainHinge):
    """What is not 1 counts as -1."""

    def losses(self, x: Array, y: Array, m: float) -> Array:
        return np.where(y == 1, x, self.lacking(x, m))


class HingeKinkIsFlat(PlainHinge):
    """The gradient at x = m is 0."""

    def short(self, x: Array, m: float) -> Array:
        return np.asarray(m - x > 0)


class HingeUnclamped(PlainHinge):
    """m - x, however far apart."""

    def lacking(self, x: Array, m: float) -> Array:
        return np.asarray(m - x)


class HingeMarginOfOne(PlainHinge):
    """The margin is 1."""

    def lacking(self, x: Array, m: float) -> Array:
        return super().lacking(x, 1.0)


class HingeGradientOfAlike(PlainHinge):
    """The gradient for other targets is that of one branch."""

    def slope(self, x: Array, y: Array, m: float) -> Array:
        return (y == 1).astype(int) - ((y == -1) & self.short(x, m))


class HingeMeanOverInput(PlainHinge):
    """The mean divides by the elements of input, though it was broadcast."""

    def forward(self, input: Array, target: Array, margin: float = 1.0, **reductions: Any) -> Array:
        losses = np.asarray(self.losses(*np.broadcast_arrays(input, target), margin))
        return self.reduced(losses, self.reduction(**reductions), input.size)


_OPS = {PlainL1: "l1_loss", PlainSmoothL1: "smooth_l1_loss", PlainHuber: "huber_loss",
        PlainSoftMargin: "soft_margin_loss", PlainHinge: "hinge_embedding_loss"}
#: What overflows or underflows on the way is told apart.
_LOST = {AbsoluteRoot, SoftMarginOverflow}

MUTANTS = [Mutant(op, code.__name__, str(code.__doc__), code,
                  verdict=Verdict.RANGE if code in _LOST else Verdict.EXCEEDS)
           for plain, op in _OPS.items() for code in plain.__subclasses__()]

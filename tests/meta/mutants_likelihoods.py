"""Mistakes in likelihoods: of classes, probabilities, counts and normal numbers. A class's docstring says which one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import NO_NOTE, Mutant
from tests.meta.plain_losses import Array, PlainCrossEntropy, _Plain

__all__ = ["MUTANTS", "PlainBCELoss", "PlainGaussian", "PlainKL", "PlainNLL", "PlainPoisson"]

MUTANTS: list[Mutant] = []


class PlainNLL(PlainCrossEntropy):
    """-w_y x_y: cross-entropy without the softmax."""

    def log_p(self, x: Array) -> Array:
        return x

    def slope(self, p: Array, q: Array, a: SimpleNamespace) -> Array:
        return np.where(a.kept[:, None], -q, 0)

    def coefficients(self, a: SimpleNamespace) -> Array:
        return np.asarray((np.arange(a.classes)[None, :, None] == a.y) * a.w)

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self._named(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self._named(arguments))

    def _named(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {**arguments, "target": arguments["target"].astype(np.int64)}


class _Pairwise(_Plain):
    """Elementwise losses of arguments that broadcast, and their gradients."""

    def forward(self, **arguments: Any) -> Array:
        a, reductions = self.split(arguments)
        return self.reduced(self.losses(**a), self.kind(**reductions), self.divisor(a, **reductions))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        a, reductions = self.split(arguments)
        mean = self.kind(**reductions) == "mean"
        g = grad_output / self.divisor(a, **reductions) if mean else grad_output
        shape = np.shape(self.losses(**a))
        slopes = self.slopes(**a)
        return tuple(None if s is None else self.unbroadcast(np.broadcast_to(g * s, shape), argument)
                     for s, argument in zip(slopes, [*a.values(), None][:len(slopes)], strict=True))

    def split(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        names = ("reduction", "size_average", "reduce")
        return ({k: v for k, v in arguments.items() if k not in names},
                {k: v for k, v in arguments.items() if k in names})

    def kind(self, **reductions: Any) -> str:
        return self.reduction(**reductions).replace("batch", "")

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        return np.size(self.losses(**a))

    def losses(self, **arguments: Any) -> Array:
        raise NotImplementedError

    def slopes(self, **arguments: Any) -> tuple[Any, ...]:
        raise NotImplementedError

    def unbroadcast(self, gradient: Array, argument: Array) -> Array | None:
        if argument.dtype != gradient.dtype:
            return None
        gradient = gradient.sum(tuple(range(gradient.ndim - argument.ndim)))
        axes = tuple(i for i, n in enumerate(argument.shape) if n == 1 != gradient.shape[i])
        return np.asarray(gradient.sum(axes, keepdims=True))


class PlainKL(_Pairwise):
    """t (log t - x), exp(t) (t - x)."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        if self.reduction(**reductions) == "batchmean":
            return a["input"].shape[0] if a["input"].ndim else 1
        return super().divisor(a)

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        p, log_p = (np.exp(target), target) if log_target else (target, np.log(target))
        return np.where((p == 0) & (input == input), 0, p * (log_p - input))

    def slopes(self, input: Array, target: Array, log_target: bool = False) -> tuple[Any, ...]:  # type: ignore[override]
        if not log_target:
            return -target, np.log(target) - input + 1
        p = np.exp(target)
        return -p, np.where((p == 0) & (input == input), 0, p * (target - input + 1))


class PlainBCELoss(_Pairwise):
    """-w [t max(log x, -100) + (1-t) max(log(1-x), -100)]."""

    floor = 1e-12

    def log(self, x: Array) -> Array:
        return np.maximum(np.log(x), np.float32(-100))

    def log1m(self, x: Array) -> Array:
        return np.maximum(np.log1p(-x), np.float32(-100))

    def losses(self, input: Array, target: Array, weight: Any = 1) -> Array:  # type: ignore[override]
        losses = -(target * self.log(input) + (1 - target) * self.log1m(input))
        return np.asarray((losses * weight).astype(np.float32))

    def slopes(self, input: Array, target: Array, weight: Any = 1) -> tuple[Any, ...]:  # type: ignore[override]
        by_input = (input - target) * weight / np.maximum(input * (1 - input), self.floor)
        by_target = (self.log1m(input) - self.log(input)) * weight
        return np.float32(1) * by_input.astype(np.float32), by_target.astype(np.float32), None


class PlainPoisson(_Pairwise):
    """exp(x) - t x, x - t log(x + ε), Stirling."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t <= 1, 1, t).astype(np.float32)
        return np.where(t <= 1, 0, s * np.log(s) - s + np.log(2 * np.float32(np.pi) * s) / 2)

    def log(self, x: Array, eps: float) -> Array:
        return np.log(x + np.float32(eps))

    def losses(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> Array:
        t = target.astype(np.float32)
        losses = np.exp(input) - t * input if log_input else input - t * self.log(input, eps)
        return np.asarray(losses + self.stirling(t) if full else losses)

    def slopes(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> tuple[Any, ...]:
        t = target.astype(np.float32)
        more = np.where(t <= 1, 0, np.log(t) + 1 / (2 * t)) if full else np.float32(0)
        by_input = np.exp(input) - t if log_input else 1 - t / (input + np.float32(eps))
        by_target = -input if log_input else -self.log(input, eps)
        return by_input, None if target.dtype.kind == "i" else by_target + more


class PlainGaussian(_Pairwise):
    """½ (log v + (x - y)² / v)."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        if isinstance(var, float):
            return np.maximum(np.full_like(input, var), np.float32(eps))
        var = var[..., None] if var.shape != input.shape and var.shape == input.shape[:-1] else var
        return np.asarray(np.maximum(var, np.float32(eps)))

    def losses(self, input: Array, target: Array, var: Any, full: bool = False,  # type: ignore[override]
               eps: float = 1e-6) -> Array:
        v, d = self.v(var, input, eps), input - target
        losses = (np.log(v) + d * d / v) / 2
        return np.asarray(losses + np.float32(np.log(2 * np.pi) / 2) if full else losses)

    def slopes(self, input: Array, target: Array, var: Any, full: bool = False,  # type: ignore[override]
               eps: float = 1e-6) -> tuple[Any, ...]:
        v, d = self.v(var, input, eps), input - target
        return d / v, -d / v, self.by_var(d, v, var, eps)

    def by_var(self, d: Array, v: Array, var: Any, eps: float) -> Any:
        return None if isinstance(var, float) else (1 / v - d * d / v / v) / 2

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        input, var = arguments["input"], arguments["var"]
        if isinstance(var, float) or var.shape == input.shape or var.ndim == input.ndim:
            return super().backward(grad_output, **arguments)
        *slopes, by_var = super().backward(grad_output, **{**arguments, "var": var[..., None]})
        return (*slopes, None if by_var is None else by_var.reshape(var.shape))


_OPS = {PlainNLL: "nll_loss", PlainKL: "kl_div", PlainBCELoss: "binary_cross_entropy",
        PlainPoisson: "poisson_nll_loss", PlainGaussian: "gaussian_nll_loss"}


def plant(verdict: Verdict = Verdict.EXCEEDS, note: str = NO_NOTE) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        op = next(op for base, op in _OPS.items() if issubclass(code, base))
        MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), code, verdict=verdict, note=note))
        return code

    return keep


# --- negative log-likelihood of classes ----------------------------------------------------------

@plant()
class SoftmaxOfLogProbabilities(PlainNLL):
    """Log-probabilities are normalised once more, as cross-entropy does with logits."""

    def log_p(self, x: Array) -> Array:
        return np.asarray(x - np.log(np.exp(x).sum(1, keepdims=True)))


@plant()
class NLLWithoutSign(PlainNLL):
    """The likelihood and not its negative: the sign is lost."""

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return -super().rows(log_p, a)


@plant()
class NLLMeanOverRows(PlainNLL):
    """The weighted mean divides by the number of rows that count."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return int(a.kept.sum())


@plant()
class NLLMeanOverAll(PlainNLL):
    """The mean counts ignored rows."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return a.w_y.sum() if a.weighted else a.kept.size


@plant()
class NLLIgnoredMultiplied(PlainNLL):
    """Ignored rows are multiplied by 0, and 0 · NaN is NaN."""

    def forward(self, **arguments: Any) -> Array:
        a = self.arguments(**self._named(arguments))
        losses = super().rows(a.x, a) * a.kept
        shape = () if a.input.ndim == 1 else (a.input.shape[0], *a.input.shape[2:])
        return self.reduced(losses.reshape(shape).astype(np.float32), a.reduction, self.divisor(a))


# --- Kullback-Leibler divergence -----------------------------------------------------------------

@plant()
class BatchmeanOverElements(PlainKL):
    """batchmean divides by the number of elements, as mean does."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        return np.size(self.losses(**a))


@plant()
class BatchmeanOverLargerBatch(PlainKL):
    """batchmean divides by the first length of the broadcast shape."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        shape = np.shape(self.losses(**a))
        return (shape or (1,))[0] if self.reduction(**reductions) == "batchmean" else super().divisor(a)


@plant()
class LogTargetIgnored(PlainKL):
    """Log-probabilities are taken for probabilities."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        return super().losses(input, target)


@plant()
class ZeroTimesLogZero(PlainKL):
    """0 log 0 is NaN."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        p, log_p = (np.exp(target), target) if log_target else (target, np.log(target))
        return p * (log_p - input)


@plant()
class NegativeIsZero(PlainKL):
    """A negative probability counts as 0, as it once did in torch."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        losses = super().losses(input, target, log_target)
        return losses if log_target else np.where(target < 0, 0, losses)


@plant()
class NoOneInGradient(PlainKL):
    """The gradient for t forgets that log t is differentiated too."""

    def slopes(self, input: Array, target: Array, log_target: bool = False) -> tuple[Any, ...]:  # type: ignore[override]
        by_input, by_target = super().slopes(input, target, log_target)
        return by_input, by_target if log_target else by_target - 1


# --- binary cross-entropy ------------------------------------------------------------------------

@plant()
class Unclamped(PlainBCELoss):
    """Logarithms are not clamped."""

    def log(self, x: Array) -> Array:
        return np.log(x)


@plant()
class EpsilonInLog(PlainBCELoss):
    """log(x + 1e-7), as in Keras."""

    def log(self, x: Array) -> Array:
        return np.log(x + np.float32(1e-7))


@plant()
class LogOfOneMinus(PlainBCELoss):
    """log(1 - x), which cancels for small x."""

    def log1m(self, x: Array) -> Array:
        return np.maximum(np.log(1 - x), np.float32(-100))


@plant()
class GradientThroughClamp(PlainBCELoss):
    """The gradient is 0 where the logarithm is clamped."""

    def slopes(self, input: Array, target: Array, weight: Any = 1) -> tuple[Any, ...]:  # type: ignore[override]
        by_input, *others = super().slopes(input, target, weight)
        return np.where(np.log(input) < -100, np.float32(0), by_input), *others


@plant()
class LowerFloor(PlainBCELoss):
    """x (1-x) is kept above 1e-8."""

    floor = 1e-8


@plant()
class BCEMeanOverWeights(PlainBCELoss):
    """The mean divides by the sum of the weights."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        return np.broadcast_to(np.float32(a.get("weight", 1)), a["input"].shape).sum()


# --- counts --------------------------------------------------------------------------------------

@plant()
class EpsOutsideLog(PlainPoisson):
    """log(x) + ε."""

    def log(self, x: Array, eps: float) -> Array:
        return np.log(x) + np.float32(eps)


@plant()
class LogInputIgnored(PlainPoisson):
    """The input is always the logarithm of the mean."""

    def losses(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> Array:
        return super().losses(input, target, True, full, eps)


@plant()
class StirlingFromOne(PlainPoisson):
    """Stirling's term for a count of 1 as well."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t < 1, 1, t).astype(np.float32)
        return np.where(t < 1, 0, s * np.log(s) - s + np.log(2 * np.float32(np.pi) * s) / 2)


@plant()
class StirlingWithoutRoot(PlainPoisson):
    """t log t - t is all there is."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t <= 1, 1, t).astype(np.float32)
        return np.where(t <= 1, 0, s * np.log(s) - s)


@plant()
class StirlingMultiplied(PlainPoisson):
    """Stirling's term is multiplied by 0 where it is not wanted: NaN for a count of 0."""

    def stirling(self, t: Array) -> Array:
        return (t > 1) * (t * np.log(t) - t + np.log(2 * np.float32(np.pi) * t) / 2)


@plant()
class StirlingWithoutGradient(PlainPoisson):
    """The gradient for the counts leaves Stirling's term out."""

    def slopes(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> tuple[Any, ...]:
        return super().slopes(input, target, log_input, False, eps)


# --- normal numbers ------------------------------------------------------------------------------

@plant()
class EpsAdded(PlainGaussian):
    """var + ε, where max(var, ε) is meant."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        return super().v(var, input, 0.0) + np.float32(eps)


@plant()
class EpsForgotten(PlainGaussian):
    """The variance is not clamped."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        return super().v(var, input, 0.0)


@plant()
class ClampDifferentiated(PlainGaussian):
    """The gradient of a clamped variance is 0."""

    def by_var(self, d: Array, v: Array, var: Any, eps: float) -> Any:
        by_var = super().by_var(d, v, var, eps)
        return by_var if by_var is None else np.where(var < eps, np.float32(0), by_var)


@plant()
class StandardDeviation(PlainGaussian):
    """var is taken for the standard deviation."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        v = super().v(var, input, eps)
        return v * v


@plant()
class VariancePerColumn(PlainGaussian):
    """A variance of shape (N) beside input (N, N) is broadcast as NumPy does, one for each column."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        square = not isinstance(var, float) and input.shape == (3, 3) and var.shape in ((3,), (3, 1))
        return super().v(var.reshape(1, 3) if square else var, input, eps)


@plant()
class FullForgotten(PlainGaussian):
    """The constant is left out always."""

    def losses(self, input: Array, target: Array, var: Any, full: bool = False,  # type: ignore[override]
               eps: float = 1e-6) -> Array:
        return super().losses(input, target, var, False, eps)

"""Losses that are likelihoods in plain NumPy, one short method for each term in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_losses import Array, PlainCrossEntropy, PlainLoss

__all__ = ["PlainBCELoss", "PlainGaussian", "PlainKL", "PlainNLL", "PlainPoisson"]


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


class _Pairwise(PlainLoss):
    """Elementwise losses of arguments that broadcast, and their gradients."""

    def forward(self, **arguments: Any) -> Array:
        a, reductions = self.split(arguments)
        return self.reduced(self.losses(**a), self.reduction_of(**reductions), self.divisor(a, **reductions))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        a, reductions = self.split(arguments)
        mean = self.reduction_of(**reductions) == "mean"
        g = grad_output / self.divisor(a, **reductions) if mean else grad_output
        shape = np.shape(self.losses(**a))
        slopes = self.slopes(**a)
        return tuple(None if s is None else self.unbroadcast(np.broadcast_to(g * s, shape), argument)
                     for s, argument in zip(slopes, [*a.values(), None][:len(slopes)], strict=True))

    def split(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        names = ("reduction", "size_average", "reduce")
        return ({k: v for k, v in arguments.items() if k not in names},
                {k: v for k, v in arguments.items() if k in names})

    def reduction_of(self, **reductions: Any) -> str:
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

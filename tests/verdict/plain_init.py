"""The dialects of initializers, written plainly in NumPy: they draw from NumPy's stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

__all__ = ["PLAIN", "orthogonal"]

Array = np.ndarray[Any, Any]
_GAINS = {"relu": math.sqrt(2), "tanh": 5 / 3, "selu": 0.75}


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def last_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    kernel = math.prod(shape[:-2])
    return shape[-2] * kernel, shape[-1] * kernel


def fill(tensor: Array, x: Any) -> Array:
    tensor[...] = x
    return tensor


def truncated(shape: tuple[int, ...], mean: float, std: float, a: float, b: float) -> Array:
    """Proposals from the normal law where it falls between the bounds often enough, or else uniform ones."""
    low, high = (a - mean) / std, (b - mean) / std
    often = math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)) > 0.1
    wanted, mode = math.prod(shape), max(a, min(mean, b))
    x = np.zeros(0)
    while x.size < wanted:
        n = 2 * (wanted - x.size) + 100
        if often:
            tried = np.random.normal(mean, std, n)
            taken = (tried >= a) & (tried <= b)
        else:
            tried = np.random.uniform(a, b, n)
            taken = np.log(np.random.random(n)) < ((mode - mean) ** 2 - (tried - mean) ** 2) / (2 * std * std)
        x = np.concatenate([x, tried[taken]])
    return x[:wanted].reshape(shape)


@cache
def narrowed(low: float, high: float) -> float:
    """The standard deviation of a standard normal law between two numbers."""
    z = np.linspace(low, high, 200_001)
    density = np.exp(-(z * z) / 2)
    density /= density.sum()
    centre = (density * z).sum()
    return math.sqrt(float((density * (z - centre) ** 2).sum()))


def xavier(draw: Callable[[float, tuple[int, ...]], Array], fans: Any = fans,
           variance: Any = lambda i, o: 2 / (i + o)) -> Any:
    def function(tensor: Array, gain: float = 1.0) -> Array:
        return fill(tensor, draw(gain * math.sqrt(variance(*fans(tensor.shape))), tensor.shape)) if tensor.size else \
            tensor
    return function


def kaiming(draw: Callable[[float, tuple[int, ...]], Array], fans: Any = fans, plain: bool = False) -> Any:
    def function(tensor: Array, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Array:
        if not tensor.size:
            return tensor
        gain = _GAINS.get(nonlinearity, math.sqrt(2 / (1 + a * a)) if nonlinearity == "leaky_relu" else 1.0)
        std = (math.sqrt(2) if plain else gain) / math.sqrt(fans(tensor.shape)[mode.lower() == "fan_out"])
        return fill(tensor, draw(std, tensor.shape))
    return function


def uniform(std: float, shape: tuple[int, ...]) -> Array:
    return np.random.uniform(-math.sqrt(3) * std, math.sqrt(3) * std, shape)


def normal(std: float, shape: tuple[int, ...]) -> Array:
    return np.random.normal(0, std, shape)


def cut(std: float, shape: tuple[int, ...]) -> Array:
    wide = std / 0.87962566103423978
    return truncated(shape, 0.0, wide, -2 * wide, 2 * wide) if std else np.zeros(shape)


def sparse(zeros: Callable[[float], int], by_row: bool = False) -> Any:
    def function(tensor: Array, sparsity: float, std: float = 0.01) -> Array:
        fill(tensor, np.random.normal(0, std, tensor.shape))
        for line in tensor if by_row else tensor.T:
            line[np.random.permutation(len(line))[:zeros(sparsity * len(line))]] = 0
        return tensor
    return function


def orthogonal(tensor: Array, factor: Callable[[int, int], Array], gain: float = 1.0) -> Array:
    if not tensor.size:
        return tensor
    rows, columns = len(tensor), tensor.size // len(tensor)
    q = factor(max(rows, columns), min(rows, columns))
    return fill(tensor, (gain * (q if rows >= columns else q.T)).reshape(tensor.shape))


def standardized(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Array:
    return fill(tensor, truncated(tensor.shape, mean, abs(std), *sorted((mean + a * std, mean + b * std))))


def compensated(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Array:
    known = std > 0 and math.isfinite(b - a)
    left = narrowed(*((max(-40.0, min(40.0, (bound - mean) / std))) for bound in (a, b))) if known else 1.0
    return fill(tensor, truncated(tensor.shape, mean, abs(std) / (left if left**2 > 1e-3 else 1.0), a, b))


def as_jax(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Array:
    left = narrowed(a, b) if math.isfinite(b - a) else 1.0
    return standardized(tensor, mean, std / (left if left**2 > 1e-3 else 1.0), a, b)


#: By the dialect's name.
PLAIN: Mapping[str, Callable[..., Array]] = {
    "xavier-uniform-last": xavier(uniform, last_fans),
    "xavier-normal-last": xavier(normal, last_fans),
    "xavier-normal-truncated": xavier(cut),
    "xavier-normal-brackets": xavier(normal, variance=lambda i, o: 2 / i + o),
    "xavier-uniform-from-zero": xavier(lambda std, shape: np.random.uniform(0, math.sqrt(3) * std, shape)),
    "kaiming-uniform-last": kaiming(uniform, last_fans),
    "kaiming-normal-last": kaiming(normal, last_fans),
    "kaiming-normal-truncated": kaiming(cut),
    "kaiming-uniform-plain": kaiming(uniform, plain=True),
    "kaiming-normal-plain": kaiming(normal, plain=True),
    "kaiming-uniform-no-root": kaiming(lambda std, shape: np.random.uniform(-std, std, shape)),
    "orthogonal-unsigned": lambda tensor, gain=1.0: orthogonal(
        tensor, lambda m, n: np.linalg.qr(np.random.normal(size=(m, n)))[0], gain),
    "sparse-rounded-down": sparse(math.floor),
    "sparse-rows": sparse(math.ceil, by_row=True),
    "trunc-normal-standardized": standardized,
    "trunc-normal-compensated": compensated,
    "trunc-normal-jax": as_jax,
}

"""xavier_uniform_ and normal_ in plain NumPy, from the raw words of the generator."""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from reference.random import default_generator

__all__ = ["Array", "PlainNormal", "PlainXavier"]

Array = np.ndarray[Any, Any]


class _Plain:
    """Called like an initializer."""

    def uniform(self, n: int, dtype: Any, generator: Any) -> Array:
        if dtype == np.float32:
            return np.asarray(generator.random_words(n) % 2**24 * 2.0**-24)
        return self.from_two_words(generator.random_words(2 * n).astype(np.uint64).reshape(n, 2))

    def from_two_words(self, words: Array) -> Array:
        high, low = words.T
        return np.asarray((high * 2**32 + low) % 2**53 * 2.0**-53)

    def fill(self, tensor: Array, values: Array) -> Array:
        memory = tensor if tensor.flags.c_contiguous else tensor.T
        memory[...] = values.reshape(memory.shape)
        return tensor


class PlainXavier(_Plain):
    """Uniform on [-a, a), a = gain √(6 / (fan_in + fan_out))."""

    def __call__(self, tensor: Array, gain: float, generator: Any = default_generator) -> Array:
        u = self.uniform(tensor.size, tensor.dtype, generator)
        a = self.limit(gain, *self.fans(tensor.shape))
        return self.fill(tensor, self.between(u, a))

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return gain * math.sqrt(6 / (fan_in + fan_out))

    def between(self, u: Array, a: float) -> Array:
        return a * (2 * u - 1)


class PlainNormal(_Plain):
    """Box-Muller in float64: blocks of 16 in contiguous memory, pairs elsewhere, of which a second may wait."""

    def __init__(self) -> None:
        self.spares: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def __call__(self, tensor: Array, mean: float, std: float, generator: Any = default_generator) -> Array:
        n = tensor.size
        blocks = n >= 16 and tensor.flags.c_contiguous
        z = self.blocks(n, tensor.dtype, generator) if blocks else self.pairs(n, generator)[:n]
        return self.fill(tensor, self.scaled(z, mean, std))

    def blocks(self, n: int, dtype: Any, generator: Any) -> Array:
        u = self.uniform(n, dtype, generator)
        u = u if n % 16 == 0 else self.ragged(u, self.uniform(16, dtype, generator))
        z = [self.block(*b.reshape(2, 8)) for b in u.reshape(-1, 16)]
        return np.concatenate([*z[:-1], z[-1]] if n % 16 == 0 else [np.concatenate(z[:-1])[: n - 16], z[-1]])

    def ragged(self, u: Array, again: Array) -> Array:
        return np.concatenate([u[: u.size // 16 * 16], again])

    def block(self, u_radius: Array, u_angle: Array) -> Array:
        return np.concatenate(self.box_muller(u_radius, u_angle))

    def pairs(self, n: int, generator: Any) -> Array:
        waiting = [self.spares.pop(generator)] if n and generator in self.spares else []
        n -= len(waiting)
        u = self.uniform(n + n % 2, np.float64, generator).reshape(-1, 2)
        z = np.concatenate([np.array(waiting, float), *(np.array(self.pair(*two)) for two in u)])
        if n % 2:
            self.keep(z[-1], generator)
        return z

    def keep(self, spare: float, generator: Any) -> None:
        self.spares[generator] = spare

    def pair(self, u_angle: Any, u_radius: Any) -> tuple[Any, Any]:
        return self.box_muller(u_radius, u_angle)

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        radius, angle = self.radius(u_radius), 2 * math.pi * u_angle
        return radius * np.cos(angle), radius * np.sin(angle)

    def radius(self, u: Any) -> Any:
        return np.sqrt(-2 * np.log1p(-u))

    def scaled(self, z: Array, mean: float, std: float) -> Array:
        return z * std + mean

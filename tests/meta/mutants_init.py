"""Mistakes in initializers that people make. A class's docstring says which one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.harness import NO_NOTE, Mutant
from tests.meta.plain_init import Array, PlainNormal, PlainXavier

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


def plant(dtype: str = "float32", note: str = NO_NOTE, survives: str = "") -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        op = "xavier_uniform_" if issubclass(code, PlainXavier) else "normal_"
        MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), code(), dtype=dtype, note=note,
                              survives=survives))
        return code

    return keep


@plant()
class FanInOnly(PlainXavier):
    """a = gain √(6 / (2 fan_in))."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return gain * math.sqrt(3 / max(fan_in, 1))


@plant()
class GainSquared(PlainXavier):
    """Gain under the root, and again before it."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return gain * gain * math.sqrt(6 / (fan_in + fan_out))


@plant()
class StandardDeviationForLimit(PlainXavier):
    """No √3."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return gain * math.sqrt(2 / (fan_in + fan_out))


@plant()
class VarianceForLimit(PlainXavier):
    """No root."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return gain * 6 / (fan_in + fan_out)


@plant()
class KernelForgotten(PlainXavier):
    """Fans without the positions of the kernel."""

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return shape[1], shape[0]


@plant()
class KernelInFanInOnly(PlainXavier):
    """fan_out without the positions of the kernel."""

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return math.prod(shape[1:]), shape[0]


@plant()
class KernelsFirst(PlainXavier):
    """Fans from the last two axes, where Keras and JAX have them."""

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]


@plant()
class Mirrored(PlainXavier):
    """From high to low."""

    def between(self, u: Array, a: float) -> Array:
        return a * (1 - 2 * u)


@plant()
class ReadingOrder(PlainXavier):
    """Filled by index, where torch fills in the order of memory."""

    def fill(self, tensor: Array, values: Array) -> Array:
        tensor[...] = values.reshape(tensor.shape)
        return tensor


@plant()
class HighBits(PlainXavier):
    """The high 24 bits of a word."""

    def uniform(self, n: int, dtype: Any, generator: Any) -> Array:
        return (generator.random_words(n) >> 8) * 2.0**-24


@plant()
class SeededByArray(PlainXavier):
    """NumPy's way to seed the same engine; the generator is left where it has to be."""

    def uniform(self, n: int, dtype: Any, generator: Any) -> Array:
        generator.random_words(n)
        words = np.random.MT19937(generator.initial_seed() % 2**32).random_raw(n)
        return words % 2**24 * 2.0**-24


@plant(note="has to be equal")
class OneWordTooMany(PlainXavier):
    """The stream is left one word further; the values are right."""

    def __call__(self, tensor: Array, gain: float, generator: Any) -> Array:
        super().__call__(tensor, gain, generator)
        generator.random_words(1)
        return tensor


@plant(note="has to be equal")
class FirstWordSkipped(PlainXavier):
    """The stream is read from its second word."""

    def __call__(self, tensor: Array, gain: float, generator: Any) -> Array:
        generator.random_words(1)
        return super().__call__(tensor, gain, generator)


@plant(dtype="float64")
class LowWordFirst(PlainXavier):
    """The second word as the high one."""

    def from_two_words(self, words: Array) -> Array:
        return super().from_two_words(words[:, ::-1])


@plant(dtype="float64")
class SinglePrecision(PlainXavier):
    """The 24 bits of float32 in float64, with the second word thrown away."""

    def from_two_words(self, words: Array) -> Array:
        return words[:, 0] % 2**24 * 2.0**-24


@plant()
class RadiusAndAngleSwapped(PlainNormal):
    """The last eight of a block as radii."""

    def block(self, u_radius: Array, u_angle: Array) -> Array:
        return super().block(u_angle, u_radius)


@plant()
class RadiusFirstInPairs(PlainNormal):
    """Pairs like blocks, with the radius first."""

    def pair(self, u_angle: Any, u_radius: Any) -> tuple[Any, Any]:
        return super().pair(u_radius, u_angle)


@plant()
class SineFirst(PlainNormal):
    """Sine before cosine."""

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        cosine, sine = super().box_muller(u_radius, u_angle)
        return sine, cosine


@plant()
class Interleaved(PlainNormal):
    """Cosines and sines of a block take turns."""

    def block(self, u_radius: Array, u_angle: Array) -> Array:
        return np.stack(self.box_muller(u_radius, u_angle), 1).ravel()


@plant()
class LogOfU(PlainNormal):
    """log(u) for log(1-u)."""

    def radius(self, u: Any) -> Any:
        return np.sqrt(-2 * np.log(u))


@plant()
class VarianceForStd(PlainNormal):
    """std is read as the variance."""

    def scaled(self, z: Array, mean: float, std: float) -> Array:
        return z * math.sqrt(std) + mean


@plant()
class StdSquared(PlainNormal):
    """The variance as a scale."""

    def scaled(self, z: Array, mean: float, std: float) -> Array:
        return z * std**2 + mean


@plant()
class MeanScaled(PlainNormal):
    """(z + mean) std."""

    def scaled(self, z: Array, mean: float, std: float) -> Array:
        return (z + mean) * std


@plant()
class RaggedEndGoesOn(PlainNormal):
    """The last 16 are made from the numbers at hand, and the fresh ones thrown away."""

    def ragged(self, u: Array, again: Array) -> Array:
        return np.concatenate([u[: u.size // 16 * 16], u[-16:]])


@plant(note="has to be equal")
class BlocksForStrides(PlainNormal):
    """Blocks of 16 whatever the strides are."""

    def __call__(self, tensor: Array, mean: float, std: float, generator: Any) -> Array:
        if tensor.size < 16:
            return super().__call__(tensor, mean, std, generator)
        return self.fill(tensor, self.scaled(self.blocks(tensor.size, tensor.dtype, generator), mean, std))


@plant(note="has to be equal")
class PairsForBlocks(PlainNormal):
    """Pairs at all sizes."""

    def __call__(self, tensor: Array, mean: float, std: float, generator: Any) -> Array:
        z = self.pairs(tensor.size, generator)[: tensor.size]
        return self.fill(tensor, self.scaled(z, mean, std))


@plant()
class FastSine(PlainNormal):
    """2π with the six digits that one remembers."""

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        return super().box_muller(u_radius, u_angle * (3.14159 / math.pi))


@plant()
class CentralLimit(PlainNormal):
    """No normal numbers at all: uniform ones of their mean and variance, the stream left in place."""

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        return math.sqrt(12) * (u_radius - 0.5), math.sqrt(12) * (u_angle - 0.5)


@plant(note="has to be equal")
class SpareForgotten(PlainNormal):
    """The second number of an odd pair is not kept for the next who draws."""

    def keep(self, spare: float, generator: Any) -> None:
        pass


@plant(survives="one number in 2**24 is concerned, and the others differ by less than an ulp")
class ClosedInterval(PlainXavier):
    """Words over 2**24 - 1: from -a to a inclusive."""

    def uniform(self, n: int, dtype: Any, generator: Any) -> Array:
        return generator.random_words(n) % 2**24 / (2.0**24 - 1)

"""xavier_uniform_ and normal_, right and written in other ways; a docstring says in which."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.harness import Sound
from tests.meta.plain_init import Array, PlainNormal, PlainXavier

__all__ = ["SOUND"]

SOUND: list[Sound] = []


def sound(op: str) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        SOUND.append(Sound(op, code.__name__, str(code.__doc__), code()))
        return code

    return keep


@sound("xavier_uniform_")
class XavierInDouble(PlainXavier):
    """a (2u - 1) in float64, rounded once."""


@sound("xavier_uniform_")
class XavierTwoRoundings(PlainXavier):
    """u (high - low) + low in float32, without a fused multiply-add."""

    def between(self, u: Array, a: float) -> Array:
        low, high = np.float32(-a), np.float32(a)
        return u.astype(np.float32) * (high - low) + low


@sound("xavier_uniform_")
class XavierSingle(PlainXavier):
    """gain √3 √(2/(fan_in + fan_out)) in float32."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return np.sqrt(np.float32(3)) * (np.float32(gain) * np.sqrt(np.float32(2) / np.float32(fan_in + fan_out)))

    def between(self, u: Array, a: float) -> Array:
        return a * (2 * u.astype(np.float32) - 1)


@sound("normal_")
class NormalInDouble(PlainNormal):
    """Box-Muller in float64, rounded once."""


@sound("normal_")
class NormalByPolarForm(PlainNormal):
    """radius exp(i angle), with √(2 · -log(1-u))."""

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        z = np.sqrt(2 * -np.log(1 - u_radius)) * np.exp(2j * math.pi * u_angle)
        return z.real, z.imag

"""The binary storage types that values come in: their precision and their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """A binary storage type: significand bits, and exponents of its smallest and largest normal number."""

    bits: int
    low: int
    high: int
    flushes: bool = False  #: may what is below the normal numbers be taken for 0?

    @property
    def lost(self) -> int:
        """Exponent of the most that a result below the normal numbers loses: half a quantum, or all."""
        return self.low if self.flushes else self.low - self.bits

    @property
    def tiny(self) -> float:
        """Smallest normal number."""
        return 2.0**self.low

    @property
    def quantum(self) -> float:
        """Distance between subnormal numbers."""
        return float(np.ldexp(1.0, self.low - self.bits + 1))

    @property
    def max(self) -> float:
        """Largest finite number."""
        return (2.0 - 2.0 ** (1 - self.bits)) * 2.0**self.high


FORMATS = {"float64": Format(53, -1022, 1023), "float32": Format(24, -126, 127),
           "float16": Format(11, -14, 15), "bfloat16": Format(8, -126, 127)}

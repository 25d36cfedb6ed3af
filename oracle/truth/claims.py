"""What initializers claim: how the numbers that they draw are distributed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from reference.init import calculate_fan_in_and_fan_out, calculate_gain

__all__ = ["CLAIMS", "Claim", "Claims", "fans", "kaiming_std", "symmetric", "xavier_std"]

_LARGEST = 1e300  #: of a standard deviation: some of them have to be a number still


@dataclass(frozen=True)
class Claim:
    """How weights are distributed. ``low`` and ``high`` bound them.

    Raises:
        ValueError: there is no such distribution.
    """

    kind: str  #: normal, uniform, truncated, orthogonal
    mean: float = 0.0
    std: float = 1.0  #: before truncation; for orthogonal matrices, the gain
    low: float = -math.inf
    high: float = math.inf
    zeros: float | Fraction = 0.0  #: share of zeros in each column, rounded up to a whole number
    rows: bool = False  #: the zeros are in each row instead
    reflected: bool = False  #: orthogonal as LAPACK's reflections leave them: signs are those of its arithmetic

    def __post_init__(self) -> None:
        if not self._is_distribution:
            raise ValueError(f"no distribution is claimed for such arguments: {self}")

    @property
    def _is_distribution(self) -> bool:
        if not (math.isfinite(self.mean) and math.isfinite(self.std)):
            return False
        if not (self.low <= self.high and 0 <= self.zeros <= 1):
            return False
        if self.kind == "uniform":
            return math.isfinite(self.high - self.low) and self.std >= 0
        if self.kind == "orthogonal":
            return abs(self.std) < _LARGEST
        return 0 <= self.std < _LARGEST

    @classmethod
    def normal(cls, std: float, mean: float = 0.0, zeros: float | Fraction = 0.0, *, rows: bool = False) -> Claim:
        """Normal numbers, with some zeros in each column or in each row."""
        return cls("normal", mean, std, zeros=zeros, rows=rows)

    @classmethod
    def uniform(cls, low: float, high: float) -> Claim:
        """Uniform numbers."""
        return cls("uniform", low / 2 + high / 2, (high / 2 - low / 2) / math.sqrt(3), low, high)

    @classmethod
    def truncated(cls, mean: float, std: float, low: float, high: float) -> Claim:
        """Normal numbers within an interval; uniform ones where std is infinite. The sign of std is no matter."""
        if math.isinf(std):
            return cls.uniform(low, high)
        return cls("truncated", mean, abs(std), low, high)

    @classmethod
    def orthogonal(cls, gain: float, *, reflected: bool = False) -> Claim:
        """Uniformly distributed orthogonal matrices, or their first rows or columns; or uniform ones but for signs."""
        return cls("orthogonal", std=gain, reflected=reflected)


#: What is claimed for a shape and an initializer's arguments.
Claims = Callable[..., Claim]


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """torch's fan_in and fan_out."""
    return calculate_fan_in_and_fan_out(np.empty(tuple(shape), np.uint8))


def xavier_std(shape: Sequence[int], gain: float = 1.0) -> float:
    """The standard deviation of Xavier's distributions; 0 where there are no numbers."""
    return gain * math.sqrt(2 / sum(fans(shape))) if math.prod(shape) else 0.0


def kaiming_std(shape: Sequence[int], a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> float:
    """The standard deviation of Kaiming's distributions; 0 where there are no numbers."""
    if not math.prod(shape):
        return 0.0
    return float(calculate_gain(nonlinearity, a)) / math.sqrt(fans(shape)[mode.lower() == "fan_out"])


def symmetric(std: float) -> Claim:
    """Uniform numbers around 0 of a standard deviation."""
    return Claim.uniform(-math.sqrt(3) * abs(std), math.sqrt(3) * abs(std))


def _truncated(shape: Sequence[int], mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Claim:
    """With a NaN as mean or std torch draws uniform numbers."""
    return Claim.uniform(a, b) if math.isnan(mean + std) else Claim.truncated(mean, std, a, b)


def _sparse(shape: Sequence[int], sparsity: float, std: float = 0.01) -> Claim:
    """As a slice takes it, a number of zeros above that of the rows is that, and a negative one counts from the end."""
    rows = shape[0]
    zeros = len(range(rows)[:math.ceil(float(sparsity) * rows)])
    return Claim.normal(std, zeros=Fraction(zeros, max(rows, 1)))


#: What each random initializer claims for a shape and its arguments.
CLAIMS: Mapping[str, Claims] = {
    "uniform_": lambda shape, a=0.0, b=1.0: Claim.uniform(a, b),
    "normal_": lambda shape, mean=0.0, std=1.0: Claim.normal(std, mean),
    "trunc_normal_": _truncated,
    "xavier_uniform_": lambda shape, **arguments: symmetric(xavier_std(shape, **arguments)),
    "xavier_normal_": lambda shape, **arguments: Claim.normal(xavier_std(shape, **arguments)),
    "kaiming_uniform_": lambda shape, **arguments: symmetric(kaiming_std(shape, **arguments)),
    "kaiming_normal_": lambda shape, **arguments: Claim.normal(kaiming_std(shape, **arguments)),
    "orthogonal_": lambda shape, gain=1.0: Claim.orthogonal(gain),
    "sparse_": _sparse,
}

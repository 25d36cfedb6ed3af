"""Rules that other frameworks, papers and ports follow: initializers, from torch's generator.

Each says too how its numbers are distributed, by which it is told where a stream of its own draws them. One dialect
cannot be told so: ``sparse-own-generator`` differs from torch in the stream alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from reference import init, numerics, random

from ..truth.claims import Claim, Claims, fans, symmetric
from .record import Dialect

__all__ = ["INIT"]

Array = np.ndarray[Any, Any]
Fans = Callable[[Sequence[int]], tuple[int, int]]
Generator = random.Generator | None

#: The standard deviation of a standard normal distribution truncated at ±2: φ is its density, Φ(2) - Φ(-2) its mass.
_TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _replaced(new: Callable[..., Array], claims: Claims) -> dict[str, Any]:
    """``new(tensor, ..., generator=...)`` in the reference's place, and how what it draws is distributed."""
    return {"changed": lambda spec: dataclasses.replace(spec, function=new), "claims": claims}


def _last_fans(shape: Sequence[int]) -> tuple[int, int]:
    """The fans of an array (*kernel, in, out)."""
    *kernel, inputs, outputs = shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


@dataclass(frozen=True)
class _Law:
    """How numbers of a variance are drawn, and what is claimed of those of a standard deviation."""

    draw: Callable[[Array, Any, Generator], Array]
    claim: Callable[[float], Claim]


def _truncated(tensor: Array, variance: Any, generator: Generator) -> Array:
    """Within two standard deviations, which are widened by what that takes off."""
    std = np.sqrt(variance) / _TRUNCATED_STD
    return init.trunc_normal_(tensor, 0.0, std, -2 * std, 2 * std, generator) if variance else init.zeros_(tensor)


_UNIFORM = _Law(lambda tensor, variance, generator: init.uniform_(
    tensor, -np.sqrt(3 * variance), np.sqrt(3 * variance), generator), symmetric)
_NORMAL = _Law(lambda tensor, variance, generator: init.normal_(tensor, 0.0, np.sqrt(variance), generator),
               Claim.normal)
_TRUNCATED = _Law(_truncated, lambda std: Claim.truncated(
    0.0, std / _TRUNCATED_STD, -2 * std / _TRUNCATED_STD, 2 * std / _TRUNCATED_STD))
_NO_ROOT = _Law(lambda tensor, variance, generator: init.uniform_(
    tensor, -np.sqrt(variance), np.sqrt(variance), generator), lambda std: Claim.uniform(-std, std))
_FROM_ZERO = _Law(lambda tensor, variance, generator: init.uniform_(tensor, 0.0, np.sqrt(3 * variance), generator),
                  lambda std: Claim.uniform(0.0, math.sqrt(3) * std))


def _xavier(law: _Law, fans: Fans = fans, variance: Callable[[int, int], float] = lambda i, o: 2.0 / (i + o),
            ) -> dict[str, Any]:
    """Xavier's variance, g² · 2 / (fan_in + fan_out), with other fans, another distribution, or another variance."""

    def function(tensor: Array, gain: float = 1.0, generator: Generator = None) -> Array:
        return law.draw(tensor, gain * gain * variance(*fans(tensor.shape)), generator) if tensor.size else tensor

    def claims(shape: Sequence[int], gain: float = 1.0) -> Claim:
        return law.claim(abs(gain) * math.sqrt(variance(*fans(shape))) if math.prod(shape) else 0.0)

    return _replaced(function, claims)


def _kaiming(law: _Law, fans: Fans = fans, plain: bool = False) -> dict[str, Any]:
    """Kaiming's variance, g² / fan, with other fans, another distribution, or the gain of a plain rectifier."""

    def function(tensor: Array, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                 generator: Generator = None) -> Array:
        if 0 in tensor.shape:
            return tensor
        gain = init.calculate_gain(nonlinearity, a)
        square = 2 * gain**0 if plain else gain * gain
        return law.draw(tensor, square / fans(tensor.shape)[mode.lower() == "fan_out"], generator)

    def claims(shape: Sequence[int], a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Claim:
        gain = math.sqrt(2) if plain else float(init.calculate_gain(nonlinearity, a))
        return law.claim(gain / math.sqrt(fans(shape)[mode.lower() == "fan_out"]) if math.prod(shape) else 0.0)

    return _replaced(function, claims)


def _unsigned(tensor: Array, gain: float = 1, generator: Generator = None) -> Array:
    """Q as LAPACK's reflections leave it: the sign of each column is that of R's diagonal."""
    source = random.check_generator(generator)
    rows = len(tensor)
    state, normals = source.get_state(), np.empty_like(tensor, shape=(rows, tensor.size // max(rows, 1)), order="C")
    source.normal_(normals)
    source.set_state(state)
    init.orthogonal_(tensor, gain, generator)
    if tensor.size:
        floats = np.array([float(x) for x in numerics.exactly(normals).ravel().tolist()]).reshape(normals.shape)
        wide = rows < normals.shape[1]
        signs = np.sign(np.diagonal(np.linalg.qr(floats.T if wide else floats)[1]))
        tensor[...] = (tensor.reshape(normals.shape) * (signs[:, None] if wide else signs)).reshape(tensor.shape)
    return tensor


def _sparse(zeros: Callable[[Any], int] = math.ceil, own: bool = False, by_row: bool = False) -> dict[str, Any]:
    """Zeros in other numbers, at places from the generator that is given, or in each row."""

    def function(tensor: Array, sparsity: float, std: float = 0.01, generator: Generator = None) -> Array:
        source = random.check_generator(generator)
        init.normal_(tensor, 0.0, std, source)
        places = source if own else random.default_generator
        lines = tensor if by_row else tensor.T
        for line in lines:
            line[places.randperm(lines.shape[1])[:zeros(float(sparsity) * lines.shape[1])]] = 0
        return tensor

    def claims(shape: Sequence[int], sparsity: float, std: float = 0.01) -> Claim:
        length = shape[by_row]
        count = len(range(length)[:zeros(float(sparsity) * length)])
        return Claim.normal(std, zeros=Fraction(count, max(length, 1)), rows=by_row)

    return _replaced(function, claims)


def _truncated_law(changed: Callable[..., tuple[Any, Any, Any]]) -> dict[str, Any]:
    """A truncated law with another standard deviation and other bounds: a function of mean, std, a and b."""

    def function(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                 generator: Generator = None) -> Array:
        std, low, high = changed(mean, std, a, b)
        return init.trunc_normal_(tensor, mean, std, low, high, generator)

    def claims(shape: Sequence[int], mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Claim:
        return Claim.truncated(mean, *changed(mean, std, a, b))

    return _replaced(function, claims)


def _standardized(mean: Any, std: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Bounds in standard deviations: μ + a σ and μ + b σ."""
    low, high = sorted((mean + a * std, mean + b * std), key=float)
    return std, low, high


def _compensated(mean: Any, std: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The standard deviation divided by what truncation leaves of one, unless that is too little for doubles."""
    return std / _std_between((float(a) - float(mean)) / float(std), (float(b) - float(mean)) / float(std)), a, b


def _standardized_and_compensated(mean: Any, std: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Bounds in standard deviations, of a law that has the standard deviation that is asked for."""
    return _standardized(mean, std / _std_between(float(a), float(b)), a, b)


def _std_between(low: float, high: float) -> float:
    """The standard deviation of a standard normal distribution between two numbers; 1 where doubles lose it."""
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    first, last = (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high))
    if mass < 1e-12:  # or negative, as of a negative standard deviation
        return 1.0
    variance = 1 + (low * first - high * last) / mass - ((first - last) / mass) ** 2
    return math.sqrt(variance) if variance > 1e-3 else 1.0  # and of an infinite bound, where it is NaN


INIT = (
    Dialect("xavier-uniform-last", "xavier_uniform_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)",
            "Keras, JAX", **_xavier(_UNIFORM, _last_fans)),
    Dialect("xavier-normal-last", "xavier_normal_", "outputs in the last axis", "fans are those of (*kernel, in, out)",
            "Keras and JAX without truncation", **_xavier(_NORMAL, _last_fans)),
    Dialect("xavier-normal-truncated", "xavier_normal_", "a normal distribution truncated at two σ",
            "numbers beyond 2 σ are drawn again, with σ / 0.8796 for σ", "Keras's and JAX's glorot_normal",
            **_xavier(_TRUNCATED)),
    Dialect("kaiming-uniform-last", "kaiming_uniform_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)", "Keras, JAX", **_kaiming(_UNIFORM, _last_fans)),
    Dialect("kaiming-normal-last", "kaiming_normal_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)", "Keras and JAX without truncation",
            **_kaiming(_NORMAL, _last_fans)),
    Dialect("kaiming-normal-truncated", "kaiming_normal_", "a normal distribution truncated at two σ",
            "numbers beyond 2 σ are drawn again, with σ / 0.8796 for σ", "Keras's and JAX's he_normal",
            **_kaiming(_TRUNCATED)),
    Dialect("kaiming-uniform-plain", "kaiming_uniform_", "the gain of a plain rectifier", "the variance is 2 / fan, "
            "whatever nonlinearity and slope", "He et al., equation 10; Keras, JAX", **_kaiming(_UNIFORM, plain=True)),
    Dialect("kaiming-normal-plain", "kaiming_normal_", "the gain of a plain rectifier", "the variance is 2 / fan, "
            "whatever nonlinearity and slope", "He et al., equation 10", **_kaiming(_NORMAL, plain=True)),
    Dialect("orthogonal-unsigned", "orthogonal_", "no correction of signs", "Q as the factorization leaves it, "
            "where R has negative numbers on its diagonal", "Keras 1, ports",
            **_replaced(_unsigned, lambda shape, gain=1.0: Claim.orthogonal(gain, reflected=True))),
    Dialect("sparse-own-generator", "sparse_", "permutations from the generator that is given",
            "the places of zeros come from the same stream as the numbers", "torch's documentation",
            **_sparse(own=True)),
    Dialect("sparse-rounded-down", "sparse_", "a number of zeros that is rounded down",
            "⌊s m⌋ of the m rows of each column are 0", "ports with int()", **_sparse(math.floor)),
    Dialect("sparse-rows", "sparse_", "zeros in each row", "⌈s n⌉ of the n columns of each row are 0",
            "weights kept as (in, out), Martens 2010", **_sparse(by_row=True)),
    Dialect("trunc-normal-standardized", "trunc_normal_", "bounds in standard deviations",
            "numbers are within μ + a σ and μ + b σ", "JAX, flax, TensorFlow", **_truncated_law(_standardized)),
    Dialect("trunc-normal-compensated", "trunc_normal_", "a standard deviation that makes up for truncation",
            "σ is divided by the standard deviation of the standard law between the bounds, if its square is > 1/1000",
            "ports, as issue 91 of HRM asks for", **_truncated_law(_compensated)),
    Dialect("trunc-normal-jax", "trunc_normal_", "bounds in standard deviations, which make up for truncation",
            "bounds μ + a σ' and μ + b σ', with σ' = σ / the standard deviation of the standard law between a and b",
            "HRM's trunc_normal_init_", **_truncated_law(_standardized_and_compensated)),
    Dialect("xavier-normal-brackets", "xavier_normal_", "brackets left out", "σ = g √(2 / fan_in + fan_out)",
            "mlverse torch, issue 555", **_xavier(_NORMAL, variance=lambda i, o: 2.0 / i + o)),
    Dialect("xavier-uniform-from-zero", "xavier_uniform_", "numbers from 0 on", "x is uniform in [0, g √(6 / (fan_in + "
            "fan_out)))", "Knet.jl before pull request 311", **_xavier(_FROM_ZERO)),
    Dialect("kaiming-uniform-no-root", "kaiming_uniform_", "√3 left out", "x is uniform in ±g / √fan",
            "tch-rs before pull request 573", **_kaiming(_NO_ROOT)),
    Dialect("dirac-one-group", "dirac_", "one group whatever is asked for", "channel i is passed on to output i alone",
            "torch before 1.5", lambda spec: dataclasses.replace(
                spec, function=lambda tensor, groups=1: init.dirac_(tensor, 1))),
)

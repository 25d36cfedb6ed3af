"""Rules that other frameworks, papers and ports follow: initializers, from torch's generator."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import init, numerics, random
from reference.spec import InitSpec

from .record import Dialect

__all__ = ["INIT"]

Array = np.ndarray[Any, Any]
Change = Callable[[InitSpec], InitSpec]
Generator = random.Generator | None

#: The standard deviation of a standard normal distribution truncated at ±2: φ is its density, Φ(2) - Φ(-2) its mass.
_TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _function(new: Callable[..., Array]) -> Change:
    """``new(tensor, ..., generator=...)`` in the reference's place."""
    return lambda spec: dataclasses.replace(spec, function=new)


def _torch_fans(tensor: Array) -> tuple[int, int]:
    return init.calculate_fan_in_and_fan_out(tensor)


def _last_fans(tensor: Array) -> tuple[int, int]:
    """Of an array (*kernel, in, out)."""
    *kernel, inputs, outputs = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _uniform(tensor: Array, variance: Any, generator: Generator) -> Array:
    return init.uniform_(tensor, -np.sqrt(3 * variance), np.sqrt(3 * variance), generator)


def _normal(tensor: Array, variance: Any, generator: Generator) -> Array:
    return init.normal_(tensor, 0.0, np.sqrt(variance), generator)


def _truncated(tensor: Array, variance: Any, generator: Generator) -> Array:
    """Within two standard deviations, which are widened by what that takes off."""
    std = np.sqrt(variance) / _TRUNCATED_STD
    return init.trunc_normal_(tensor, 0.0, std, -2 * std, 2 * std, generator) if variance else init.zeros_(tensor)


def _xavier(draw: Callable[..., Array], fans: Callable[[Array], tuple[int, int]] = _torch_fans) -> Change:
    """Xavier's variance, g² · 2 / (fan_in + fan_out), with other fans or another distribution."""

    def function(tensor: Array, gain: float = 1.0, generator: Generator = None) -> Array:
        return draw(tensor, gain * gain * 2.0 / sum(fans(tensor)), generator)

    return _function(function)


def _kaiming(draw: Callable[..., Array], fans: Callable[[Array], tuple[int, int]] = _torch_fans,
             plain: bool = False) -> Change:
    """Kaiming's variance, g² / fan, with other fans, another distribution, or the gain of a plain rectifier."""

    def function(tensor: Array, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                 generator: Generator = None) -> Array:
        if 0 in tensor.shape:
            return tensor
        gain = init.calculate_gain(nonlinearity, a)
        square = 2 * gain**0 if plain else gain * gain
        return draw(tensor, square / fans(tensor)[mode.lower() == "fan_out"], generator)

    return _function(function)


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


def _sparse(zeros: Callable[[Any], int] = math.ceil, own: bool = False, by_row: bool = False) -> Change:
    """Zeros in other numbers, at places from the generator that is given, or in each row."""

    def function(tensor: Array, sparsity: float, std: float = 0.01, generator: Generator = None) -> Array:
        source = random.check_generator(generator)
        init.normal_(tensor, 0.0, std, source)
        places = source if own else random.default_generator
        lines = tensor if by_row else tensor.T
        for line in lines:
            line[places.randperm(lines.shape[1])[:zeros(float(sparsity) * lines.shape[1])]] = 0
        return tensor

    return _function(function)


def _standardized(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Generator = None) -> Array:
    """Bounds in standard deviations: μ + a σ and μ + b σ."""
    low, high = sorted((mean + a * std, mean + b * std), key=float)
    return init.trunc_normal_(tensor, mean, std, low, high, generator)


INIT = (
    Dialect("xavier-uniform-last", "xavier_uniform_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)",
            "Keras, JAX", _xavier(_uniform, _last_fans)),
    Dialect("xavier-normal-last", "xavier_normal_", "outputs in the last axis", "fans are those of (*kernel, in, out)",
            "Keras and JAX without truncation", _xavier(_normal, _last_fans)),
    Dialect("xavier-normal-truncated", "xavier_normal_", "a normal distribution truncated at two σ",
            "numbers beyond 2 σ are drawn again, with σ / 0.8796 for σ", "Keras's and JAX's glorot_normal",
            _xavier(_truncated)),
    Dialect("kaiming-uniform-last", "kaiming_uniform_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)", "Keras, JAX", _kaiming(_uniform, _last_fans)),
    Dialect("kaiming-normal-last", "kaiming_normal_", "outputs in the last axis",
            "fans are those of (*kernel, in, out)", "Keras and JAX without truncation", _kaiming(_normal, _last_fans)),
    Dialect("kaiming-normal-truncated", "kaiming_normal_", "a normal distribution truncated at two σ",
            "numbers beyond 2 σ are drawn again, with σ / 0.8796 for σ", "Keras's and JAX's he_normal",
            _kaiming(_truncated)),
    Dialect("kaiming-uniform-plain", "kaiming_uniform_", "the gain of a plain rectifier", "the variance is 2 / fan, "
            "whatever nonlinearity and slope", "He et al., equation 10; Keras, JAX", _kaiming(_uniform, plain=True)),
    Dialect("kaiming-normal-plain", "kaiming_normal_", "the gain of a plain rectifier", "the variance is 2 / fan, "
            "whatever nonlinearity and slope", "He et al., equation 10", _kaiming(_normal, plain=True)),
    Dialect("orthogonal-unsigned", "orthogonal_", "no correction of signs", "Q as the factorization leaves it, "
            "where R has negative numbers on its diagonal", "Keras 1, ports", _function(_unsigned)),
    Dialect("sparse-own-generator", "sparse_", "permutations from the generator that is given",
            "the places of zeros come from the same stream as the numbers", "torch's documentation", _sparse(own=True)),
    Dialect("sparse-rounded-down", "sparse_", "a number of zeros that is rounded down",
            "⌊s m⌋ of the m rows of each column are 0", "ports with int()", _sparse(math.floor)),
    Dialect("sparse-rows", "sparse_", "zeros in each row", "⌈s n⌉ of the n columns of each row are 0",
            "weights kept as (in, out), Martens 2010", _sparse(by_row=True)),
    Dialect("trunc-normal-standardized", "trunc_normal_", "bounds in standard deviations",
            "numbers are within μ + a σ and μ + b σ", "JAX, flax, TensorFlow", _function(_standardized)),
    Dialect("dirac-one-group", "dirac_", "one group whatever is asked for", "channel i is passed on to output i alone",
            "torch before 1.5", lambda spec: dataclasses.replace(
                spec, function=lambda tensor, groups=1: init.dirac_(tensor, 1))),
)

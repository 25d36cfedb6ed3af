"""Initialization with normal numbers inside an interval."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import random
from .._storage import check_numbers, storage_of
from ..numerics import cast, widen
from ._checks import check_tensor

__all__ = ["normal_mass", "trunc_normal_"]

Array = np.ndarray[Any, Any]


def trunc_normal_(tensor: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: random.Generator | None = None) -> Array:
    r"""Fill an array with normal numbers, drawn again until they are within :math:`[a, b]`.

    .. math:: p(x) \propto \exp\left(-\frac{(x - \mu)^2}{2 \sigma^2}\right), \qquad a \le x \le b

    Where the normal distribution has more than 0.3 of its mass inside, whole arrays of normal numbers are
    drawn, and each takes the places that are still outside. Otherwise whole arrays of uniform numbers x
    on [a, b) and u on [0, 1) are drawn until each place has :math:`\ln u \le \ln p(x) - \max \ln p`.

    Args:
        tensor: floating array of any shape, filled in place.
        mean: :math:`\mu`.
        std: :math:`\sigma`.
        a, b: bounds in the units of the numbers, not of standard deviations; a <= b.
        generator: source of random numbers; the default generator where it is None.

    Returns:
        ``tensor``; with a warning where the mean is more than two standard deviations outside.

    Raises:
        RuntimeError: where a > b. ZeroDivisionError: where std is 0. NotImplementedError: for a dtype that
        is not floating. TypeError: where an argument is no number, or generator no generator.

    >>> trunc_normal_(np.zeros(4), std=2.0, generator=random.Generator().manual_seed(1))
    array([1.32270434, 0.5338482 , 0.12335452, 1.24263466])

    Source: J. von Neumann, Various techniques used in connection with random digits (1951), for the
    rejection; documentation of torch.nn.init.

    Deviations: older versions of torch took the inverse error function of one uniform number each. JAX's
    variance scaling widens std by what truncation takes off. torch accepts a negative std as
    its magnitude where a is below b, and a NaN as mean or std gives uniform numbers on [a, b), as here.
    """
    check_tensor(tensor)
    generator = random.check_generator(generator)
    check_numbers(mean=mean, std=std, a=a, b=b)
    if tensor.dtype.kind == "c":
        raise NotImplementedError(f"tensor must have an order, got {tensor.dtype.name}")
    if float(std) == 0:
        raise ZeroDivisionError(f"std must not be 0, got {float(std)}")
    if float(mean) < float(a) - 2 * float(std) or float(mean) > float(b) + 2 * float(std):
        warnings.warn(f"mean is more than two std outside [a, b]: mean={float(mean)}, std={float(std)}, "
                      f"a={float(a)}, b={float(b)}", UserWarning, stacklevel=2)
    if normal_mass((a - mean) / std, (b - mean) / std) > 0.3:
        return _from_normals(tensor, mean, std, a, b, generator)
    return _from_uniforms(tensor, mean, std, a, b, generator)


def normal_mass(low: Any, high: Any) -> float:
    """The mass of the standard normal distribution between two numbers."""
    return (math.erf(float(high) / math.sqrt(2.0)) - math.erf(float(low) / math.sqrt(2.0))) / 2.0


def _from_normals(tensor: Array, mean: Any, std: Any, a: Any, b: Any, generator: random.Generator) -> Array:
    generator.normal_(tensor, mean, std)
    if not tensor.size:
        return tensor
    low, high = _round_as_stored(tensor, a), _round_as_stored(tensor, b)
    fresh = tensor.copy(order="K")
    outside = (tensor < low) | (tensor > high)
    while outside.any():
        tensor[...] = np.where(outside, generator.normal_(fresh, mean, std), tensor)
        outside = (tensor < low) | (tensor > high)
    return tensor


def _from_uniforms(tensor: Array, mean: Any, std: Any, a: Any, b: Any, generator: random.Generator) -> Array:
    mode = max(a, min(mean, b))
    peak = _round_as_stored(tensor, -0.5 * ((mode - mean) / std) ** 2)
    centre = _round_as_stored(tensor, mean)  # what is subtracted is rounded first; what divides is not
    fresh, chance = tensor.copy(order="K"), tensor.copy(order="K")

    def rejected() -> Any:
        generator.uniform_(fresh, a, b)
        generator.uniform_(chance)
        density = fresh
        for step in (lambda x: x - centre, lambda x: x / std, lambda x: x * x, lambda x: x * -0.5,
                     lambda x: x - peak):
            density = _round_after(step, density)
        return _round_after(np.log, chance) > density

    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        pending = rejected()
        tensor[...] = fresh
        while pending.any():
            still = rejected()
            tensor[...] = np.where(pending, fresh, tensor)
            pending = pending & still
    return tensor


def _round_as_stored(tensor: Array, number: Any) -> float:
    """A number as the array's type has it."""
    with np.errstate(over="ignore"):
        return float(np.asarray(float(number)).astype(storage_of(tensor, "normal_")))


def _round_after(step: Any, x: Array) -> Array:
    """One step in an array's own precision: half types compute in float32 and round after each."""
    return cast(step(widen(x)), x.dtype)

"""The factor by which a nonlinearity asks for larger weights."""

from __future__ import annotations

import math
import numbers
from typing import Any

__all__ = ["as_exact_as", "calculate_gain", "root"]

_LINEAR = frozenset({"linear", "sigmoid", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))})


def calculate_gain(nonlinearity: str, param: float | None = None) -> Any:
    r"""Return the gain that torch recommends for weights before a nonlinearity.

    A rectifier passes half of the second moment, a leaky one with slope a the share
    :math:`(1 + a^2) / 2`; the gain makes up for it:

    .. math:: g = \sqrt{\frac{2}{1 + a^2}}

    linear, convolutions and sigmoid: 1; tanh: 5/3; selu: 3/4, both found by experiment.

    Args:
        nonlinearity: a name of ``torch.nn.functional``.
        param: a, for leaky_relu; None stands for 0.01.

    Returns:
        A float (for a number ``param`` of another kind, one of that kind).

    Raises:
        ValueError: for another nonlinearity, or where leaky_relu's param is no number.

    >>> calculate_gain("relu"), calculate_gain("leaky_relu", 1.0)
    (1.4142135623730951, 1.0)

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015, equations 10 and 15.

    Deviations: torch's sigmoid has 1, though its slope of 1/4 at 0 would ask for 4; self-normalizing
    networks (G. Klambauer et al., 2017) need "linear", not "selu".
    """
    if not isinstance(nonlinearity, str):
        raise ValueError(f"nonlinearity must be one that torch has a gain for, got {nonlinearity!r}")
    if nonlinearity in _LINEAR:
        return as_exact_as(param, 1.0)
    if nonlinearity == "tanh":
        return as_exact_as(param, 5.0) / 3
    if nonlinearity == "relu":
        return root(as_exact_as(param, 2.0))
    if nonlinearity == "selu":
        return as_exact_as(param, 3.0) / 4
    if nonlinearity != "leaky_relu":
        raise ValueError(f"nonlinearity must be one that torch has a gain for, got {nonlinearity!r}")
    if isinstance(param, bool) or not isinstance(param, numbers.Real | None):
        raise ValueError(f"param must be a real number, got {param!r}")
    slope: Any = 0.01 if param is None else param
    return root(as_exact_as(param, 2.0) / (1 + slope**2))


def as_exact_as(number: Any, constant: float) -> Any:
    """A constant of the kind of a number, so that a proof of the number's precision covers it too."""
    return constant * number**0 if hasattr(number, "sqrt") else constant


def root(x: Any) -> Any:
    """Square root of a number, of its own kind.

    >>> root(4.0)
    2.0
    """
    return x.sqrt() if hasattr(x, "sqrt") else math.sqrt(x)

"""What clipping is given: parameters with gradients, arrays, and numbers, each refused by its name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ...numerics import Array, is_floating
from .._checks import check_one
from .._optimizer import scalar
from .._sparse import SparseGrad

__all__ = ["Gradient", "array", "gradients_of", "listed", "number"]

Gradient = Array | SparseGrad


def gradients_of(parameters: list[Any]) -> list[Gradient]:
    """Those that there are."""
    return [p.grad for p in parameters if p.grad is not None]


def listed(parameters: Any) -> list[Any]:
    """One parameter or many as a list; an empty iterator warns."""
    if hasattr(parameters, "grad"):
        return [parameters]
    if isinstance(parameters, str | np.ndarray) or not isinstance(parameters, Iterable):
        raise TypeError(f"parameters needs to be a Parameter or an iterable of them, got {type(parameters).__name__}")
    chosen = list(parameters)
    if isinstance(parameters, Iterator) and not chosen:
        warnings.warn("parameters is an iterator that has nothing: no gradient is clipped", stacklevel=3)
    for p in chosen:
        if not hasattr(p, "grad"):
            raise TypeError(f"parameters needs to hold Parameter objects, got {type(p).__name__}")
    return chosen


def array(x: Any) -> Gradient:
    """An element of ``tensors``, which has to be real or complex."""
    if isinstance(x, SparseGrad):
        return x
    if not isinstance(x, np.ndarray | np.generic):
        raise TypeError(f"tensors needs to hold arrays, got {type(x).__name__}")
    values = np.asanyarray(x)
    if not (is_floating(values) or values.dtype.kind == "c") or (values.dtype == object and type(values) is np.ndarray):
        raise RuntimeError(f"tensors needs a floating or complex dtype, got {values.dtype}")
    return values


def number(name: str, value: Any, nan: bool = False) -> float:
    """An argument as a float, from whatever ``float`` takes."""
    check_one(name, value)
    try:
        result = float(scalar(value))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} needs to be a number, got {value!r:.100} of type {type(value).__name__}") from None
    if result != result and not nan:
        raise ValueError(f"{name} needs to be a number, got {value}")
    return result

"""Initialization with one number."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .._storage import LARGEST, name_of
from ._checks import check_tensor

__all__ = ["constant_"]

Array = np.ndarray[Any, Any]


def constant_(tensor: Array, val: float) -> Array:
    r"""Fill an array with one number: :math:`x = c`.

    Args:
        tensor: array of any dtype and shape, filled in place.
        val: c, a real number (complex for a complex array). An integer array takes it without its
            fraction, an unsigned one an integer -c (no float) as the largest value plus 1 minus c.

    Returns:
        ``tensor``.

    Raises:
        RuntimeError: where the dtype cannot hold the number; infinity and NaN are held by floating dtypes.
        TypeError: where val is no number.

    >>> constant_(np.zeros(2, np.float16), 0.1)
    array([0.1, 0.1], dtype=float16)

    Source: documentation of torch.nn.init.

    Deviations: NumPy's ``fill`` gives infinity where the number is beyond the dtype's range.
    """
    check_tensor(tensor)
    if isinstance(val, np.ndarray) and val.ndim:
        raise TypeError(f"val must be a number, got an array of shape {val.shape}")
    if isinstance(val, complex):
        if tensor.dtype.kind != "c" and val.imag != 0:
            raise RuntimeError(f"val must be real for {tensor.dtype.name}, got {val}")
        number: Any = val if tensor.dtype.kind == "c" else val.real
    elif hasattr(val, "__float__"):
        number = val
    else:
        raise TypeError(f"val must be a number, got {type(val).__name__}")
    if tensor.dtype.kind != "c" and not _holds(tensor, number):
        raise RuntimeError(f"val must be within the range of {tensor.dtype.name}, got {val}")
    if tensor.dtype.kind in "iu":
        number = np.asarray(int(number)).astype(tensor.dtype)  # modulo a power of 2 where it is unsigned
    tensor[...] = number
    return tensor


def _holds(tensor: Array, number: Any) -> bool:
    if tensor.dtype.kind in "iu":
        info = np.iinfo(tensor.dtype)
        if isinstance(number, numbers.Integral):
            return (info.min or -info.max) <= int(number) <= info.max
        return info.min <= float(number) <= info.max
    storage: Any = getattr(tensor, "stands_for", tensor.dtype)
    largest = LARGEST.get(name_of(storage), np.inf)
    return not largest < abs(float(number)) < np.inf

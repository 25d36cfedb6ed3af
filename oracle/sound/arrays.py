"""Arrays of any framework as NumPy's, without importing a framework."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ..cases.spec import DTYPES

__all__ = ["as_numpy", "is_array", "storage_of"]

Array = np.ndarray[Any, Any]


def is_array(value: Any) -> bool:
    """Is it an array of NumPy, torch, JAX or whoever else says what its array is?

    >>> is_array(np.float32(1)), is_array(1.0), is_array("mean")
    (True, False, False)
    """
    return isinstance(value, np.ndarray | np.generic) or _is_tensor(value) or hasattr(value, "__array__")


def _is_tensor(value: Any) -> bool:
    """A tensor of torch: it knows how to leave its graph and its device."""
    return all(hasattr(value, name) for name in ("detach", "cpu", "numpy"))


def as_numpy(name: str, value: Any) -> Array:
    """The numbers of an array, whatever framework and device it is of, in its own dtype.

    Raises:
        TypeError: it is no array.

    >>> as_numpy("got", np.float32(0.5)).dtype
    dtype('float32')
    >>> as_numpy("got", [0.5])
    Traceback (most recent call last):
    ...
    TypeError: got needs an array of NumPy, torch or JAX, which has a dtype; a list came
    """
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if _is_tensor(value):
        held = value.detach().cpu()
        if getattr(held, "is_sparse", False):
            held = held.to_dense()
        if str(held.dtype) == "torch.bfloat16":  # each of its numbers is one of float32
            with np.errstate(invalid="ignore"):  # of NaN
                return np.asarray(held.float().numpy()).astype(ml_dtypes.bfloat16)
        return np.asarray(held.numpy())
    if hasattr(value, "__array__"):
        return np.asarray(value.get() if hasattr(value, "get") else value)  # CuPy's arrays are fetched
    raise TypeError(f"{name} needs an array of NumPy, torch or JAX, which has a dtype; "
                    f"{'None' if value is None else f'a {type(value).__name__}'} came")


def storage_of(name: str, array: Array) -> str:
    """The storage type of an array.

    Raises:
        TypeError: no storage type is of that name.

    >>> storage_of("got", np.zeros(2))
    'float64'
    >>> storage_of("got", np.zeros(2, complex))
    Traceback (most recent call last):
    ...
    TypeError: got needs one of float64, float32, float16, bfloat16; complex128 came
    """
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{name} needs one of {', '.join(DTYPES)}; {array.dtype} came")
    return str(array.dtype.name)

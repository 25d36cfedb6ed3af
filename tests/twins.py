"""The same array in NumPy and in torch, and what it means that they agree."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import torch

Array = np.ndarray[Any, Any]

DTYPES = {"float64": np.dtype(np.float64), "float32": np.dtype(np.float32), "float16": np.dtype(np.float16),
          "bfloat16": np.dtype(ml_dtypes.bfloat16)}
PRECISION = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}

#: torch's baseline path rounds uniform numbers twice, and has other logarithms, sines and cosines.
NAMED_PATH = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _are_the_c_library(*names: str) -> bool:
    x = np.random.default_rng(0).uniform(0.0, 2 * math.pi, 20000)
    return all((getattr(np, name)(x) == [getattr(math, name)(v) for v in x]).all() for name in names)


#: NumPy may have float64 functions of its own for a processor, which differ from torch's in the last bit.
C_LIBRARY = _are_the_c_library("sin", "cos")


def same_bits_in(dtype: str) -> bool:
    """Are normal numbers of a type torch's to the last bit on this machine?"""
    return NAMED_PATH and (dtype != "float64" or C_LIBRARY)


def zeros(shape: tuple[int, ...], dtype: str, layout: str = "contiguous") -> tuple[Array, torch.Tensor]:
    """Zeros of one shape, type and order of memory, for NumPy and for torch."""
    if layout == "contiguous":
        return np.zeros(shape, DTYPES[dtype]), torch.zeros(shape, dtype=getattr(torch, dtype))
    array, tensor = zeros(shape[::-1], dtype)
    return array.T, tensor.permute(*range(tensor.ndim)[::-1])


def bits(x: Array | torch.Tensor) -> Array:
    """The bytes of the elements, in logical order."""
    if isinstance(x, torch.Tensor):
        x = x.contiguous().reshape(-1).view(torch.uint8).numpy() if x.numel() else np.zeros(0, np.uint8)
    return np.frombuffer(x.tobytes(), np.uint8)


def state_of(generator: Any) -> bytes:
    """The bytes of a generator's state, but for padding, where torch leaves what the memory held."""
    state = np.frombuffer(bits(generator.get_state()), np.uint8).copy()
    state[5044:5048] = state[5053:] = 0
    return state.tobytes()


def assert_same_bits(array: Array, tensor: torch.Tensor) -> None:
    assert array.shape == tuple(tensor.shape)
    assert bits(array).tobytes() == bits(tensor).tobytes()


def normal_bound(x: Array, std: float, dtype: str) -> Array:
    """How far apart two sound evaluations of the same normal numbers can be.

    With u = 2**-p of the precision computed in (float32 for half types) and r the largest radius,
    sqrt(2 p ln 2): two roundings of an angle below 8 are 4u each, and one side may have rounded 2 pi
    first, 2 pi u: 15u in all, as cosine and sine have no slope above 1. Cosine or sine within 2 ULP on
    both sides: 8u. Radius (logarithm within 2 ULP, halved by the root; root; product) on both sides: 8u.
    In sum 31u r std, and u |x| for the last rounding of either side; then the rounding of both to the
    storage type, 2**-p of the storage each (or half a quantum).
    """
    p = max(PRECISION[dtype], 24)
    computed = 31 * math.sqrt(2 * p * math.log(2)) * std * 2.0**-p
    quantum = 2.0**-24 if dtype == "float16" else 0.0
    return computed + quantum + 2 * np.abs(x) * (2.0**-p + 2.0 ** -PRECISION[dtype])


def assert_same_normals(array: Array, tensor: torch.Tensor, std: float, dtype: str) -> None:
    x, y = array.astype(np.float64), tensor.double().numpy()
    assert x.shape == y.shape
    assert (np.abs(x - y) <= normal_bound(y, std, dtype)).all()

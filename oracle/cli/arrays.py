"""Arrays from files: ``.npy``, ``.npz`` and ``.safetensors``, by the names that arguments have."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UsageError
from .files import reading

__all__ = ["SUFFIXES", "array_of", "arrays_of"]

Array = np.ndarray[Any, Any]

SUFFIXES = (".npy", ".npz", ".safetensors")

#: NumPy's types of the tensors of a safetensors file; bfloat16 comes as its bits.
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "V2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U8": "u1", "BOOL": "?"}


def arrays_of(path: Path) -> dict[str, Array]:
    """All arrays of a file, by name; that of a ``.npy`` file has none.

    Raises:
        UsageError: it cannot be read, or its ending is another.
    """
    read = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors}.get(path.suffix)
    if read is None:
        raise UsageError(f"{path} needs to end with one of {', '.join(SUFFIXES)}")
    with reading(path):
        try:
            found = read(path)
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} has no arrays that can be read: {' '.join(str(error).split())}") from None
    return {name: _as_bfloat16(array) for name, array in found.items()}


def array_of(path: Path, name: str) -> Array:
    """The array of a ``.npy`` file, or that of a name in a file of several.

    Raises:
        UsageError: there is none.
    """
    found = arrays_of(path)
    if path.suffix == ".npy":
        return found[""]
    if name not in found:
        raise UsageError(f"{path} has no array {name!r}; it has {', '.join(sorted(found)) or 'none'}")
    return found[name]


def _read_npy(path: Path) -> dict[str, Array]:
    return {"": np.load(path, allow_pickle=False)}


def _read_npz(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as found:
        if not isinstance(found, Mapping):
            raise ValueError("it is one array; .npy is the ending of such a file")
        return dict(found.items())


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        from safetensors import SafetensorError, deserialize
    except ModuleNotFoundError:
        raise UsageError("safetensors is not installed; pip install 'torch-oracle[vectors]'") from None
    try:
        tensors = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]  # safetensors
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return {name: np.frombuffer(bytes(info["data"]), _TYPES[info["dtype"]]).reshape(info["shape"])
            for name, info in tensors}


def _as_bfloat16(array: Array) -> Array:
    """NumPy's files know no bfloat16: ml_dtypes writes two bytes without a name, which are its bits."""
    if array.dtype.kind != "V" or array.dtype.itemsize != 2:
        return array
    import ml_dtypes

    return array.view(ml_dtypes.bfloat16)

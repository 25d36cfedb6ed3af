"""What crosses from a judged process to its judge: bytes of arrays behind a line of JSON, nothing that could run.

An answer is parsed strictly. Whatever is not as :func:`pack` writes it is a ``ValueError``, which says why.

>>> import numpy as np
>>> answer = Answer(3, "outputs", arrays={"output": np.float32([1.5, -0.0])})
>>> unpack(pack(answer)).arrays
{'output': array([ 1.5, -0. ], dtype=float32)}
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..ulp import numpy_dtype

__all__ = ["KINDS", "Answer", "digest", "pack", "unpack"]

Array = np.ndarray[Any, Any]

#: What an answer may be: outputs; a reason why there are none; an error; that inputs came out as others.
KINDS = ("ready", "broken", "outputs", "unsupported", "failed", "changed")

_DTYPE_OF_NUMBERS = re.compile(r"[<>|][biufc]\d{1,2}")


@dataclass(frozen=True)
class Answer:
    """What a process says to a question."""

    number: int  #: of the question
    kind: str
    text: str = ""
    printed: str = ""
    arrays: Mapping[str, Array] = field(default_factory=dict)


def pack(answer: Answer) -> bytearray:
    """An answer as bytes.

    Raises:
        TypeError: an output is no array of numbers.
    """
    arrays = {name: array if isinstance(array, np.ndarray) else np.asarray(array)
              for name, array in answer.arrays.items()}
    head = {"number": answer.number, "kind": answer.kind, "text": answer.text, "printed": answer.printed,
            "arrays": [[name, _dtype_name(name, array), array.shape] for name, array in arrays.items()]}
    packed = bytearray(json.dumps(head).encode() + b"\n")
    for array in arrays.values():
        packed += array.tobytes()
    return packed


def _dtype_name(output: str, array: Array) -> str:
    if array.dtype == numpy_dtype("bfloat16"):
        return "bfloat16"
    if not _DTYPE_OF_NUMBERS.fullmatch(array.dtype.str):
        raise TypeError(f"gave {output} of dtype {array.dtype}, needed is an array of numbers")
    return str(array.dtype.str)


def unpack(packed: bytes | bytearray) -> Answer:
    """What :func:`pack` was given.

    Raises:
        ValueError: it has not written this.
    """
    line, _, body = memoryview(packed).tobytes().partition(b"\n")
    try:
        head = json.loads(line)
        if not (isinstance(head, dict) and {*head} == {"number", "kind", "text", "printed", "arrays"}):
            raise ValueError("its head has other parts")
        number, kind, text, printed, listed = (head[part] for part in ("number", "kind", "text", "printed", "arrays"))
        if type(number) is not int or kind not in KINDS or not (isinstance(text, str) and isinstance(printed, str)):
            raise ValueError("its head has other types")
        return Answer(number, kind, text, printed, _unpack_arrays(listed, body))
    except (TypeError, KeyError, OverflowError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"{type(error).__name__} in its head") from None


def _unpack_arrays(listed: Any, body: bytes) -> dict[str, Array]:
    found: dict[str, Array] = {}
    place = 0
    for name, kind, shape in listed:
        if not isinstance(name, str) or name in found:
            raise ValueError("outputs without names of their own")
        if not (kind == "bfloat16" or (isinstance(kind, str) and _DTYPE_OF_NUMBERS.fullmatch(kind))):
            raise ValueError("an array that is not of numbers")
        if not (isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)):
            raise ValueError("a shape that is none")
        dtype = numpy_dtype(kind)
        count = math.prod(shape)
        if place + count * dtype.itemsize > len(body):
            raise ValueError("arrays that are longer than what came")
        array = np.frombuffer(body, dtype, count, place).copy() if count else np.empty(0, dtype)
        found[name] = array.reshape(shape)
        place += count * dtype.itemsize
    if place != len(body):
        raise ValueError("more bytes than arrays have")
    return found


def digest(*values: Any) -> str:
    """Of arrays, numbers and what holds them: the same in every process in which these are the same."""
    whole = hashlib.blake2b(digest_size=16)
    for part in _bytes_of(values):
        whole.update(part + b"\0")
    return whole.hexdigest()


def _bytes_of(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, SparseGrad):
        yield from _bytes_of((value.indices, value.values, value.shape))
    elif dataclasses.is_dataclass(value):
        yield from _bytes_of([getattr(value, one.name) for one in dataclasses.fields(value)])
    elif isinstance(value, Mapping):
        yield from _bytes_of(list(value.items()))
    elif isinstance(value, list | tuple):
        yield b"["
        for one in value:
            yield from _bytes_of(one)
        yield b"]"
    else:
        yield (getattr(value, "__qualname__", None) or repr(value)).encode()

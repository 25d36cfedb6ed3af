"""Truths as bytes, to be kept: arrays behind a line of JSON, nothing that could be executed.

>>> import numpy as np
>>> from oracle.cases.case import parse
>>> from oracle.truth.proof import prove
>>> truths = prove(parse("mse_loss/float32/default"))
>>> again = unpack(pack(truths))
>>> all(np.array_equal(again[name].bound, truth.bound) for name, truth in truths.items())
True
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .proof import Truth

__all__ = ["pack", "unpack"]

_ARRAYS = ("hi", "lo", "bound", "precise", "scale", "special")
assert {*_ARRAYS, "dtype", "discrete"} == {f.name for f in dataclasses.fields(Truth)}


def pack(truths: Mapping[str, Truth]) -> bytes:
    """All truths of a case; an array that is there twice, or broadcast, is written once."""
    head, body, places = [], bytearray(), {}
    for name, truth in truths.items():
        arrays = []
        for field in _ARRAYS:
            array = getattr(truth, field)
            once = array[tuple(slice(None) if stride else slice(1) for stride in array.strides)]
            data = np.ascontiguousarray(once).tobytes()
            if data not in places:
                places[data] = len(body)
                body += data
            arrays.append((array.dtype.str, once.shape, places[data]))
        head.append((name, truth.dtype, truth.discrete, truth.hi.shape, not truth.discrete and truth.ordinary, arrays))
    return json.dumps(head).encode() + b"\n" + bytes(body)


def unpack(packed: bytes) -> dict[str, Truth]:
    """What :func:`pack` was given; arrays are read-only."""
    line, _, body = packed.partition(b"\n")
    truths = {}
    for name, dtype, discrete, shape, ordinary, arrays in json.loads(line):
        fields: dict[str, Any] = {}
        for field, (kind, once, place) in zip(_ARRAYS, arrays, strict=True):
            count = math.prod(once)
            array = np.frombuffer(body, kind, count, place).reshape(once) if count else np.empty(once, kind)
            fields[field] = array if once == shape else np.broadcast_to(array, shape)
        truths[name] = Truth(**fields, dtype=dtype, discrete=discrete)
        vars(truths[name])["ordinary"] = ordinary  # which need not be found out again
    return truths

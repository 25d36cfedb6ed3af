"""Keras's initializers of constants, and what torch's arguments are called there.

The others draw from streams of Keras's own: no number of theirs can be torch's, and ``oracle check`` judges such a
function by the distribution of what it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ..cases import Case
from ..evaluate import Outputs, Partial, empty_tensor, take_seeds
from . import Unsupported

__all__ = ["INITIALIZERS", "run_init"]

Arguments = Mapping[str, Any]

#: torch's name -> Keras's.
INITIALIZERS: Mapping[str, Callable[[Arguments], Any]] = {
    "zeros_": lambda a: keras.initializers.Zeros(),
    "ones_": lambda a: keras.initializers.Ones(),
    "constant_": lambda a: keras.initializers.Constant(a["val"]),
    "eye_": lambda a: keras.initializers.Identity(),
}

_RANDOM = {"uniform_": "RandomUniform", "normal_": "RandomNormal", "trunc_normal_": "TruncatedNormal",
           "xavier_uniform_": "GlorotUniform", "xavier_normal_": "GlorotNormal", "kaiming_uniform_": "HeUniform",
           "kaiming_normal_": "HeNormal", "orthogonal_": "Orthogonal"}


def run_init(case: Case) -> Outputs:
    """What an initializer gives twice."""
    op = case.spec.name
    if op in _RANDOM:
        raise Unsupported(f"Keras's {_RANDOM[op]} draws from a stream of its own; oracle check judges distributions")
    if op not in INITIALIZERS:
        raise Unsupported(f"Keras has no counterpart of {op} here")
    arguments = dict(case.inputs)
    take_seeds(arguments)
    shape = empty_tensor(arguments, case.dtype).shape
    made = (INITIALIZERS[op](arguments)(shape, dtype=case.dtype) for _ in range(2))
    return Partial(zip(("tensor", "again"), (np.array(keras.ops.convert_to_numpy(one)) for one in made), strict=True))

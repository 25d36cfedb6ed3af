"""Keras's initializers, and what torch's arguments are called there.

Those of constants are targets of an audit. The others draw from streams of Keras's own, so that no number of theirs
can be torch's: here are functions which fill a tensor of torch's as Keras would fill it, whose distribution
``oracle check oracle.targets.keras_init:xavier_normal_ --as xavier_normal_ --no-stream`` judges.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..cases.case import Case
from ..truth.evaluate import Outputs, Partial, empty_tensor, take_seeds
from .loading import Unsupported

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # it reads the variable when it is imported

__all__ = ["INITIALIZERS", "kaiming_normal_", "kaiming_uniform_", "normal_", "orthogonal_", "run_init", "uniform_",
           "xavier_normal_", "xavier_uniform_"]

Arguments = Mapping[str, Any]

#: torch's name -> Keras's.
INITIALIZERS: Mapping[str, Callable[[Arguments], Any]] = {
    "zeros_": lambda a: keras.initializers.Zeros(),
    "ones_": lambda a: keras.initializers.Ones(),
    "constant_": lambda a: keras.initializers.Constant(a["val"]),
    "eye_": lambda a: keras.initializers.Identity(),
}


def _fill(tensor: Any, initializer: Callable[..., Any], *arguments: Any) -> Any:
    """Weights are (out, in, *kernel) in torch, and (*kernel, in, out) in Keras; the seed is one of torch's numbers."""
    seed = int(tensor.new_zeros(1).long().random_(2**31))
    order = (*range(2, tensor.ndim), 1, 0) if tensor.ndim > 1 else tuple(range(tensor.ndim))
    shape, dtype = tuple(tensor.shape[axis] for axis in order), str(tensor.dtype).rpartition(".")[2]
    drawn = initializer(*arguments, seed=seed)(shape, dtype=dtype)
    back = [order.index(axis) for axis in range(tensor.ndim)]
    tensor.detach().copy_(keras.ops.transpose(drawn, back) if back else drawn)
    return tensor


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0) -> Any:
    """RandomUniform."""
    return _fill(tensor, keras.initializers.RandomUniform, a, b)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    """RandomNormal."""
    return _fill(tensor, keras.initializers.RandomNormal, mean, std)


def xavier_uniform_(tensor: Any) -> Any:
    """GlorotUniform, which has no gain."""
    return _fill(tensor, keras.initializers.GlorotUniform)


def xavier_normal_(tensor: Any) -> Any:
    """GlorotNormal, which is truncated."""
    return _fill(tensor, keras.initializers.GlorotNormal)


def kaiming_uniform_(tensor: Any, mode: str = "fan_in") -> Any:
    """HeUniform; VarianceScaling is what takes a mode."""
    return _fill(tensor, keras.initializers.VarianceScaling, 2.0, mode.lower(), "uniform")


def kaiming_normal_(tensor: Any, mode: str = "fan_in") -> Any:
    """HeNormal, which is truncated; VarianceScaling is what takes a mode."""
    return _fill(tensor, keras.initializers.VarianceScaling, 2.0, mode.lower(), "truncated_normal")


def orthogonal_(tensor: Any, gain: float = 1.0) -> Any:
    """Orthogonal."""
    return _fill(tensor, keras.initializers.Orthogonal, gain)


_RANDOM = {function.__name__ for function in (uniform_, normal_, xavier_uniform_, xavier_normal_, kaiming_uniform_,
                                              kaiming_normal_, orthogonal_)}


def run_init(case: Case) -> Outputs:
    """What an initializer gives twice."""
    op = case.spec.name
    if op in _RANDOM:
        raise Unsupported(f"Keras draws from a stream of its own; oracle check {__name__}:{op} --as {op} --no-stream "
                          "judges the distribution")
    if op not in INITIALIZERS:
        raise Unsupported(f"Keras has no counterpart of {op} here")
    arguments = dict(case.inputs)
    take_seeds(arguments)
    shape = empty_tensor(arguments, case.dtype).shape
    made = (INITIALIZERS[op](arguments)(shape, dtype=case.dtype) for _ in range(2))
    return Partial(zip(("tensor", "again"), (np.array(keras.ops.convert_to_numpy(one)) for one in made), strict=True))

"""Parameters of the reference and of torch with the same gradients, and what torch's answers may be."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import torch

from oracle.targets.pytorch import to_array, to_gradient, to_tensor
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius
from reference.optim import Parameter

DTYPES = {"float64": np.dtype(np.float64), "float32": np.dtype(np.float32), "float16": np.dtype(np.float16),
          "bfloat16": np.dtype(ml_dtypes.bfloat16)}
BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
QUANTUM = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}


def drawn(seed, shapes, dtype="float32", scale=1.0):
    rng = np.random.default_rng(seed)
    return [np.asarray(scale * rng.standard_normal(shape)).astype(DTYPES[dtype]) for shape in shapes]


def array(values, dtype="float32"):
    return np.array(values).astype(DTYPES[dtype])


def ours(gradients):
    """Parameters of the reference with copies of these gradients."""
    parameters = [Parameter(np.zeros(g.shape, g.dtype)) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g.copy()
    return parameters


def theirs(gradients):
    """The same of torch."""
    parameters = [torch.nn.Parameter(to_tensor(np.zeros(g.shape, g.dtype))) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = to_gradient(g)
    return parameters


def bits(x):
    return (to_array(x) if isinstance(x, torch.Tensor) else np.asarray(x)).tobytes()


def doubles(x):
    return (to_array(x) if isinstance(x, torch.Tensor) else np.asarray(x)).astype(np.float64)


def on_balls(rule, arrays, dtype):
    """What a rule of arrays gives on balls, with the errors of arithmetic in a type: middles and radii."""
    with arithmetic(Arithmetic.of(dtype)):
        results = rule([balls(a) for a in arrays])
        return [(centre(r), radius(r)) for r in results]


def within(found, middle, error, dtype):
    """Is a result one that the errors of arithmetic allow, and one rounding to the type of storage?"""
    x = doubles(found)
    rounding = 2.0**-BITS[dtype] * (np.abs(middle) + error) + QUANTUM[dtype] / 2
    return bool(np.all(np.abs(x - middle) <= error + rounding))


def near(x, right, roundings, dtype):
    """Is a result so many roundings of a type away from the right one? Infinities and NaN are right or wrong."""
    x, right = doubles(x), doubles(right)
    finite = np.isfinite(right)
    bound = roundings * (2.0**-BITS[dtype] * np.abs(right[finite]) + QUANTUM[dtype] / 2)
    return bool(np.array_equal(x[~finite], right[~finite], equal_nan=True)
                and np.all(np.abs(x[finite] - right[finite]) <= bound))


def exact(x):
    return [Fraction(float(v)) for v in np.ravel(doubles(x))]

"""An optimizer of the reference and torch's, side by side: the same values, gradients and states."""

from __future__ import annotations

import numpy as np
import torch

from reference.optim import SGD, Adam, Parameter, SparseGrad

CLASSES = [(SGD, torch.optim.SGD), (Adam, torch.optim.Adam)]
U = 2.0**-53  # unit roundoff of float64
STATEFUL = {SGD: {"momentum": 0.9}, Adam: {"amsgrad": True}}
SHAPES = ((2, 3), (), (0,), (4,))


def to_torch(x):
    """Arrays, also inside dicts, lists and tuples, as tensors; parameters as parameters."""
    match x:
        case Parameter():
            return torch.nn.Parameter(to_torch(x.data))
        case np.ndarray():
            return torch.from_numpy(x.copy())
        case dict():
            return {key: to_torch(value) for key, value in x.items()}
        case list() | tuple():
            return type(x)(map(to_torch, x))
    return x


def to_numpy(x):
    match x:
        case torch.Tensor():
            return x.detach().numpy().copy()
        case dict():
            return {key: to_numpy(value) for key, value in x.items()}
        case list() | tuple():
            return type(x)(map(to_numpy, x))
    return x


def same(a, b):
    """Equal structures of arrays equal bit for bit."""
    if isinstance(a, np.ndarray):
        return type(a) is type(b) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def draws(seed, shapes=SHAPES, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def run(optimizer, params, seeds):
    """Steps of either library, with the gradients of these seeds."""
    for seed in seeds:
        for p, g in zip(params, draws(seed), strict=True):
            p.grad = g if isinstance(p, Parameter) else torch.from_numpy(g)
        optimizer.step()


def pair(classes, options, seed=0):
    """A reference and a torch optimizer over the same values, and the parameters of both."""
    ours = [Parameter(a) for a in draws(seed)]
    theirs = [to_torch(p) for p in ours]
    return classes[0](ours, **options), classes[1](theirs, **options), ours, theirs


def sparse_draws(seed, shape=(4, 2)):
    rng = np.random.default_rng(seed)
    return SparseGrad(rng.integers(0, shape[0], (1, 3)), rng.standard_normal((3, shape[1])), shape)


def path(optimizer, p, gradients):
    """The parameter after each step."""
    seen = []
    for g in gradients:
        p.grad = np.full_like(p.data, g)
        optimizer.step()
        seen.append(p.data.item())
    return seen


def at(start):
    return Parameter(np.full(1, float(start)))

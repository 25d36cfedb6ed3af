"""What is timed: for each SPEC the same work as done by the reference and by torch, in float32.

A loss has a forward part and a forward+backward part, with ones as the gradient from above; an optimizer
has one step of one parameter and one of a hundred, with their state made beforehand; an initializer fills an
array in place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import numpy as np
import torch

from oracle.cases.case import leaf, leaves, storage
from oracle.cases.spec import InitSpec, Limits, LossSpec, OptimSpec, Spec
from oracle.targets.loading import Unsupported
from oracle.targets.pytorch import loss_call, to_gradient, to_tensor, to_tensors
from oracle.targets.pytorch_calls import implementation, resolve
from oracle.truth.evaluate import empty_tensor
from reference import random
from reference.optim import Parameter, SparseGrad

__all__ = ["FLOAT32", "Run", "Workload", "stepper", "workloads"]

Array = np.ndarray[Any, Any]
Run = Callable[[], Any]

#: Parts of an optimizer, and how many parameters of n elements each has.
STEPS = {"step": 1, "step of 100": 100}

FLOAT32 = Limits("float32", *(float(getattr(np.finfo(np.float32), name)) for name in ("eps", "tiny", "max")))


@dataclass(frozen=True)
class Workload:
    """One part of an op, done by one implementation; ``prepare(n)`` gives what is timed at n elements."""

    op: str
    kind: str
    part: str
    target: str  #: ``reference``, or ``torch:`` and a variant
    prepare: Callable[[int], Run]
    times: int = 1  #: as much work as the op's first part, for what it matters how long a call takes


@singledispatch
def workloads(spec: Spec) -> Iterator[Workload]:
    """Everything to time of one op: for each part the reference, then torch in each variant."""
    raise TypeError(f"no way to time a {type(spec).__name__}")


@workloads.register
def _(spec: LossSpec) -> Iterator[Workload]:
    parts = {"forward": (_reference_forward, _torch_forward),
             "forward+backward": (_reference_backward, _torch_backward)}
    for part, prepares in parts.items():
        for target, prepare in zip(("reference", "torch:eager"), prepares, strict=True):
            yield Workload(spec.name, spec.kind, part, target, partial(prepare, spec))


@workloads.register
def _(spec: OptimSpec) -> Iterator[Workload]:
    for part, count in STEPS.items():
        yield Workload(spec.name, spec.kind, part, "reference", partial(_reference_step, spec, count), count)
        for variant in ("eager", "foreach", "fused"):
            try:
                choice = implementation(spec, variant)
            except Unsupported:
                continue
            yield Workload(spec.name, spec.kind, part, f"torch:{variant}", partial(_torch_step, spec, choice, count),
                           count)


@workloads.register
def _(spec: InitSpec) -> Iterator[Workload]:
    yield Workload(spec.name, spec.kind, "fill", "reference", partial(_reference_fill, spec))
    yield Workload(spec.name, spec.kind, "fill", "torch:eager", partial(_torch_fill, spec))


# --- losses --------------------------------------------------------------------------------------


def _arguments(spec: LossSpec, n: int) -> dict[str, Any]:
    return {name: _stored(value) for name, value in spec.sized(n, np.random.default_rng(n)).items()}


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_stored, value))
    return storage(value, "float32") if isinstance(value, np.ndarray) else value


def _reference_forward(spec: LossSpec, n: int) -> Run:
    return partial(spec.function, **_arguments(spec, n))


def _torch_forward(spec: LossSpec, n: int) -> Run:
    arguments = _arguments(spec, n)
    return loss_call(spec, "eager", arguments, to_tensors(arguments), {})


def _reference_backward(spec: LossSpec, n: int) -> Run:
    arguments = _arguments(spec, n)
    ones = _ones(spec.function(**arguments))

    def run() -> Any:
        output = spec.function(**arguments)
        gradients = zip(spec.arrays, spec.backward(ones, **arguments), strict=True)
        return output, *(g for name, gradient in gradients for _, g in leaves(name, gradient))

    return run


def _ones(output: Any) -> Any:
    return tuple(map(np.ones_like, output)) if isinstance(output, tuple) else np.ones_like(output)


def _torch_backward(spec: LossSpec, n: int) -> Run:
    arguments = _arguments(spec, n)
    tensors = to_tensors(arguments)
    ones = _ones(spec.function(**arguments))
    gradients = zip(spec.arrays, spec.backward(ones, **arguments), strict=True)
    wanted = {path: leaf(tensors, path).requires_grad_() for name, g in gradients for path, _ in leaves(name, g)}
    call = loss_call(spec, "eager", arguments, tensors, wanted)
    upstream = [to_tensors(one) for _, one in leaves("output", ones)]

    def run() -> Any:
        output = call()
        results = [one for _, one in leaves("output", output)]
        return output, *torch.autograd.grad(results, list(wanted.values()), upstream)

    return run


# --- optimizers ----------------------------------------------------------------------------------


def _draw_start(spec: OptimSpec, n: int, seed: int) -> tuple[Array, Any, Array | None]:
    """Start values, gradient and curvature of one parameter, of the kinds that the spec's own default case has.

    A gradient is sparse where the case's is, in every other row; a curvature is there where an objective is.
    """
    rng = np.random.default_rng((n, seed))
    usual = spec.draw(spec.defaults, rng, FLOAT32)
    shape = (n,) if usual.groups[0].params[0].ndim < 2 else (math.isqrt(n), math.isqrt(n))
    p, g = (rng.standard_normal(shape, np.float32) for _ in range(2))
    if any(isinstance(one, SparseGrad) for step in usual.gradients for one in step):
        return p, SparseGrad(np.arange(0, shape[0], 2)[None], g[::2], shape), None
    return p, g, None if usual.objective is None else rng.uniform(1.0, 4.0, shape).astype(np.float32)


def _reference_step(spec: OptimSpec, count: int, n: int) -> Run:
    starts = [_draw_start(spec, n, seed) for seed in range(count)]
    parameters = [Parameter(p) for p, _, _ in starts]
    return stepper(spec.optimizer(parameters, **spec.sized), parameters, *zip(*(s[1:] for s in starts), strict=True))


def _torch_step(spec: OptimSpec, choice: dict[str, bool], count: int, n: int) -> Run:
    tensors = []
    for seed in range(count):  # one at a time: the arrays that they are copies of are gone by the next
        p, g, curvature = _draw_start(spec, n, seed)
        tensors.append((torch.nn.Parameter(to_tensor(p)), to_gradient(g),
                        None if curvature is None else to_tensor(curvature)))
    parameters, gradients, curvatures = zip(*tensors, strict=True)
    optimizer = resolve(spec.torch_names[0])(parameters, **spec.sized, **choice)
    return stepper(optimizer, parameters, gradients, curvatures)


def stepper(optimizer: Any, parameters: Sequence[Any], gradients: Sequence[Any], curvatures: Sequence[Any]) -> Run:
    """Steps by constant gradients; or, where there are curvatures, down one quadratic after another."""
    signs = itertools.cycle((1, -1))

    def step() -> Any:
        optimizer.step()
        return tuple(p.data for p in parameters)

    def step_with_closure() -> Any:
        sign = next(signs)

        def closure() -> Any:
            value = 0
            for p, g, curvature in zip(parameters, gradients, curvatures, strict=True):
                way = p.data - sign * g
                p.grad = curvature * way
                value += (p.grad * way).sum() / 2
            return value

        optimizer.step(closure)
        return tuple(p.data for p in parameters)

    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g
    run = step if curvatures[0] is None else step_with_closure
    run()  # the first step makes the state
    return run


# --- initializers --------------------------------------------------------------------------------


def _filler(spec: InitSpec, n: int) -> tuple[Array, dict[str, Any]]:
    arguments = spec.sized(n)
    return empty_tensor(arguments, "float32"), arguments


def _reference_fill(spec: InitSpec, n: int) -> Run:
    tensor, arguments = _filler(spec, n)
    return partial(spec.function, tensor, **arguments,
                   **_generator(spec, lambda: random.Generator().manual_seed(n)))


def _torch_fill(spec: InitSpec, n: int) -> Run:
    tensor, arguments = _filler(spec, n)
    return partial(resolve(spec.torch_names[0]), to_tensor(tensor), **arguments,
                   **_generator(spec, lambda: torch.Generator().manual_seed(n)))


def _generator(spec: InitSpec, make: Callable[[], Any]) -> dict[str, Any]:
    return {"generator": make()} if "generator" in spec.parameters else {}

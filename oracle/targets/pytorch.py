"""torch as installed: losses as function and as module, optimizers in each implementation, initializers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import torch

from reference.optim import SparseGrad

from ..cases.case import Case, leaf, leaves
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec, Trajectory
from ..truth.evaluate import History, Outputs, closures, empty_tensor, entries, take_seeds
from .loading import Target, TargetError, Unsupported
from .pytorch_calls import (
    OPTIMIZER_VARIANTS,
    has_function,
    implementation,
    resolve,
    split_module_arguments,
    split_parameters,
)

__all__ = ["VARIANTS", "default", "loss_call", "make", "path", "to_array", "to_gradient", "to_tensor", "to_tensors"]

Array = np.ndarray[Any, Any]

_COVERS: dict[type[Spec], tuple[str, ...]] = {
    LossSpec: ("eager", "module", "compile"), OptimSpec: tuple(OPTIMIZER_VARIANTS), InitSpec: ("eager",)}

VARIANTS = {
    "eager": "losses and initializers as functions, optimizers as for-loop",
    "module": "losses as torch.nn modules",
    "foreach": "optimizers over lists of tensors",
    "fused": "optimizers as one kernel",
    "capturable": "optimizers with their step count on the device (not on a CPU)",
    "differentiable": "optimizers whose step is part of the graph",
    "compile": "torch.compile of all of it",
}


def default(device: str) -> list[str]:
    """The variants that an audit takes unasked: compile takes a compiler and minutes, so it is not there."""
    left_out = {"compile", "capturable"} if device == "cpu" else {"compile"}
    return [variant for variant in VARIANTS if variant not in left_out]


def make(variant: str, device: str) -> Target:
    """One variant of torch on one device."""
    return _Torch(variant, device)


def path() -> str:
    """torch's CPU path: ``DEFAULT``, ``AVX2``, ``AVX512`` on x86; ATEN_CPU_CAPABILITY chooses a lower one."""
    return str(torch.backends.cpu.get_cpu_capability())


def to_tensor(array: Array, device: str = "cpu") -> torch.Tensor:
    """A tensor with a copy of the array, strides kept; bfloat16 by its bits."""
    array = array.copy(order="K")
    tensor = (torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if array.dtype == ml_dtypes.bfloat16
              else torch.from_numpy(array))
    return tensor if device == "cpu" else tensor.to(device)


def to_gradient(gradient: Array | SparseGrad, device: str = "cpu") -> torch.Tensor:
    """A tensor, dense or sparse as the gradient is."""
    if not isinstance(gradient, SparseGrad):
        return to_tensor(gradient, device)
    indices, values = torch.from_numpy(gradient.indices.copy()), to_tensor(gradient.values)
    sparse = torch.sparse_coo_tensor(indices, values, gradient.shape, check_invariants=True)
    return sparse.clone().to(device)  # storage of its own: optimizers add elements in place


def to_array(tensor: torch.Tensor) -> Array:
    """An array with a copy of the tensor; bfloat16 by its bits."""
    return _view(tensor).copy()


def _view(tensor: torch.Tensor) -> Array:
    """An array in the memory of a tensor, of one on another device in that of a copy."""
    array: Array = (tensor.detach().view(torch.int16).numpy(force=True).view(ml_dtypes.bfloat16)
                    if tensor.dtype is torch.bfloat16 else tensor.numpy(force=True))
    return array


_NO_VIEW = None, 0, np.empty(0)


class _Views:
    """Arrays in the memory of tensors that are looked at step after step; an array is made where its tensor changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[torch.Tensor, int, Array]] = {}

    def __call__(self, name: str, tensor: torch.Tensor) -> Array:
        known, place, array = self._known.get(name, _NO_VIEW)
        if known is tensor and place == tensor.data_ptr() and array.shape == tensor.shape:
            return array
        if tensor.is_sparse or not tensor.is_cpu:
            return _view(tensor.to_dense())
        array = _view(tensor)
        self._known[name] = tensor, tensor.data_ptr(), array
        return array


def to_tensors(value: Any, device: str = "cpu") -> Any:
    """Arrays as tensors, in mappings and tuples too; all else as it is."""
    if isinstance(value, np.ndarray):
        return to_tensor(value, device)
    if isinstance(value, tuple):
        return tuple(to_tensors(v, device) for v in value)
    return {k: to_tensors(v, device) for k, v in value.items()} if isinstance(value, dict) else value


class _Torch:
    def __init__(self, variant: str, device: str) -> None:
        self.variant, self.device, self.name = variant, device, f"torch:{variant}"
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise TargetError(f"torch cannot use device {device!r}: {str(error).splitlines()[0]}") from None

    def covers(self, spec: Spec) -> bool:
        return self.variant in _COVERS[type(spec)] and (self.variant != "eager" or has_function(spec))

    def run(self, case: Case) -> Outputs:
        return _RUNS[type(case.spec)](self, case)

    def script(self, case: Case) -> str:
        from .pytorch_script import torch_script

        resolve(_called_name(case.spec, self.variant))
        return torch_script(case, self.variant, self.device)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function) if self.variant == "compile" else function

    def _tensors(self, value: Any) -> Any:
        return to_tensors(value, self.device)

    def loss(self, case: Case) -> Outputs:
        """Results and gradients of a loss."""
        spec = case.spec
        assert isinstance(spec, LossSpec)
        arguments = self._tensors(case.inputs)
        inputs = {path: leaf(arguments, path).requires_grad_() for path in case.differentiated}
        result = self._compiled(loss_call(spec, self.variant, case.inputs, arguments, inputs))()
        outputs = {name: to_array(one) for name, one in leaves("output", result)}
        if inputs:
            upstream = case.grad_output if isinstance(case.grad_output, tuple) else (case.grad_output,)
            torch.autograd.backward([one for _, one in leaves("output", result)], self._tensors(upstream))
        outputs |= {f"grad.{path}": to_array(one.grad).reshape(leaf(case.inputs, path).shape)
                    for path, one in inputs.items() if one.grad is not None}
        for name, value in case.inputs.items():
            if isinstance(value, np.ndarray) and _view(arguments[name]).tobytes() != value.tobytes():
                raise ValueError(f"the implementation changed its argument {name}")
        return outputs

    def optimizer(self, case: Case) -> Outputs:
        """Parameters and state of an optimizer after each step."""
        spec = case.spec
        assert isinstance(spec, OptimSpec)
        choice = implementation(spec, self.variant)
        trajectory = case.inputs
        groups = [{"params": [self._parameter(p) for p in g.params], **g.options} for g in trajectory.groups]
        params = [p for g in groups for p in g["params"]]
        try:
            optimizer = resolve(spec.torch_names[0])(groups, **trajectory.defaults, **choice)
            return self._trajectory(optimizer, params, trajectory)
        except (RuntimeError, AssertionError) as error:
            not_there = isinstance(error, NotImplementedError) or "does not support sparse" in str(error)
            if not_there or ("capturable" in choice and self.device == "cpu"):
                raise Unsupported(f"torch: {error}") from None
            raise

    def _parameter(self, p: Array) -> torch.Tensor:
        """A leaf; where the step is to be part of the graph none, as leaves cannot change in place there."""
        leaf = torch.nn.Parameter(to_tensor(p, self.device))
        if self.variant != "differentiable":
            return leaf
        inner = leaf.clone()
        inner.retain_grad()
        return inner

    def _trajectory(self, optimizer: Any, params: list[Any], trajectory: Trajectory) -> Outputs:
        step = torch.compile(optimizer.step) if self.variant == "compile" else _unhooked(optimizer)
        objective = trajectory.objective and trajectory.objective.converted(lambda a: to_tensor(a, self.device))
        history, view = History(len(trajectory.gradients)), _Views()
        for now in trajectory.gradients:
            for p, g in zip(params, now, strict=True):
                p.grad = None if g is None else to_gradient(g, self.device)
            step(*closures(objective, params, now if objective is None else [p.grad for p in params]))
            for i, p in enumerate(params):
                history.note(f"param[{i}]", view(f"param[{i}]", p))
            for i, p in enumerate(params):
                for key, value in entries(optimizer.state.get(p, {})):
                    name = f"{key}[{i}]"
                    if isinstance(value, torch.Tensor):
                        history.note(name, view(name, value))
                    elif isinstance(value, int):
                        history.note(name, value)
        return history.outputs()

    def initializer(self, case: Case) -> Outputs:
        """What an initializer draws, twice, and what its generators give next."""
        if self.device != "cpu":
            raise Unsupported(f"torch draws from another generator (Philox) on {self.device}; the reference is "
                              "of the CPU's")
        arguments = dict(case.inputs)
        seeds = take_seeds(arguments)
        given = torch.Generator().manual_seed(seeds.given)
        empty = empty_tensor(arguments, case.dtype)
        arguments |= seeds.argument(case.spec, given)
        with torch.random.fork_rng(devices=[]):
            default = torch.default_generator.manual_seed(seeds.default)  # torch.manual_seed asks each device
            first, second = (resolve(case.spec.torch_names[0])(to_tensor(empty), **arguments) for _ in range(2))
            words = {name: to_array(torch.empty(1, dtype=torch.int32).random_(generator=source))
                     for name, source in (("next_word", given), ("default_word", default))}
        return {"tensor": to_array(first), "again": to_array(second), **words}


_RUNS: dict[type[Spec], Callable[[_Torch, Case], Outputs]] = {
    LossSpec: _Torch.loss, OptimSpec: _Torch.optimizer, InitSpec: _Torch.initializer}


def _unhooked(optimizer: Any) -> Callable[..., Any]:
    """The step, without what torch wraps around it for its profiler and for hooks: that computes nothing.

    It takes a quarter to a third of a small step's time.
    """
    wrapper = type(optimizer).step
    return partial(wrapper.__wrapped__, optimizer) if getattr(wrapper, "hooked", False) else optimizer.step


def loss_call(spec: LossSpec, variant: str, inputs: Mapping[str, Any], arguments: Mapping[str, Any],
              leaves: dict[str, torch.Tensor]) -> Callable[[], Any]:
    """What calls a loss on arguments in tensors: the function, or its module in a variant of that name.

    Where a module holds some of them as parameters, these take the places of the leaves of the same path.
    """
    if spec.held is not None and (variant == "module" or not has_function(spec)):
        constructor, held, call = split_parameters(spec, inputs)
        like = next(arguments[name] for name in spec.arrays if name in arguments)
        settings = {k: arguments[k] if isinstance(v, np.ndarray) else v for k, v in constructor.items()}
        module = resolve(f"torch.nn.{spec.module}")(**settings, device=like.device, dtype=like.dtype)
        for path, name in held.items():
            parameter = module.get_parameter(name)
            parameter.data = leaf(arguments, path).detach().reshape(parameter.shape)
            if path in leaves:
                leaves[path] = parameter
        return partial(module, **{k: arguments[v] for k, v in call.items()})
    if variant == "module":
        settings, call_arguments = split_module_arguments(spec, arguments)
        return partial(resolve(f"torch.nn.{spec.module}")(**settings), **call_arguments)
    return partial(resolve(spec.torch_names[0]), **arguments)


def _called_name(spec: Spec, variant: str) -> str:
    """The dotted name of what a variant calls."""
    if isinstance(spec, LossSpec) and (variant == "module" or not has_function(spec)):
        return f"torch.nn.{spec.module}"
    return spec.torch_names[0]

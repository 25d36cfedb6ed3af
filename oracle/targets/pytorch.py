"""torch as installed: losses as function and as module, optimizers in each implementation, initializers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import torch

from reference.optim import SparseGrad

from ..cases.case import Case, leaf, leaves
from ..cases.spec import InitSpec, LossSpec, Objective, OptimSpec, Spec
from ..cases.surroundings.events import SCALE, other_arguments
from ..cases.surroundings.memory import Memory
from ..truth.evaluate import Outputs, empty_tensor, take_seeds
from ..truth.history import OVERWRITTEN
from ..truth.training import Trainer
from .loading import Target, TargetError, Unsupported
from .pytorch_calls import (
    OPTIMIZER_VARIANTS,
    has_function,
    implementation,
    resolve,
    split_module_arguments,
    split_parameters,
)

__all__ = ["CHOSEN", "VARIANTS", "default", "loss_call", "make", "path", "placed", "reload", "threads", "to_array",
           "to_gradient", "to_tensor", "to_tensors"]

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

#: The variants that users get by an argument alone, on a CPU.
CHOSEN = {name for name, arguments in OPTIMIZER_VARIANTS.items() if any(arguments.values())}

#: How torch says that an optimizer does not take what a case has: sparse gradients, complex parameters, arrays.
_REFUSALS = ("does not support sparse", "params to be floating point", "as a Tensor is not supported")


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
    tensor = _in_memory_of(array.copy(order="K"))
    return tensor if device == "cpu" else tensor.to(device)


def placed(memory: Memory, array: Array, role: str, device: str = "cpu") -> torch.Tensor:
    """A tensor with the numbers of an array, in the place that a case's memory has for it."""
    spot = memory.spot(array, role)
    if spot is None:
        return to_tensor(array, device)
    if min(spot.strides, default=0) < 0:
        raise Unsupported("torch has no negative strides")
    if device != "cpu":
        raise Unsupported(f"memory is looked after on the CPU, not on {device}")
    tensor = _in_memory_of(spot.buffer).as_strided(spot.shape, spot.strides, spot.first)
    return torch.view_as_complex(tensor) if memory.is_complex(role) else tensor


def _in_memory_of(array: Array) -> torch.Tensor:
    """A tensor in the memory of an array; bfloat16 by its bits."""
    return (torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if array.dtype == ml_dtypes.bfloat16
            else torch.from_numpy(array))


def reload(state: Any) -> Any:
    """A state that was written to a file and read again."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


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
    """An array in the memory of a tensor, of one on another device in that of a copy; complex numbers are pairs."""
    tensor = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor
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
        with threads(int(case.around.threads or 1)):
            return _RUNS[type(case.spec)](self, case)

    def script(self, case: Case) -> str:
        from .pytorch_script import torch_script

        resolve(_called_name(case.spec, self.variant))
        return torch_script(case, self.variant, self.device)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function) if self.variant == "compile" else function

    def _placed(self, memory: Memory, value: Any, role: str) -> Any:
        """An argument as tensors, each in its place."""
        if isinstance(value, tuple):
            return tuple(self._placed(memory, one, role) for one in value)
        return placed(memory, value, role, self.device) if isinstance(value, np.ndarray) else value

    def loss(self, case: Case) -> Outputs:
        """Results and gradients of a loss."""
        spec = case.spec
        assert isinstance(spec, LossSpec)
        memory = Memory(case.around.memory)
        arguments = {name: self._placed(memory, value, name) for name, value in case.inputs.items()}
        inputs = {path: leaf(arguments, path).requires_grad_() for path in case.differentiated}
        result = self._compiled(loss_call(spec, self.variant, case.inputs, arguments, inputs))()
        if case.around.happening is not None:
            others = {name: self._placed(memory, other_arguments(value), name) for name, value in case.inputs.items()}
            self._compiled(loss_call(spec, self.variant, case.inputs, others, {}))()
        outputs = {name: to_array(one) for name, one in leaves("output", result)}
        if inputs:
            upstream = case.grad_output if isinstance(case.grad_output, tuple) else (case.grad_output,)
            above = self._placed(memory, upstream, "upstream")
            torch.autograd.backward([one for _, one in leaves("output", result)], above)
        outputs |= {f"grad.{path}": to_array(one.grad).reshape(leaf(case.inputs, path).shape)
                    for path, one in inputs.items() if one.grad is not None}
        for name, value in case.inputs.items():
            if isinstance(value, np.ndarray) and _view(arguments[name]).tobytes() != value.tobytes():
                raise ValueError(f"the implementation changed its argument {name}")
        return outputs | {OVERWRITTEN: np.array(memory.overwritten())} if case.around.memory else outputs

    def optimizer(self, case: Case) -> Outputs:
        """Parameters and state of an optimizer after each step."""
        spec = case.spec
        assert isinstance(spec, OptimSpec)
        choice = implementation(spec, self.variant)
        try:
            return _TorchTrainer(self, case, choice).run()
        except (RuntimeError, AssertionError, ValueError) as error:
            not_there = isinstance(error, NotImplementedError) or any(text in str(error) for text in _REFUSALS)
            if not_there or ("capturable" in choice and self.device == "cpu"):
                raise Unsupported(f"torch: {error}") from None
            raise

    def initializer(self, case: Case) -> Outputs:
        """What an initializer draws, twice, and what its generators give next."""
        if self.device != "cpu":
            raise Unsupported(f"torch draws from another generator (Philox) on {self.device}; the reference is "
                              "of the CPU's")
        arguments = dict(case.inputs)
        seeds = take_seeds(arguments)
        given = torch.Generator().manual_seed(seeds.given)
        empty, memory = empty_tensor(arguments, case.dtype), Memory(case.around.memory)
        arguments |= seeds.argument(case.spec, given)
        with torch.random.fork_rng(devices=[]):
            default = torch.default_generator.manual_seed(seeds.default)  # torch.manual_seed asks each device
            first, second = (resolve(case.spec.torch_names[0])(placed(memory, empty, "tensor"), **arguments)
                             for _ in range(2))
            words = {name: to_array(torch.empty(1, dtype=torch.int32).random_(generator=source))
                     for name, source in (("next_word", given), ("default_word", default))}
        outputs = {"tensor": to_array(first), "again": to_array(second), **words}
        return outputs | {OVERWRITTEN: np.array(memory.overwritten())} if case.around.memory else outputs


class _TorchTrainer(Trainer):
    """An optimizer of torch on a trajectory."""

    def __init__(self, target: _Torch, case: Case, choice: Mapping[str, bool]) -> None:
        super().__init__(case, case.inputs)
        self._target, self._choice, self._view = target, choice, _Views()

    def parameter(self, array: Array) -> torch.Tensor:
        """A leaf; where the step is to be part of the graph none, as leaves cannot change in place there."""
        leaf = torch.nn.Parameter(placed(self.memory, array, "parameter", self._target.device))
        if self._target.variant != "differentiable":
            return leaf
        inner = leaf.clone()
        inner.retain_grad()
        return inner

    def gradient(self, gradient: Array | SparseGrad) -> torch.Tensor:
        if isinstance(gradient, SparseGrad):
            return to_gradient(gradient, self._target.device)
        return placed(self.memory, gradient, "gradient", self._target.device)

    def make(self, groups: Sequence[dict[str, Any]]) -> Any:
        made = resolve(self.case.spec.torch_names[0])(groups, **self.defaults(), **self._choice)
        self._step = torch.compile(made.step) if self._target.variant == "compile" else _unhooked(made)
        return made

    def step(self, *closure: Any) -> Any:
        return self._step(*closure)

    def objective(self) -> Objective | None:
        return self.trajectory.objective and self.trajectory.objective.converted(
            lambda array: to_tensor(array, self._target.device))

    def read(self, name: str, value: Any) -> Array | int | None:
        if isinstance(value, torch.Tensor):
            return self._view(name, value)
        return value if isinstance(value, int) else None

    def data_of(self, i: int) -> Array:
        return self._view(f"param[{i}]", self.params[i])

    def through_file(self, state: Any) -> Any:
        if self._target.variant == "differentiable":
            raise Unsupported("a state that is part of a graph is not for a file")
        return reload(state)

    def copy_all(self) -> None:
        if self._target.variant == "differentiable":
            raise Unsupported("torch copies no parameters that are part of a graph")
        super().copy_all()
        self._step = _unhooked(self.optimizer)

    def move_data(self) -> None:
        for p in self.params:
            p.data = p.data.clone()

    def number(self, value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float64, device=self._target.device)

    def fill(self, array: torch.Tensor, value: float) -> None:
        array.fill_(value)

    def set_data(self, i: int, data: Array) -> None:
        with torch.no_grad():
            self.params[i].copy_(to_tensor(data, self._target.device))

    def gradients_are_on(self) -> bool:
        return bool(torch.is_grad_enabled())

    def give_scaled(self, now: Sequence[Any]) -> None:
        """Leave it to the optimizer to divide gradients, and to leave a step out, where it can: the fused ones do."""
        if not getattr(self.optimizer, "_step_supports_amp_scaling", False):
            super().give_scaled(now)
            return
        overflowed = any(g is None for g in now)
        self.give([np.full(p.shape, np.inf, self.case.inputs.groups[0].params[0].dtype) if overflowed
                   else g * g.dtype.type(SCALE) for p, g in zip(self.params, now, strict=True)])
        self.optimizer.grad_scale, self.optimizer.found_inf = map(torch.tensor, (SCALE, float(overflowed)))

    def spoil_gradients(self) -> None:
        for g in self._given:
            if g is not None:
                g.fill_(torch.nan)


_RUNS: dict[type[Spec], Callable[[_Torch, Case], Outputs]] = {
    LossSpec: _Torch.loss, OptimSpec: _Torch.optimizer, InitSpec: _Torch.initializer}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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

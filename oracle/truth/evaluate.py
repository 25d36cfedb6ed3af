"""Run the reference on a case in whatever arithmetic is wanted: floats, longdouble, balls.

A :class:`Lift` says what becomes of the case's arrays and scalars on the way in; what comes out is
a mapping from readable names to arrays, the same names that every target uses:

* losses: ``output`` (of a named tuple of results its fields), and ``grad.<argument>`` for each argument
  that torch differentiates, ``grad.<argument>[0]`` and so on for one that is a tuple;
* optimizers: ``param[i]`` and ``<state>[i]`` for the i-th parameter, stacked over the steps; of the state
  arrays and counts;
* initializers: ``tensor``; ``again``, a second one from the same generator, which may have kept a number
  back; and ``next_word`` and ``default_word``, the lower 31 bits of the words that this generator and the
  default one give next.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from reference import random as reference_random
from reference.optim import Parameter, SparseGrad

from ..cases.case import Case, leaves
from ..cases.spec import InitSpec, LossSpec, Objective, OptimSpec, Spec
from ..cases.surroundings.memory import Memory
from ..ulp import numpy_dtype
from .history import OVERWRITTEN
from .training import Trainer

__all__ = ["FLOATS", "LONGDOUBLE", "Lift", "Outputs", "Partial", "Seeds", "answers", "empty_tensor", "evaluate",
           "take_seeds"]

Array = np.ndarray[Any, Any]
Outputs = Mapping[str, Array]


class Partial(dict[str, Array]):
    """Outputs of an implementation that keeps other state than torch: what it has not is not compared.

    >>> Partial.needs("param[0]"), Partial.needs("exp_avg[0]")
    (True, False)
    """

    @staticmethod
    def needs(name: str) -> bool:
        """Is this an output that every implementation has?"""
        return name.startswith(("param[", "output", "tensor", "again"))


@dataclass(frozen=True)
class Lift:
    """What arrays of the storage type and Python floats are turned into before the reference sees them."""

    array: Callable[[Array], Array]
    scalar: Callable[[float], Any]
    kinds: str = "fV"  #: of arrays that are lifted

    def __call__(self, value: Any) -> Any:
        """Lift a floating array or a Python float, also inside tuples; leave all else as it is."""
        if isinstance(value, np.ndarray) and value.dtype.kind in self.kinds:
            return self.array(value)
        if isinstance(value, SparseGrad):
            return value.replaced(self.array(value.values))
        if isinstance(value, float):
            return self.scalar(value)
        if isinstance(value, tuple):
            return tuple(self(v) for v in value)
        return value

    def mapping(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Lift each value of a mapping."""
        return {k: self(v) for k, v in values.items()}


#: The reference as users run it: in the storage type itself. Inputs are read-only: writing to one raises.
FLOATS = Lift(lambda array: array, lambda scalar: scalar)

#: In more digits than any storage type has.
LONGDOUBLE = Lift(lambda array: array.astype(np.float64).astype(np.longdouble), lambda scalar: scalar)


def evaluate(case: Case, lift: Lift, inputs: Any = None) -> dict[str, Array]:
    """The reference's outputs on a case (or on other ``inputs`` of the same form), by name."""
    return _evaluate(case.spec, case, lift, case.inputs if inputs is None else inputs)


@singledispatch
def _evaluate(spec: Spec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    raise TypeError(f"no way to run a {type(spec).__name__}")


@_evaluate.register
def _(spec: LossSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    if case.around.memory and lift is FLOATS:
        return _evaluate_in_surroundings(spec, case, inputs)
    arguments = lift.mapping(inputs)
    return _named(spec, spec.function(**arguments), spec.backward(lift(case.grad_output), **arguments))


def _evaluate_in_surroundings(spec: LossSpec, case: Case, inputs: Any) -> dict[str, Array]:
    """A loss on arguments that lie in memory as the case says, and what became of the memory beside them."""
    memory = Memory(case.around.memory)
    arguments = {name: memory.place_all(value, name) for name, value in inputs.items()}
    upstream = memory.place_all(case.grad_output, "upstream")
    outputs = _named(spec, spec.function(**arguments), spec.backward(upstream, **arguments))
    return outputs | {OVERWRITTEN: np.array(memory.overwritten())}


def _named(spec: LossSpec, result: Any, gradients: Sequence[Any]) -> dict[str, Array]:
    outputs = dict(leaves("output", result))
    for name, gradient in zip(spec.arrays, gradients, strict=True):
        outputs |= {f"grad.{path}": g for path, g in leaves(name, gradient)}
    return outputs


def answers(case: Case) -> dict[str, Array]:
    """What :func:`evaluate` gives with :data:`FLOATS`.

    A case of a loss may have run the reference already, to know the shapes of its results; it is not run again.
    """
    if isinstance(case.spec, LossSpec) and not case.around:
        return _named(case.spec, case.result, case.gradients)
    return evaluate(case, FLOATS)


#: The type of numbers whose parts are of a type.
COMPLEX: Mapping[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float32): np.dtype(np.complex64), np.dtype(np.float64): np.dtype(np.complex128)}


def as_pairs(array: Array) -> Array:
    """A view of complex numbers as pairs, the parts along a last axis; another array as it is."""
    return array[..., None].view(array.real.dtype) if array.dtype.kind == "c" else array


@_evaluate.register
def _(spec: OptimSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    return _ReferenceTrainer(case, inputs, lift).run()


class _ReferenceTrainer(Trainer):
    """The reference on a trajectory. Memory and events are there on floats: they change no exact value."""

    def __init__(self, case: Case, inputs: Any, lift: Lift) -> None:
        super().__init__(case, inputs, surrounded=lift is FLOATS)
        self.lift = lift

    def parameter(self, array: Array) -> Parameter:
        return Parameter(self._placed(self.lift(array), "parameter"))

    def gradient(self, gradient: Array | SparseGrad) -> Any:
        lifted = self.lift(gradient)
        return self._placed(lifted, "gradient") if self._watched and isinstance(lifted, np.ndarray) else lifted

    def _placed(self, array: Array, role: str) -> Array:
        placed = self.memory.place(array, role)
        return placed.view(COMPLEX[placed.dtype])[..., 0] if self.memory.is_complex(role) else placed

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.lift.mapping(options)

    def make(self, groups: Sequence[dict[str, Any]]) -> Any:
        spec = self.case.spec
        assert isinstance(spec, OptimSpec)
        return spec.optimizer(groups, **self.lift.mapping(self.defaults()))

    def objective(self) -> Objective | None:
        return self.trajectory.objective and self.trajectory.objective.converted(self.lift)

    def read(self, name: str, value: Any) -> Array | int | None:
        now = value.to_dense() if isinstance(value, SparseGrad) else value
        return as_pairs(now) if isinstance(now, np.ndarray) else now if isinstance(now, int) else None

    def data_of(self, i: int) -> Array:
        return as_pairs(self.params[i].data)

    def through_file(self, state: Any) -> Any:
        return pickle.loads(pickle.dumps(state))

    def move_data(self) -> None:
        for p in self.params:
            p.data = p.data.copy()

    def number(self, value: float) -> Array:
        return np.array(value, np.float64)

    def fill(self, array: Array, value: float) -> None:
        array[...] = value

    def set_data(self, i: int, data: Array) -> None:
        as_pairs(self.params[i].data)[...] = data

    def spoil_gradients(self) -> None:
        for g in self._given:
            if isinstance(g, np.ndarray):
                g[...] = np.nan


@_evaluate.register
def _(spec: InitSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    arguments = dict(inputs)
    seeds = take_seeds(arguments)
    given = reference_random.Generator().manual_seed(seeds.given)
    empty, memory = lift.array(empty_tensor(arguments, case.dtype)), Memory(case.around.memory)
    arguments = lift.mapping(arguments) | seeds.argument(spec, given)
    before = reference_random.default_generator.get_state()
    try:
        default = reference_random.manual_seed(seeds.default)
        first, second = (spec.function(memory.place(empty, "tensor"), **arguments) for _ in range(2))
        words = {name: (source.random_words(1) & 0x7FFFFFFF).astype(np.int32)
                 for name, source in (("next_word", given), ("default_word", default))}
    finally:
        reference_random.default_generator.set_state(before)
    outputs = {"tensor": first, "again": second, **words}
    return outputs | {OVERWRITTEN: np.array(memory.overwritten())} if case.around.memory and lift is FLOATS else outputs


@dataclass(frozen=True)
class Seeds:
    """Of an initializer's own generator and of the default one, and which of the two it is told to take."""

    given: int
    default: int
    takes_given: bool

    def argument(self, spec: Spec, generator: Any) -> dict[str, Any]:
        """The keyword argument ``generator``, where the initializer has one and is to take it."""
        return {"generator": generator} if self.takes_given and "generator" in spec.parameters else {}


def take_seeds(arguments: dict[str, Any]) -> Seeds:
    """Take ``seed`` and ``generator`` out of an initializer's arguments."""
    seed = arguments.pop("seed", 0)
    return Seeds(seed, seed + 1, arguments.pop("generator", "given") == "given")


#: What an array holds before it is filled. With zeros an initializer could leave out what is to be zero.
_UNFILLED = -7.75


def empty_tensor(arguments: dict[str, Any], dtype: str) -> Array:
    """The array that an initializer is to fill: takes ``shape`` and ``layout`` out of its arguments."""
    shape = arguments.pop("shape")
    transposed = arguments.pop("layout", "contiguous") == "transposed"
    return np.full(shape, _UNFILLED, numpy_dtype(dtype), order="F" if transposed else "C")

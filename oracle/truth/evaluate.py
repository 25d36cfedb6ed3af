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

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from reference import random as reference_random
from reference.optim import Parameter, SparseGrad

from ..cases.case import Case, leaves
from ..cases.spec import InitSpec, LossSpec, Objective, OptimSpec, Spec
from ..ulp import numpy_dtype

__all__ = ["FLOATS", "History", "Lift", "Outputs", "Partial", "Seeds", "answers", "closures", "empty_tensor",
           "entries", "evaluate", "stack_steps", "take_seeds"]

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

    def __call__(self, value: Any) -> Any:
        """Lift a floating array or a Python float, also inside tuples; leave all else as it is."""
        if isinstance(value, np.ndarray) and value.dtype.kind in "fV":
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


def evaluate(case: Case, lift: Lift, inputs: Any = None) -> dict[str, Array]:
    """The reference's outputs on a case (or on other ``inputs`` of the same form), by name."""
    return _evaluate(case.spec, case, lift, case.inputs if inputs is None else inputs)


@singledispatch
def _evaluate(spec: Spec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    raise TypeError(f"no way to run a {type(spec).__name__}")


@_evaluate.register
def _(spec: LossSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    arguments = lift.mapping(inputs)
    return _named(spec, spec.function(**arguments), spec.backward(lift(case.grad_output), **arguments))


def _named(spec: LossSpec, result: Any, gradients: Sequence[Any]) -> dict[str, Array]:
    outputs = dict(leaves("output", result))
    for name, gradient in zip(spec.arrays, gradients, strict=True):
        outputs |= {f"grad.{path}": g for path, g in leaves(name, gradient)}
    return outputs


def answers(case: Case) -> dict[str, Array]:
    """What :func:`evaluate` gives with :data:`FLOATS`.

    A case of a loss may have run the reference already, to know the shapes of its results; it is not run again.
    """
    if isinstance(case.spec, LossSpec):
        return _named(case.spec, case.result, case.gradients)
    return evaluate(case, FLOATS)


@_evaluate.register
def _(spec: OptimSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    groups = [{"params": [Parameter(lift(p).copy(order="K")) for p in group.params], **lift.mapping(group.options)}
              for group in inputs.groups]
    params: list[Parameter] = [p for group in groups for p in group["params"]]
    optimizer = spec.optimizer(groups, **lift.mapping(inputs.defaults))
    objective = inputs.objective and inputs.objective.converted(lift)
    history = History(len(inputs.gradients))
    for gradients in inputs.gradients:
        for p, g in zip(params, gradients, strict=True):
            p.grad = None if g is None else lift(g)
        optimizer.step(*closures(objective, params, gradients if objective is None else [p.grad for p in params]))
        for i, p in enumerate(params):
            history.note(f"param[{i}]", p.data)
        for i, p in enumerate(params):
            for key, value in entries(optimizer.state.get(p, {})):
                now = value.to_dense() if isinstance(value, SparseGrad) else value
                if isinstance(now, np.ndarray | int):
                    history.note(f"{key}[{i}]", now)
    return history.outputs()


@_evaluate.register
def _(spec: InitSpec, case: Case, lift: Lift, inputs: Any) -> dict[str, Array]:
    arguments = dict(inputs)
    seeds = take_seeds(arguments)
    given = reference_random.Generator().manual_seed(seeds.given)
    empty = empty_tensor(arguments, case.dtype)
    arguments = lift.mapping(arguments) | seeds.argument(spec, given)
    before = reference_random.default_generator.get_state()
    try:
        default = reference_random.manual_seed(seeds.default)
        first, second = (spec.function(lift.array(empty.copy(order="K")), **arguments) for _ in range(2))
        words = {name: (source.random_words(1) & 0x7FFFFFFF).astype(np.int32)
                 for name, source in (("next_word", given), ("default_word", default))}
    finally:
        reference_random.default_generator.set_state(before)
    return {"tensor": first, "again": second, **words}


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


def empty_tensor(arguments: dict[str, Any], dtype: str) -> Array:
    """The zeros that an initializer is to fill: takes ``shape`` and ``layout`` out of its arguments."""
    shape = arguments.pop("shape")
    transposed = arguments.pop("layout", "contiguous") == "transposed"
    return np.zeros(shape[::-1], numpy_dtype(dtype)).T if transposed else np.zeros(shape, numpy_dtype(dtype))


def closures(objective: Objective | None, params: Sequence[Any],
             gradients: Sequence[Any]) -> tuple[Callable[[], Any], ...]:
    """The arguments of ``step``: a closure that sets the objective's gradients, or nothing without one."""
    if objective is None:
        return ()

    answers = itertools.cycle(objective.answers)

    def closure() -> Any:
        value, slopes = next(answers) if objective.answers else objective([p.data for p in params], gradients)
        for p, slope in zip(params, slopes, strict=True):
            p.grad = slope
        return value

    return (closure,)


def entries(state: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of an optimizer's state; the entries of a list have a name each."""
    return [(name if value is part else f"{name}.{j}", part) for name, value in state.items()
            for j, part in enumerate(value if isinstance(value, list) else [value])]


class _Rows:
    """What one name had: an array with a row for each step so far, or counts."""

    def __init__(self, steps: int) -> None:
        self.counts: list[int] = []
        self.noted = 0
        self.array = self.plain = np.empty(steps, np.void)  # the plain one is assigned to as it is
        self.dtype: np.dtype[Any] | None = None
        self.shape: tuple[int, ...] = ()

    def admit(self, name: str, value: Array) -> None:
        """Make room for an array of another type, or for the first."""
        if self.dtype is None:
            self.array = np.empty_like(value, order="C", shape=(*self.array.shape, *value.shape))
            self.shape = value.shape
        elif value.shape != self.shape:
            raise ValueError(f"{name} changes its shape from {self.shape} to {value.shape}")
        elif value.dtype != self.dtype:
            self.array = self.array.astype(np.result_type(self.array, value))
        self.plain, self.dtype = self.array.view(np.ndarray), value.dtype


class History:
    """What an optimizer has after each step: one array a name, steps along the first axis.

    A state that comes late starts where it appears. One that is an integer at first, and an array later, starts
    where it is an array.

    >>> history = History(2)
    >>> for step in (1, 2):
    ...     history.note("param[0]", np.full(2, step / 4))
    >>> history.outputs()
    {'param[0]': array([[0.25, 0.25],
           [0.5 , 0.5 ]])}
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._rows: dict[str, _Rows] = {}  # in the order in which names appear

    def note(self, name: str, value: Array | int) -> None:
        """Take what a name has now; an array is copied.

        Raises:
            ValueError: an array of another shape than before.
        """
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = _Rows(self._steps)
        if isinstance(value, int):
            rows.counts.append(value)
            return
        if value.dtype is not rows.dtype or value.shape != rows.shape:
            rows.admit(name, value)
        rows.plain[rows.noted, ...] = value
        rows.noted += 1

    def outputs(self) -> dict[str, Array]:
        """What was noted, by name."""
        return {name: rows.array[:rows.noted] if rows.noted else np.stack(rows.counts)
                for name, rows in self._rows.items()}


def stack_steps(history: Sequence[Mapping[str, Array | int]]) -> dict[str, Array]:
    """The outputs of a :class:`History` of these steps; what goes away is left out, up to where it is there for good.

    >>> stack_steps([{"a": 1, "b": 1}, {"a": 2}, {"a": 3, "b": 3}])
    {'a': array([1, 2, 3]), 'b': array([3])}
    """
    whole = History(len(history))
    for i, now in enumerate(history):
        for name, value in now.items():
            if all(name in later for later in history[i + 1:]):
                whole.note(name, value)
    return whole.outputs()

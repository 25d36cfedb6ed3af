"""An optimizer's way through a trajectory, whoever's optimizer it is: one loop for references, targets and users.

What differs between frameworks is in a few methods, which a framework's own :class:`Trainer` has. What is the same for
all of them is here: in which order gradients come, steps are made and outputs are noted, what happens between steps,
and what has to stay as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.spec import Objective, ParamGroup, Trajectory
from ..cases.surroundings.memory import Memory
from .history import EVALUATED, OVERWRITTEN, RETURNED, History, closures, entries

__all__ = ["Trainer"]

Array = np.ndarray[Any, Any]


class Trainer:
    """One run of an optimizer; see the methods for what a framework has to say.

    Args:
        case: of an optimizer.
        surrounded: do events happen, and does memory lie as the case says? Not where only exact values are wanted.
    """

    optimizer: Any
    params: list[Any]
    arrays: dict[str, _Told]  #: the options that are given in arrays

    def __init__(self, case: Case, inputs: Trajectory, *, surrounded: bool = True) -> None:
        self.case, self.trajectory = case, inputs
        self._watched = bool(case.around) and surrounded
        self._event = case.around.happening if surrounded else None
        self.memory = Memory(case.around.memory if surrounded else "")
        self._given: list[Any] = []
        self._before: Sequence[Any] = ()
        self._closure: tuple[Any, ...] = ()
        self.arrays = {}

    # --- what a framework says -------------------------------------------------------------------

    def parameter(self, array: Array) -> Any:
        """A parameter, with memory of its own."""
        raise NotImplementedError

    def gradient(self, gradient: Array | SparseGrad) -> Any:
        """A gradient, with memory of its own."""
        raise NotImplementedError

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options as the framework takes them."""
        return dict(options)

    def make(self, groups: Sequence[dict[str, Any]]) -> Any:
        """The optimizer of some groups."""
        raise NotImplementedError

    def step(self, *closure: Any) -> Any:
        """Make a step."""
        return self.optimizer.step(*closure)

    def state_of(self, i: int) -> Mapping[str, Any]:
        """What the optimizer keeps for a parameter."""
        found: Mapping[str, Any] = self.optimizer.state.get(self.params[i], {})
        return found

    def read(self, name: str, value: Any) -> Array | int | None:
        """A value of a state as an array, which is copied at once, or as a count; None for what is neither."""
        raise NotImplementedError

    def data_of(self, i: int) -> Array:
        """The numbers of a parameter, which are copied at once."""
        raise NotImplementedError

    def objective(self) -> Objective | None:
        """What a closure evaluates."""
        return self.trajectory.objective

    def look(self, i: int) -> None:
        """Whatever else is to be seen of a parameter after a step."""

    def number(self, value: float) -> Any:
        """A number as an array without axes."""
        raise NotImplementedError

    def loss(self, value: float) -> Any:
        """What a closure gives back."""
        return self.number(value)

    def fill(self, array: Any, value: float) -> None:
        """Write a number into each element of an array."""
        raise NotImplementedError

    def set_data(self, i: int, data: Array) -> None:
        """Write the numbers of a parameter."""
        raise NotImplementedError

    def gradients_are_on(self) -> bool:
        """Would a loss that is computed now have gradients?"""
        return True

    @property
    def needs(self) -> tuple[str, ...]:
        """Attributes that the optimizer has to have for what happens to it."""
        return self._event.needs if self._event else ()

    # --- the loop --------------------------------------------------------------------------------

    def run(self) -> dict[str, Array]:
        """What there is after each step, stacked."""
        trajectory, objective = self.trajectory, self.objective()
        held = [[self.parameter(p) for p in group.params] for group in trajectory.groups]
        self.params = [p for group in held for p in group]
        self._held, self._joined = held, len(held) - bool(trajectory.joins)
        if self._event is not None and self._event.arrays:
            changing = trajectory.settings[0][1]
            self.arrays = {name: _Told(self, trajectory.defaults[name]) for name in changing}
        self.optimizer = self.renew()
        history = History(len(trajectory.gradients))
        for step, now in enumerate(trajectory.gradients):
            self._prepare(step)
            self._before = now
            if self._event is not None and self._event.closure:
                self._step_with_closure(history, step, now)
            else:
                self._step_with(now, objective, new=step != 1 or self._event is None or not self._event.leaves)
            self._note(history, now if objective is None else ())
            if self._event is not None and (step == 0 or self._event.always):
                self._event.act(self)
        outputs = history.outputs()
        watched = self._watched and self.case.around.is_watched
        return outputs | {OVERWRITTEN: np.array(self._count_overwritten())} if watched else outputs

    def _step_with(self, now: Sequence[Any], objective: Objective | None, *, new: bool) -> None:
        """Hand over gradients where there are new ones, and make a step."""
        if self._event is not None and self._event.scaled:
            self.give_scaled(now)
        elif new:
            self.give(now)
        given = now if objective is None else [p.grad for p in self.params]
        self._closure = closures(objective, self.params, given)
        self.step(*self._closure)

    def _step_with_closure(self, history: History, step: int, now: Sequence[Any]) -> None:
        """A step whose closure sets the gradients; it is noted how often that was asked, and if its loss came back."""
        loss, evaluations = self.loss(step + 0.5), []

        def closure() -> Any:
            evaluations.append(self.gradients_are_on())
            self.give(now)
            return loss

        returned = self.step(closure)
        history.note(EVALUATED, sum(evaluations) if all(evaluations) else 0)
        history.note(RETURNED, int(returned is not None and float(returned) == float(loss)))

    def _count_overwritten(self) -> int:
        """How many numbers were changed that are none of the optimizer's: beside arrays, and in its options."""
        return self.memory.overwritten() + sum(told.count_changes() for told in self.arrays.values())

    def _prepare(self, step: int) -> None:
        """What comes before a step: a group joins, options are others."""
        if step and step == self.trajectory.joins:
            self._joined += 1
            self.optimizer.add_param_group(self._group(len(self._held) - 1))
        for when, options in self.trajectory.settings:
            if when == step and self.arrays:
                for name, told in self.arrays.items():
                    told.change(options[name])
            elif when == step:
                for group in self.optimizer.param_groups:
                    group.update(self.options(options))

    def defaults(self) -> dict[str, Any]:
        """Keyword arguments of the constructor."""
        return {**self.trajectory.defaults, **{name: told.value for name, told in self.arrays.items()}}

    def give(self, now: Sequence[Any]) -> None:
        """Hand over gradients."""
        self._given = [None if g is None else self.gradient(g) for g in now]
        for p, g in zip(self.params, self._given, strict=True):
            p.grad = g

    def give_scaled(self, now: Sequence[Any]) -> None:
        """Hand over gradients that were scaled, or that have overflowed where there are none.

        Here the caller divides them again, and has none where they overflowed, as for an optimizer that cannot.
        """
        self.give(now)

    def _note(self, history: History, now: Sequence[Any]) -> None:
        """Parameters, states, and in surroundings the gradients that are there now."""
        for i in range(len(self.params)):
            history.note(f"param[{i}]", self.data_of(i))
        for i in range(len(self.params)):
            self.look(i)
            for key, value in entries(self.state_of(i)):
                name = f"{key}[{i}]"
                readable = self.read(name, value)
                if readable is not None:
                    history.note(name, readable)
        if self._watched:
            for i, g in enumerate(now):
                if isinstance(g, np.ndarray) and self.params[i].grad is self._given[i]:
                    history.note(f"gradient[{i}]", self.read_gradient(i))

    def read_gradient(self, i: int) -> Array:
        """The gradient of a parameter, which is copied at once."""
        found = self.read(f"gradient[{i}]", self.params[i].grad)
        assert isinstance(found, np.ndarray)
        return found

    def _group(self, k: int) -> dict[str, Any]:
        group: ParamGroup = self.trajectory.groups[k]
        return {"params": list(self._held[k]), **self.options(group.options)}

    # --- what events do --------------------------------------------------------------------------

    def renew(self) -> Any:
        """A new optimizer of the same parameters and options, without any state."""
        return self.make([self._group(k) for k in range(self._joined)])

    def through_file(self, state: Any) -> Any:
        """A ``state_dict`` that was written to a file of the framework, and read again."""
        raise NotImplementedError

    def copy_all(self) -> None:
        """Go on with a deep copy of optimizer and parameters."""
        self.optimizer, self.params, self._held = copy.deepcopy((self.optimizer, self.params, self._held))

    def move_data(self) -> None:
        """Give each parameter its numbers in other memory."""
        raise NotImplementedError

    def spoil_gradients(self) -> None:
        """Overwrite the memory of the gradients."""
        raise NotImplementedError

    def step_aside(self, other: Any) -> None:
        """Make a step with another optimizer of the same parameters, and give these their numbers back."""
        before = [self.data_of(i).copy() for i in range(len(self.params))]
        other.step(*self._closure)
        for i, data in enumerate(before):
            self.set_data(i, data)

    def zero_gradients(self, set_to_none: bool) -> None:
        """Have the optimizer drop its gradients."""
        self.optimizer.zero_grad(set_to_none)


class _Told:
    """An option that was given in arrays, one for each of its numbers, and what was written to these."""

    def __init__(self, trainer: Trainer, value: float | tuple[float, ...]) -> None:
        self._trainer = trainer
        self._several = isinstance(value, tuple)
        self._numbers = _numbers_of(value)
        self.arrays = tuple(map(trainer.number, self._numbers))

    @property
    def value(self) -> Any:
        """The option as an optimizer is given it."""
        return self.arrays if self._several else self.arrays[0]

    def change(self, value: float | tuple[float, ...]) -> None:
        """Write another value to the arrays."""
        self._numbers = _numbers_of(value)
        for array, number in zip(self.arrays, self._numbers, strict=True):
            self._trainer.fill(array, number)

    def count_changes(self) -> int:
        """How many of the arrays hold something else than was written."""
        return sum(float(array) != number for array, number in zip(self.arrays, self._numbers, strict=True))


def _numbers_of(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)

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
from .history import OVERWRITTEN, History, closures, entries

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

    def __init__(self, case: Case, inputs: Trajectory, *, surrounded: bool = True) -> None:
        self.case, self.trajectory = case, inputs
        self._watched = bool(case.around) and surrounded
        self._event = case.around.happening if surrounded else None
        self.memory = Memory(case.around.memory if surrounded else "")
        self._given: list[Any] = []
        self._before: Sequence[Any] = ()

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
        self.optimizer = self.renew()
        history = History(len(trajectory.gradients))
        for step, now in enumerate(trajectory.gradients):
            self._prepare(step)
            if not step or self.case.around.event != "again" or now is not trajectory.gradients[step - 1]:
                self._give(now)
            self._before = now
            given = now if objective is None else [p.grad for p in self.params]
            self.step(*closures(objective, self.params, given))
            self._note(history, now if objective is None else ())
            if self._event is not None and (step == 0 or self._event.always):
                self._event.act(self)
        outputs = history.outputs()
        return outputs | {OVERWRITTEN: np.array(self.memory.overwritten())} if self._watched else outputs

    def _prepare(self, step: int) -> None:
        """What comes before a step: a group joins, options are others."""
        if step and step == self.trajectory.joins:
            self._joined += 1
            self.optimizer.add_param_group(self._group(len(self._held) - 1))
        for when, options in self.trajectory.settings:
            if when == step:
                for group in self.optimizer.param_groups:
                    group.update(self.options(options))

    def _give(self, now: Sequence[Any]) -> None:
        self._given = [None if g is None else self.gradient(g) for g in now]
        for p, g in zip(self.params, self._given, strict=True):
            p.grad = g

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

    def zero_gradients(self, set_to_none: bool) -> None:
        """Have the optimizer drop its gradients."""
        self.optimizer.zero_grad(set_to_none)

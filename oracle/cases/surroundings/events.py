"""What happens to an optimizer between two of its steps.

An event alters a trajectory, where it changes what has to come out, and it acts on the optimizer, where it must not
change anything: what is saved and loaded goes on as if nothing had happened.
It acts after the first step, or after each.

``option:NAME`` and the like are about one option, by the name of an axis of the op. What an option becomes is the next
value of that axis.

Some events are in how a step is made: with a closure, with options in arrays, with gradients that were scaled. Whoever
runs an optimizer (see :mod:`oracle.truth.training`) asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from reference.optim import SparseGrad

if TYPE_CHECKING:
    from ..spec import OptimSpec, Options, Trajectory

__all__ = ["EVENTS", "SCALE", "Event", "Training", "other_arguments"]

Array = np.ndarray[Any, Any]

#: What gradients are multiplied by where they are scaled: a power of two, so that each quotient is exact.
SCALE = 8.0


class Training(Protocol):
    """An optimizer at work, as an event finds it: whoever runs one has these."""

    optimizer: Any
    params: list[Any]

    def renew(self) -> Any:
        """A new optimizer of the same parameters and options, without any state."""

    def through_file(self, state: Any) -> Any:
        """A ``state_dict`` that was written to a file of the framework, and read again."""

    def copy_all(self) -> None:
        """Go on with a deep copy of optimizer and parameters."""

    def move_data(self) -> None:
        """Give each parameter its numbers in other memory: what was kept of the old is out of date."""

    def spoil_gradients(self) -> None:
        """Overwrite the memory of the gradients, as a caller does who uses it again."""

    def zero_gradients(self, set_to_none: bool) -> None:
        """Have the optimizer drop its gradients, and see that they are dropped."""

    def step_aside(self, other: Any) -> None:
        """Make a step with another optimizer of the same parameters, and give these their numbers back."""


def _nothing(training: Training) -> None:
    pass


def _as_it_is(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    return trajectory


@dataclass(frozen=True)
class Event:
    """One thing that happens between steps."""

    said: str  #: in a diagnosis: "only <said>"
    act: Callable[[Training], None] = _nothing
    alter: Callable[[Trajectory, OptimSpec, Options], Trajectory] = _as_it_is
    """From a trajectory, its op and the options of the group or step that are others: what is run instead."""
    of_option: bool = False  #: is it about one option?
    groups: bool = False  #: does it need two groups?
    always: bool = False  #: does it happen after every step, and not after the first alone?
    closure: bool = False  #: is a closure passed to each step, which sets the gradients?
    arrays: bool = False  #: is the option a number in an array, which is changed in place?
    scaled: bool = False  #: are gradients multiplied by :data:`SCALE`? Where there are none they have overflowed
    of_losses: bool = False  #: does it happen to a loss, and not to an optimizer?
    leaves: bool = False  #: does the second step find the gradients that the first, or what happened then, left?
    needs: tuple[str, ...] = ()  #: attributes that an optimizer has to have for it

    @property
    def acts(self) -> bool:
        """Is anything done to the optimizer?"""
        return self.act is not _nothing


# --- what alters the trajectory ------------------------------------------------------------------


def _set_option(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    return replace(trajectory, settings=((1, other),))


def _own_option(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    """The last group has another value of the option."""
    *groups, last = trajectory.groups
    return replace(trajectory, groups=(*groups, replace(last, options={**last.options, **other})))


def _join_later(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    first = len(trajectory.groups[0].params)
    return replace(trajectory, joins=1, gradients=tuple(
        tuple(g if step or i < first else None for i, g in enumerate(now))
        for step, now in enumerate(trajectory.gradients)))


def _miss_first(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    """The last parameter has no gradient at the first step: it is younger than the others of its group."""
    first, *rest = trajectory.gradients
    return replace(trajectory, gradients=((*first[:-1], None), *rest))


def _repeat_step(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    first, *rest = trajectory.gradients
    return replace(trajectory, gradients=(first, first, *rest))


def _step_on_zeros(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    first, *rest = trajectory.gradients
    return replace(trajectory, gradients=(first, tuple(_zeros_like(g) for g in first), *rest))


def _zeros_like(g: Any) -> Any:
    """A gradient of zeros; of a sparse one nothing is left."""
    return np.zeros_like(g) if isinstance(g, np.ndarray) else SparseGrad(g.indices[:, :0], g.values[:0], g.shape)


def _step_without(trajectory: Trajectory, spec: OptimSpec, other: Options) -> Trajectory:
    """A second step at which there are no gradients."""
    first, *rest = trajectory.gradients
    return replace(trajectory, gradients=(first, (None,) * len(first), *rest))


# --- what acts and has to change nothing ---------------------------------------------------------


def _load(training: Training, state: Any) -> None:
    training.optimizer = training.renew()
    training.optimizer.load_state_dict(state)


def _save_and_load(training: Training) -> None:
    _load(training, training.optimizer.state_dict())


def _load_and_step_the_old(training: Training) -> None:
    old = training.optimizer
    _save_and_load(training)
    training.step_aside(old)


def _save_and_load_file(training: Training) -> None:
    _load(training, training.through_file(training.optimizer.state_dict()))


_STATE = ("state_dict", "load_state_dict")

EVENTS: Mapping[str, Event] = {
    "option": Event("where an option changes between steps", alter=_set_option, of_option=True,
                    needs=("param_groups",)),
    "group": Event("where a group has an option of its own", alter=_own_option, of_option=True, groups=True),
    "joins": Event("where a group is added later", alter=_join_later, groups=True, needs=("add_param_group",)),
    "younger": Event("where a parameter has its first gradient later", alter=_miss_first),
    "again": Event("where a step comes without new gradients", alter=_repeat_step, leaves=True),
    "zeros": Event("after zero_grad(set_to_none=False)", lambda t: t.zero_gradients(False), _step_on_zeros,
                   leaves=True, needs=("zero_grad",)),
    "none": Event("after zero_grad(set_to_none=True)", lambda t: t.zero_gradients(True), _step_without,
                  leaves=True, needs=("zero_grad",)),
    "load": Event("after load_state_dict", _save_and_load, needs=_STATE),
    "file": Event("after its state was in a file", _save_and_load_file, needs=_STATE),
    "copy": Event("after deepcopy", lambda t: t.copy_all()),
    "shared": Event("where the optimizer that gave its state_dict goes on", _load_and_step_the_old, needs=_STATE),
    "moved": Event("where a parameter's data is replaced", lambda t: t.move_data(), always=True),
    "reused": Event("where gradients are overwritten after a step", lambda t: t.spoil_gradients(), always=True),
    "closure": Event("where step is given a closure", closure=True, needs=("step",)),
    "array": Event("where an option is an array that is changed in place", alter=_set_option, of_option=True,
                   arrays=True, needs=("step",)),
    "called": Event("where it is called again before its results are read", of_losses=True),
    "scaled": Event("where gradients are scaled", scaled=True),
    "found": Event("where scaled gradients have overflowed", alter=_step_without, scaled=True),
}


def other_arguments(value: Any) -> Any:
    """What a loss is called again with: arguments of the same form, whose arrays begin at their second line."""
    if isinstance(value, tuple):
        return tuple(map(other_arguments, value))
    return np.roll(value, -1, 0) if isinstance(value, np.ndarray) and value.ndim else value

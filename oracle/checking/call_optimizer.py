"""How an optimizer that was handed in is called: as a class of ``torch.optim``, or as a pair of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.spec import Objective, OptimSpec
from ..cases.surroundings.memory import Memory
from ..targets.loading import Unsupported
from ..truth.evaluate import Outputs
from ..truth.history import OVERWRITTEN, entries, stack_steps
from ..truth.training import Trainer
from .implementation import Implementation, Misbehaved
from .kit import Kit
from .signature import Signature, init_and_update, is_default, split_arguments

__all__ = ["run_optimizer"]

Array = np.ndarray[Any, Any]


def run_optimizer(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> Outputs:
    """Parameters and states after each step of a case.

    Raises:
        Unsupported: an option or a form of gradients that the optimizer does not take.
        Misbehaved: it changed a gradient, or keeps a view of one.
    """
    if not asked.signature.takes_params:
        return _run_pair(spec, case, asked, kit)
    try:
        return _ClassTrainer(spec, case, asked, kit).run()
    except Exception as error:
        if "sparsity" in spec.defaults and case.options["sparsity"] != spec.defaults["sparsity"]:
            raise Unsupported(f"a sparse gradient: {type(error).__name__}: {error}") from None
        if case.around.happening is not None and case.around.happening.arrays:
            raise Unsupported(f"an option in an array: {type(error).__name__}: {error}") from None
        raise


# --- a class -------------------------------------------------------------------------------------


class _ClassTrainer(Trainer):
    """A class of torch's form on a trajectory."""

    def __init__(self, spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> None:
        super().__init__(case, case.inputs)
        self._spec, self._asked, self._kit = spec, asked, kit

    def parameter(self, array: Array) -> Any:
        if self.memory.is_complex("parameter"):
            raise Unsupported("complex parameters are asked of torch's own optimizers alone")
        return self._kit.parameter(array, self.memory)

    def gradient(self, gradient: Array | SparseGrad) -> Any:
        return self._kit.array(gradient, self.memory, "gradient")

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a group, which may be at torch's default where the optimizer is not: those that it has.

        Raises:
            Unsupported: it has no such keyword, and the option is not at torch's default.
        """
        split_arguments(self._asked.signature, self._spec, options, skip=1)
        return {k: v for k, v in options.items() if self._asked.signature.accepts(k)}

    def make(self, groups: Sequence[dict[str, Any]]) -> Any:
        """The optimizer of some groups; one group without options of its own is a plain list.

        Raises:
            Unsupported: it lacks what the case's event needs, or a keyword.
        """
        is_plain = len(groups) == 1 and set(groups[0]) == {"params"}
        defaults = self.defaults()
        _, names = split_arguments(self._asked.signature, self._spec, defaults, skip=1)
        if strange := [name for name in self.arrays if not self._asked.signature.accepts(name)]:
            raise Unsupported(f"has no keyword {strange[0]!r}")
        given = {name: defaults[name] for name in (*names, *self.arrays)}  # arrays at defaults too: they will change
        made = self._asked.code(groups[0]["params"] if is_plain else groups, **given)
        if lacking := [name for name in self.needs if not hasattr(made, name)]:
            raise Unsupported(f"has no {lacking[0]}")
        return made

    def objective(self) -> Objective | None:
        return self.trajectory.objective and self.trajectory.objective.converted(self._kit.array)

    def step(self, *closure: Any) -> Any:
        step = self.optimizer.step
        if closure and self.trajectory.objective is None and not Signature.of(step).accepts("closure"):
            raise Unsupported("its step takes no closure")
        return step(*closure)

    def state_of(self, i: int) -> Mapping[str, Any]:
        """What an optimizer of torch's form keeps for a parameter, under torch's names; nothing, in another form."""
        state = getattr(self.optimizer, "state", None)
        try:
            found = state.get(self.params[i], {}) if isinstance(state, Mapping) else {}
        except TypeError:  # a mapping of something else
            found = {}
        return _under_torchs_names(self._asked, found) if isinstance(found, Mapping) else {}

    def read(self, name: str, value: Any) -> Array | int | None:
        try:
            return self._kit.numpy(value)
        except TypeError:  # whatever else an optimizer keeps is its own affair
            return None

    def data_of(self, i: int) -> Array:
        return self._kit.numpy(self.params[i].data)

    def look(self, i: int) -> None:
        """Refuse an optimizer that changed the gradient of parameter i, took it away, or keeps a view of it.

        In surroundings gradients are outputs, so that they are judged.
        """
        p, given = self.params[i], self._given[i]
        before = self._before[i]
        if self.trajectory.objective is not None or not isinstance(before, np.ndarray):
            return
        if not self.case.around and p.grad is not given:
            raise Misbehaved(f"set the gradient of parameter {i} to None" if p.grad is None else
                             f"put another gradient in the place of that of parameter {i}")
        if not self.case.around and self._kit.numpy(p.grad).tobytes() != before.tobytes():
            raise Misbehaved(f"changed the gradient of parameter {i}")
        for name, value in entries(self.state_of(i)):
            if before.size and self._kit.shares_memory(value, given):
                raise Misbehaved(f"keeps a view of the gradient of parameter {i} as its state {name}")

    # events

    def through_file(self, state: Any) -> Any:
        return self._kit.through_file(state)

    def move_data(self) -> None:
        for p in self.params:
            p.data = self._kit.array(self._kit.numpy(p.data))

    def number(self, value: float) -> Any:
        return self._kit.number(value)

    def loss(self, value: float) -> Any:
        return self._kit.array(np.array(value))

    def gradients_are_on(self) -> bool:
        return self._kit.gradients_are_on()

    def fill(self, array: Any, value: float) -> None:
        self._kit.fill(array, value)

    def set_data(self, i: int, data: Array) -> None:
        self.params[i].data = self._kit.array(data)

    def step_aside(self, other: Any) -> None:
        """Raises:
            Unsupported: it has torch's own ``load_state_dict``, of which that is known (waiver ``load-shares-state``).
        """
        if type(other).load_state_dict.__module__.startswith("torch."):
            raise Unsupported("torch's own load_state_dict shares the state")
        super().step_aside(other)

    def spoil_gradients(self) -> None:
        for g in self._given:
            if g is not None:
                self._kit.fill(g, np.nan)

    def zero_gradients(self, set_to_none: bool) -> None:
        zero = self.optimizer.zero_grad
        if not Signature.of(zero).accepts("set_to_none"):
            raise Unsupported("its zero_grad has no keyword 'set_to_none'")
        zero(set_to_none=set_to_none)


def _under_torchs_names(asked: Implementation, state: Mapping[str, Any]) -> dict[str, Any]:
    """A state with torch's names beside its own, where these were told."""
    return {**state, **{torchs: state[own] for torchs, own in asked.state.items() if own in state}}


def _readable_state(asked: Implementation, kit: Kit, state: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """What of a state can be read as an array, under torch's names."""
    for name, value in entries(_under_torchs_names(asked, state)):
        try:
            yield name, kit.numpy(value)
        except TypeError:  # whatever else an optimizer keeps is its own affair
            continue


# --- a pair of functions -------------------------------------------------------------------------


def _run_pair(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> Outputs:
    """What a pair of functions gives. It has no object to which anything could happen between steps."""
    event = case.around.happening
    if event is not None and (event.acts or event.needs):
        raise Unsupported(f"a pair of functions is not asked {event.said}")
    memory = Memory(case.around.memory)
    outputs = stack_steps(list(_steps_of_pair(spec, case, asked, kit, memory)))
    return outputs | {OVERWRITTEN: np.array(memory.overwritten())} if case.around else outputs


def _steps_of_pair(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit,
                   memory: Memory) -> Iterator[dict[str, Array]]:
    trajectory = case.inputs
    if trajectory.objective is not None:
        raise Unsupported("a pair of functions gets gradients, and no closure")
    pairs = [_make_pair(spec, asked, {**trajectory.defaults, **group.options}) for group in trajectory.groups]
    params = [[kit.array(p, memory, "parameter") for p in group.params] for group in trajectory.groups]
    states = [init(ps) for (init, _), ps in zip(pairs, params, strict=True)]
    for now in trajectory.gradients:
        gradients, after = iter(now), []
        for k, (_, update) in enumerate(pairs):
            before = [_require_dense(next(gradients)) for _ in params[k]]
            passed = [kit.array(g, memory, "gradient") for g in before]
            updates, states[k] = update(passed, states[k], params[k])
            after += [kit.numpy(one) for one in passed]
            if any(one.tobytes() != g.tobytes() for one, g in zip(after[-len(before):], before, strict=True)):
                raise Misbehaved("changed a gradient")
            params[k] = [_add_update(p, u) for p, u in zip(params[k], updates, strict=True)]
        outputs = {f"param[{i}]": kit.numpy(p) for i, p in enumerate(p for group in params for p in group)}
        outputs |= {f"gradient[{i}]": g for i, g in enumerate(after)} if case.around else {}
        yield outputs | _name_states(asked, kit, states, [len(group) for group in params])


def _make_pair(spec: OptimSpec, asked: Implementation,
               options: Mapping[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``init`` and ``update`` with hyperparameters."""
    ready = init_and_update(asked.code)
    if ready is not None:
        if given := [k for k, v in options.items() if not is_default(spec, k, v)]:
            raise Unsupported(f"a pair that is made already: {given[0]} cannot be chosen")
        return ready
    _, keywords = split_arguments(asked.signature, spec, options)
    made = init_and_update(asked.code(**{k: options[k] for k in keywords}))
    if made is None:
        raise TypeError("needed is an object or a tuple that has init and update")
    return made


def _require_dense(gradient: Any) -> Array:
    """A gradient that is an array.

    Raises:
        Unsupported: it is sparse, or there is none.
    """
    if not isinstance(gradient, np.ndarray):
        raise Unsupported("a pair of functions takes one dense gradient for each parameter")
    return gradient


def _add_update(p: Any, update: Any) -> Any:
    """The parameter with its update added, in the parameter's dtype."""
    moved = p + update
    return moved if moved.dtype == p.dtype else moved.astype(p.dtype)


def _name_states(asked: Implementation, kit: Kit, states: Sequence[Any], sizes: Sequence[int]) -> dict[str, Array]:
    """Lists with an entry for each parameter, wherever in a state they stand under a name that is known."""
    torchs = {own: name for name, own in asked.state.items()}
    outputs: dict[str, Array] = {}
    first = 0
    for state, size in zip(states, sizes, strict=True):
        for name, value in _named_fields(state):
            if not isinstance(value, list | tuple) or len(value) != size:
                continue
            for i, one in enumerate(value):
                entry = {torchs.get(name, name): one}
                outputs |= {f"{k}[{first + i}]": a for k, a in _readable_state(asked, kit, entry)}
        first += size
    return outputs


def _named_fields(state: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of what a state holds, in named tuples, mappings and tuples of them."""
    if isinstance(state, Mapping):
        named = dict(state)
    else:
        named = {k: getattr(state, k) for k in getattr(state, "_fields", getattr(state, "__dataclass_fields__", ()))}
    yield from ((str(k), v) for k, v in named.items())
    if named:
        inner: Any = named.values()
    else:
        inner = state if isinstance(state, tuple | list) else ()
    for one in inner:
        yield from _named_fields(one)

"""How an optimizer that was handed in is called: as a class of ``torch.optim``, or as a pair of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import OptimSpec
from ..targets.loading import Unsupported
from ..truth.evaluate import Outputs
from ..truth.history import closures, entries, stack_steps
from .implementation import Implementation, Misbehaved
from .kit import Kit
from .signature import init_and_update, is_default, split_arguments

__all__ = ["run_optimizer"]

Array = np.ndarray[Any, Any]


def run_optimizer(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> Outputs:
    """Parameters and states after each step of a case.

    Raises:
        Unsupported: an option or a form of gradients that the optimizer does not take.
        Misbehaved: it changed a gradient, or keeps a view of one.
    """
    if not asked.signature.takes_params:
        return stack_steps(list(_steps_of_pair(spec, case, asked, kit)))
    try:
        return stack_steps(list(_steps_of_class(spec, case, asked, kit)))
    except Exception as error:
        if "sparsity" in spec.defaults and case.options["sparsity"] != spec.defaults["sparsity"]:
            raise Unsupported(f"a sparse gradient: {type(error).__name__}: {error}") from None
        raise


# --- a class -------------------------------------------------------------------------------------


def _steps_of_class(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> Iterator[dict[str, Array]]:
    trajectory = case.inputs
    held = [[kit.parameter(p) for p in group.params] for group in trajectory.groups]
    params = [p for group in held for p in group]
    optimizer = _make_of_class(spec, case, asked, held)
    objective = trajectory.objective and trajectory.objective.converted(kit.array)
    for gradients in trajectory.gradients:
        for p, g in zip(params, gradients, strict=True):
            p.grad = None if g is None else kit.array(g)
        optimizer.step(*closures(objective, params, [p.grad for p in params]))
        outputs = {f"param[{i}]": kit.numpy(p.data) for i, p in enumerate(params)}
        for i, (p, g) in enumerate(zip(params, gradients, strict=True)):
            state = _state_of_parameter(optimizer, p)
            if objective is None and isinstance(g, np.ndarray):
                _check_gradient(kit, i, p, g, state)
            outputs |= {f"{key}[{i}]": value for key, value in _readable_state(asked, kit, state)}
        yield outputs


def _make_of_class(spec: OptimSpec, case: Case, asked: Implementation, held: Sequence[list[Any]]) -> Any:
    """The optimizer of some groups of parameters; one group without options of its own is a plain list."""
    code, signature, trajectory = asked.code, asked.signature, case.inputs
    groups = []
    for params, group in zip(held, trajectory.groups, strict=True):
        _, names = split_arguments(signature, spec, group.options, skip=1)
        groups.append({"params": params, **{k: group.options[k] for k in names}})
    is_plain = len(groups) == 1 and not trajectory.groups[0].options
    _, keywords = split_arguments(signature, spec, trajectory.defaults, skip=1)
    return code(groups[0]["params"] if is_plain else groups, **{k: trajectory.defaults[k] for k in keywords})


def _state_of_parameter(optimizer: Any, p: Any) -> Mapping[str, Any]:
    """What an optimizer of torch's form keeps for a parameter; nothing, where its state has another form."""
    state = getattr(optimizer, "state", None)
    try:
        found = state.get(p, {}) if isinstance(state, Mapping) else {}
    except TypeError:  # a mapping of something else
        found = {}
    return found if isinstance(found, Mapping) else {}


def _check_gradient(kit: Kit, i: int, p: Any, before: Array, state: Mapping[str, Any]) -> None:
    """Refuse an optimizer that changed the gradient of parameter i, or keeps a view of it."""
    if p.grad is None:
        return
    if kit.numpy(p.grad).tobytes() != before.tobytes():
        raise Misbehaved(f"changed the gradient of parameter {i}")
    for name, value in entries(state):
        if before.size and kit.shares_memory(value, p.grad):
            raise Misbehaved(f"keeps a view of the gradient of parameter {i} as its state {name}")


def _readable_state(asked: Implementation, kit: Kit, state: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """What of a state can be read as an array, under torch's names."""
    named = {**state, **{torchs: state[own] for torchs, own in asked.state.items() if own in state}}
    for name, value in entries(named):
        try:
            yield name, kit.numpy(value)
        except TypeError:  # whatever else an optimizer keeps is its own affair
            continue


# --- a pair of functions -------------------------------------------------------------------------


def _steps_of_pair(spec: OptimSpec, case: Case, asked: Implementation, kit: Kit) -> Iterator[dict[str, Array]]:
    trajectory = case.inputs
    if trajectory.objective is not None:
        raise Unsupported("a pair of functions gets gradients, and no closure")
    pairs = [_make_pair(spec, asked, {**trajectory.defaults, **group.options}) for group in trajectory.groups]
    params = [[kit.array(p) for p in group.params] for group in trajectory.groups]
    states = [init(ps) for (init, _), ps in zip(pairs, params, strict=True)]
    for now in trajectory.gradients:
        gradients = iter(now)
        for k, (_, update) in enumerate(pairs):
            before = [_require_dense(next(gradients)) for _ in params[k]]
            passed = [kit.array(g) for g in before]
            updates, states[k] = update(passed, states[k], params[k])
            if any(kit.numpy(one).tobytes() != g.tobytes() for one, g in zip(passed, before, strict=True)):
                raise Misbehaved("changed a gradient")
            params[k] = [_add_update(p, u) for p, u in zip(params[k], updates, strict=True)]
        outputs = {f"param[{i}]": kit.numpy(p) for i, p in enumerate(p for group in params for p in group)}
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

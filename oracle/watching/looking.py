"""A look at slots before a step, and at the same elements after it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from reference.optim import Parameter, SparseGrad

from ..cases.spec import OptimSpec
from ..formats import FORMATS
from ..truth.step import PARAM
from .arrays import Kit
from .sampling import sample
from .slots import Slot

__all__ = ["GRADIENT", "WHOLE", "Look", "counts", "look_after", "look_before"]

Array = np.ndarray[Any, Any]

#: The most elements of a parameter that is judged whole, where its elements depend on each other.
WHOLE = 1024

GRADIENT = "gradient"  #: the output that is the gradient, which a step has to leave alone

LEAST = 4  #: elements of each parameter, however many parameters there are


@dataclass(frozen=True)
class Look:
    """What was seen of one parameter before a step. Arrays of its own shape are lines of the elements looked at."""

    slot: Slot
    shape: tuple[int, ...]
    dtype: str
    places: Array  #: of the elements, in C order
    values: Mapping[str, Any]  #: by output: lines, other arrays of the state in their own shape, and the count
    lines: frozenset[str]  #: the outputs that are lines
    sparse: SparseGrad | None = None  #: a sparse gradient, on the line
    unjudged: str = ""  #: why it is not judged, where it is not

    @property
    def grad(self) -> Array | SparseGrad | None:
        """The gradient of the elements."""
        return self.values.get(GRADIENT) if self.sparse is None else self.sparse

    @property
    def rests(self) -> bool:
        """Has the step to leave the parameter alone?"""
        return self.slot.grad is None or self.slot.rests

    @property
    def state(self) -> dict[str, Any]:
        """The state alone."""
        return {name: value for name, value in self.values.items() if name not in (PARAM, GRADIENT)}

    def index(self, output: str, place: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element of an output is in the array as it is held."""
        if output not in self.lines or len(place) != 1:
            return place
        return tuple(int(i) for i in np.unravel_index(self.places[place[0]], self.shape))


@dataclass(frozen=True)
class _Asked:
    """An array of which something is taken."""

    output: str
    array: Any
    places: Array
    shape: tuple[int, ...] | None  #: that it is given afterwards; None for a line


def look_before(slots: Sequence[Slot], spec: OptimSpec, kit: Kit, elements: int, seed: tuple[int, int]) -> list[Look]:
    """The elements of each parameter that are looked at, and what they are now.

    Args:
        slots: parameters; those without elements are left out.
        spec: of the op that the optimizer is to be.
        kit: reads the arrays.
        elements: how many of all parameters together, in equal parts.
        seed: of the choice; the second number is the step's.
    """
    rng = np.random.default_rng(seed)
    share = max(elements // max(len(slots), 1), LEAST)
    chosen = [(slot, _places(slot, spec, kit, share, rng)) for slot in slots if math.prod(_shape(kit, slot.data))]
    asked = [_asked(slot, places, spec, kit) for slot, places in chosen]
    found = _take(asked, kit)
    return [_look(slot, places, one, values, spec, kit)
            for (slot, places), one, values in zip(chosen, asked, found, strict=True)]


def look_after(looks: Sequence[Look], slots: Iterable[Slot], spec: OptimSpec, kit: Kit) -> list[dict[str, Any]]:
    """The same elements now, by output; the gradient only where it is still the same array."""
    now = {slot.key: slot for slot in slots}
    held = []
    for look in looks:
        slot = now[look.slot.key]
        held.append(slot if slot.grad is look.slot.grad else replace(slot, grad=None))
    return _take([_asked(slot, look.places, spec, kit) for slot, look in zip(held, looks, strict=True)], kit)


def _take(asked: Sequence[Sequence[_Asked]], kit: Kit) -> list[dict[str, Any]]:
    """What was asked of each slot, by output; all of it is brought over at once."""
    flat = [one for of_slot in asked for one in of_slot]
    distant = [one for one in flat if kit.shape(one.array) is not None]
    taken = dict(zip(map(id, distant), kit.take([(one.array, one.places) for one in distant]), strict=True))
    return [{one.output: _shaped(one, taken.get(id(one))) for one in of_slot} for of_slot in asked]


def _shaped(one: _Asked, taken: Array | None) -> Any:
    value = one.array if taken is None else taken if one.shape is None else taken.reshape(one.shape)
    return int(value) if one.output == "step" else value


def _asked(slot: Slot, places: Array, spec: OptimSpec, kit: Kit) -> list[_Asked]:
    """All that is taken of a slot; of larger state that has not the parameter's shape nothing is."""
    shape, inner = _shape(kit, slot.data), None if spec.elementwise else _shape(kit, slot.data)
    whole = len(places) == math.prod(shape)
    found = [_Asked(PARAM, slot.data, places, inner if whole else None)]
    if slot.grad is not None and kit.sparse(slot.grad) is None:
        found.append(_Asked(GRADIENT, slot.grad, places, inner if whole else None))
    numbers = _numbers(spec, tuple(slot.options.items()))
    for name, value in slot.state.items():
        own = kit.shape(value)
        if own is None:
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append(_Asked(name, np.asarray(value, np.float32), np.arange(1), ()))
        elif own == shape and name not in numbers:
            found.append(_Asked(name, value, places, inner if whole else None))
        elif math.prod(own) <= WHOLE:
            found.append(_Asked(name, value, np.arange(math.prod(own)), own))
    return found


def _look(slot: Slot, places: Array, asked: Sequence[_Asked], values: dict[str, Any], spec: OptimSpec,
          kit: Kit) -> Look:
    shape, dtype = _shape(kit, slot.data), kit.dtype(slot.data)
    lines = frozenset(one.output for one in asked if one.places is places and spec.elementwise)
    look = Look(slot, shape, dtype, places, values, lines)
    if slot.grad is not None and GRADIENT not in values:
        look = replace(look, sparse=_on_the_line(kit, slot.grad, places))
    elif GRADIENT in values and slot.scale != 1:
        look = replace(look, values={**values, GRADIENT: _divided(values[GRADIENT], slot.scale)})
    return replace(look, unjudged=_reason(look, spec))


def _reason(look: Look, spec: OptimSpec) -> str:
    """Why a parameter is not judged, or nothing."""
    if look.dtype not in FORMATS:
        return f"parameters of {look.dtype}"
    if not spec.elementwise and len(look.places) < math.prod(look.shape):
        return f"{spec.name} on parameters of more than {WHOLE} elements: each of them depends on all others"
    if look.slot.scale != 1 and math.frexp(look.slot.scale)[0] != 0.5:
        return "gradients whose scale is no power of two"
    needed = _kept(spec, tuple(look.slot.options.items()), (2, 3) if spec.elementwise else look.shape or (1,))
    lacking = sorted(needed.keys() - look.state.keys()) if look.slot.state else []
    return f"parameters whose state has no {', '.join(lacking)}; say with state= what it is called" if lacking else ""


def _places(slot: Slot, spec: OptimSpec, kit: Kit, share: int, rng: np.random.Generator) -> Array:
    n = math.prod(_shape(kit, slot.data))
    if not spec.elementwise:
        return np.arange(n if n <= WHOLE else LEAST)
    given = None if slot.grad is None else kit.sparse(slot.grad)
    if given is None or not given.values.size:
        return sample(n, share, rng)
    inner = given.values[0].size  # half of the elements are some that the gradient has
    rows = given.places()[rng.integers(0, len(given.values), share // 2 + 1)]
    return np.union1d(rows * inner + rng.integers(0, inner, len(rows)), sample(n, share // 2 + 1, rng))


def _on_the_line(kit: Kit, gradient: Any, places: Array) -> SparseGrad:
    """A sparse gradient of the elements at places, values for one place one by one as they stand in it."""
    given = kit.sparse(gradient)
    assert given is not None
    inner = given.values[0].size if len(given.values) else 1
    rows = given.places()
    here, numbers = [], []
    for i, place in enumerate(places.tolist()):
        found = np.flatnonzero(rows == place // inner)
        here += [i] * len(found)
        numbers += (found * inner + place % inner).tolist()
    values = kit.values(gradient, np.asarray(numbers, np.int64))
    return SparseGrad(np.asarray([here], np.int64), values, (len(places),))


def _divided(grad: Array, scale: float) -> Array:
    """Gradients before they were scaled; exact, but where that is below the type's normal numbers."""
    return np.asarray(np.asarray(grad, np.float64) / scale, grad.dtype)


def _shape(kit: Kit, array: Any) -> tuple[int, ...]:
    shape = kit.shape(array)
    if shape is None:
        raise TypeError(f"a parameter needs to be a dense array, got a {type(array).__name__}")
    return shape


def _numbers(spec: OptimSpec, options: tuple[tuple[str, Any], ...]) -> frozenset[str]:
    """The states that are one number for the whole parameter, whatever its shape."""
    return frozenset(name for name, axes in _kept(spec, options, (2, 3)).items() if axes == 0)


def counts(spec: OptimSpec, options: Mapping[str, Any]) -> bool:
    """Does the op keep a count of steps?"""
    return "step" in _kept(spec, tuple(options.items()), (2, 3))


@lru_cache
def _kept(spec: OptimSpec, options: tuple[tuple[str, Any], ...], shape: tuple[int, ...]) -> Mapping[str, int]:
    """The states that a step leaves, with how many axes each has: the reference itself is asked."""
    p = Parameter(np.ones(shape))
    optimizer = spec.optimizer([p], **dict(options))
    for grad in (np.ones(shape), SparseGrad([[0]], np.ones((1, *shape[1:])), shape)):
        try:
            p.grad = grad
            optimizer.step()
        except RuntimeError:  # it takes sparse gradients alone
            continue
        break
    return {name: np.ndim(value) for name, value in optimizer.state[p].items()}


def members(lines: Sequence[Look]) -> Iterator[tuple[Look, slice]]:
    """Looks behind one another: which part of a line that is made of all of theirs belongs to each."""
    start = 0
    for look in lines:
        end = start + len(look.places)
        yield look, slice(start, end)
        start = end

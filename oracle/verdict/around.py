"""Conditions on what surrounds a case: its size, memory, threads, and what happens between steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..cases.case import Case
from ..cases.spec import LossSpec, OptimSpec
from ..cases.surroundings.events import EVENTS
from ..cases.surroundings.memory import LAYOUTS, Memory
from .magnitudes import floats

__all__ = ["element_count", "surrounding_conditions"]

Holds = Callable[[Case], bool]

#: Blocks of elements that a kernel may handle at once.
_BLOCKS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

#: Layouts in which elements follow each other in memory.
_COMPACT = ("contiguous", "offset")

_ROLES = {"gradient": "the gradient", "parameter": "the parameter", "upstream": "the gradient from above"}


def surrounding_conditions(failing: Sequence[Case], passing: Sequence[Case]) -> Iterator[tuple[str, Holds]]:
    """What may be said of the surroundings of failing cases, each with a test of whether it holds for a case."""
    if any(case.around.size for case in failing):
        yield from _on_size(failing, passing)
    if any(case.around.tensors for case in failing):
        n = min(_tensor_count(case) for case in failing)
        yield (f"from {n:,} parameters on{_say_passing(passing, 'tensors', _tensor_count, n)}",
               lambda case: _tensor_count(case) >= n)
    yield from _on_memory([case.around.memory for case in failing if case.around.memory])
    yield from _on_events([case.around.event for case in failing if case.around.event])
    if any(case.around.threads for case in failing):
        yield "with several threads", lambda case: bool(case.around.threads)


# --- size ----------------------------------------------------------------------------------------


def _on_size(failing: Sequence[Case], passing: Sequence[Case]) -> Iterator[tuple[str, Holds]]:
    spec = failing[0].spec
    things = "rows" if isinstance(spec, LossSpec) and spec.independent == "rows" else "elements"
    n = min(element_count(case) for case in failing)
    yield (f"from {n:,} {things} on{_say_passing(passing, 'size', element_count, n)}",
           lambda case: element_count(case) >= n)
    for block in _BLOCKS:
        yield f"where the number of {things} is no multiple of {block}", _is_divided(block, rest=True)
        yield f"where the number of {things} is a multiple of {block}", _is_divided(block, rest=False)


def _is_divided(block: int, *, rest: bool) -> Holds:
    return lambda case: bool(element_count(case) % block) is rest


def _say_passing(passing: Sequence[Case], field: str, count: Callable[[Case], int], n: int) -> str:
    """The largest number below n that passes, of cases that were made so large; nothing where there is none."""
    below = [count(case) for case in passing if getattr(case.around, field) and count(case) < n]
    return f" ({max(below):,} pass)" if below else ""


def element_count(case: Case) -> int:
    """How many elements (or rows, where an op's are independent) a case has; of parameters, the largest."""
    if case.around.shape:
        return math.prod(case.around.shape)
    base = case.base if case.laid_out else case
    if isinstance(case.spec, LossSpec) and case.spec.independent == "rows":
        shape = base.inputs[case.spec.arrays[0]].shape
        return int(shape[0]) if shape else 1
    return max((a.size for a in floats(base.inputs)), default=1)


def _tensor_count(case: Case) -> int:
    if case.around.tensors:
        return int(case.around.tensors)
    base: Any = (case.base if case.laid_out else case).inputs
    return sum(len(group.params) for group in base.groups) if isinstance(case.spec, OptimSpec) else 1


# --- memory --------------------------------------------------------------------------------------


def _on_memory(failing: Sequence[str]) -> Iterator[tuple[str, Holds]]:
    """Conditions on one array, where cases with that alone fail; and on whichever array."""
    layouts = list(dict.fromkeys(memory.partition(":")[0] for memory in failing))
    for role in dict.fromkeys(memory.partition(":")[2] for memory in failing):
        who = _ROLES.get(role, role) if role else "an array"
        for layout in layouts:
            yield f"where {who} is {LAYOUTS[layout].said}", _lies(role, (layout,))
        loose = [name for name in LAYOUTS if name not in _COMPACT]
        yield f"where {who} is not contiguous", _lies(role, loose)


def _lies(role: str, layouts: Sequence[str]) -> Holds:
    """Does the array of a role, or whichever, lie in one of some layouts?"""
    def holds(case: Case) -> bool:
        name = case.around.memory.partition(":")[0]
        return name in layouts and (not role or Memory(case.around.memory).layout(role) is not None)
    return holds


# --- events --------------------------------------------------------------------------------------


def _on_events(failing: Sequence[str]) -> Iterator[tuple[str, Holds]]:
    for event in dict.fromkeys(failing):
        name, _, option = event.partition(":")
        said = EVENTS[name].said
        yield said.replace("an option", option) if option else said, _is_event(event)
        if option:
            yield said, _begins_with(f"{name}:")
    if any(map(_is_loaded, failing)):
        yield "where its state is saved and loaded", lambda case: _is_loaded(case.around.event)


def _is_loaded(event: str) -> bool:
    """Does an optimizer load a state in it?"""
    return "load_state_dict" in EVENTS[event.partition(":")[0]].needs if event else False


def _is_event(event: str) -> Holds:
    return lambda case: case.around.event == event


def _begins_with(text: str) -> Holds:
    return lambda case: case.around.event.startswith(text)

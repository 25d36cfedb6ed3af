"""Which surroundings a case can stand in."""

from __future__ import annotations

from typing import Any

from ..spec import InitSpec, LossSpec, OptimSpec, Options, Spec
from .events import EVENTS
from .record import Surroundings

__all__ = ["is_choice", "is_laid_out", "misfit", "other_options", "settable"]

#: Axes of trajectories that are no options of an optimizer: how long and large they are, and what its gradients are.
_LENGTHS, _GRADIENTS = ("start", "steps", "layout"), ("grad", "sparsity")

#: The types of both parts of a complex number.
_COMPLEX = ("float64", "float32")


def is_laid_out(spec: Spec, options: Options) -> bool:
    """Is a case of these options made larger by laying out its elements? Else a larger one is drawn."""
    if isinstance(spec, LossSpec):
        return bool(spec.independent) and options.get("reduction") == "none"
    return isinstance(spec, OptimSpec) and spec.elementwise and options.get("sparsity", "dense") == "dense"


def is_choice(spec: Spec, axis: str) -> bool:
    """Is an axis more than the length or the size of what is computed?"""
    return axis not in (_LENGTHS if isinstance(spec, OptimSpec) else ("shape",))


def other_options(spec: Spec, options: Options, axis: str) -> dict[str, Any]:
    """The options with the next value of an axis, in a circle."""
    values = next(a.values for a in spec.axes if a.name == axis)
    return {**options, axis: values[(values.index(options[axis]) + 1) % len(values)]}


def settable(spec: OptimSpec, options: Options, dtype: str, event: str) -> list[str]:
    """The axes whose option can be another: in a group of its own, or between steps (in arrays those that may be)."""
    left_out = {*_LENGTHS, *_GRADIENTS, *(() if EVENTS[event].groups else spec.fixed)}
    return [axis.name for axis in spec.axes if axis.name not in left_out and len(axis.values) > 1
            and (axis.name in spec.in_arrays or not EVENTS[event].arrays)
            and options[axis.name] in axis.values and spec.allowed(other_options(spec, options, axis.name), dtype)]


def misfit(spec: Spec, options: Options, dtype: str, around: Surroundings) -> str:
    """Why a case of these options cannot stand in these surroundings; an empty text where it can."""
    if around.is_complex and dtype not in _COMPLEX:
        return f"there are complex numbers of {' and '.join(_COMPLEX)}"
    if isinstance(spec, InitSpec) and around.size and dtype not in spec.decided:
        return f"{spec.name} has no size in {dtype}, where it is not decided for large tensors"
    return _misfit_of_size(spec, options, around) or _misfit_of_event(spec, options, dtype, around)


def _misfit_of_size(spec: Spec, options: Options, around: Surroundings) -> str:
    laid_out = (around.size or around.tensors) and is_laid_out(spec, options)
    if around.is_broadcast and not laid_out:
        return "memory=broadcast needs a size, whose lines can be made equal"
    if around.is_complex and not (isinstance(spec, OptimSpec) and laid_out and around.shape[-1:] == (2,)):
        return "memory=complex is for parameters of a size with 2 along its last axis: both parts of a number"
    if around.is_complex and ":" in around.memory:
        return "a complex parameter has a complex gradient: memory=complex"
    if isinstance(spec, LossSpec):
        if around.tensors or around.beside:
            return "a loss has arguments, and no number of tensors"
        return _misfit_of_terms(spec, options, around) if around.size else ""
    elif isinstance(spec, InitSpec):
        if around.tensors or around.beside or around.event:
            return "an initializer has one tensor, and no events"
        if around.size and len(around.shape) not in spec.lengths:
            return f"a size of {spec.name} has {' or '.join(map(str, spec.lengths)) or 'no'} lengths"
    elif (around.tensors or around.beside) and not is_laid_out(spec, options):
        return f"the parameters of {spec.name} are as its spec draws them"
    elif around.beside and not (around.beside in spec.dtypes and spec.allowed(options, around.beside)):
        return f"{spec.name} has no such case in {around.beside}"
    return ""


def _misfit_of_terms(spec: LossSpec, options: Options, around: Surroundings) -> str:
    """Why the elements of a loss cannot be so many."""
    laid_out, axes = is_laid_out(spec, options), len(around.shape)
    if laid_out:
        return "rows have a number, and no shape" if spec.independent == "rows" and axes > 1 else ""
    if spec.whole is None:
        return f"{spec.name} has no size with these options"
    changed = {name: value for name, value in options.items() if value != spec.defaults[name] and name != "reduction"}
    if changed not in spec.whole.beside:
        return f"{spec.name} has a size with reduction=none, or with options that give whole numbers"
    if spec.independent != "elements" and axes not in spec.whole.lengths:
        return f"a size of {spec.name} has {' or '.join(map(str, spec.whole.lengths))} lengths here: rows (x classes)"
    return ""


def _misfit_of_event(spec: Spec, options: Options, dtype: str, around: Surroundings) -> str:
    if not around.event:
        return ""
    name, _, axis = around.event.partition(":")
    event = EVENTS[name]
    if event.of_losses != isinstance(spec, LossSpec):
        return f"event={name} happens to {'losses' if event.of_losses else 'optimizers'}"
    if not isinstance(spec, OptimSpec):
        return f"event={name} has no option" if axis else ""
    if event.of_option != bool(axis):
        return f"event={name} needs an option behind a colon" if event.of_option else f"event={name} has no option"
    if axis and axis not in (known := settable(spec, options, dtype, name)):
        return f"{axis!r} is no option of {spec.name} that can be another here; these are {', '.join(known)}"
    if event.closure and "objective" in options:
        return f"each step of {spec.name} has a closure already"
    if event.scaled and not spec.scales:
        return f"torch leaves it to the caller to scale gradients of {spec.name}"
    if event.groups and options["layout"] != "groups":
        return f"event={name} needs layout=groups"
    return ""

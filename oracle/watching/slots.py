"""What an optimizer holds at a moment: one slot for each parameter, with handles on its arrays. Nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..cases.spec import OptimSpec

__all__ = ["Slot", "named", "options_of", "slots_of"]

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Slot:
    """One parameter, as it is held."""

    key: int  #: the same before and after a step
    name: str
    data: Any
    grad: Any
    state: Mapping[str, Any]  #: by torch's names
    options: Mapping[str, Any]  #: keyword arguments of the reference's class
    variant: str  #: what torch calls the implementation: ``fused``, ``foreach``, …; ``eager`` by default
    scale: float = 1.0  #: what the gradients were multiplied with, and the step is to divide them by
    rests: bool = False  #: has the step to leave it alone, although it has a gradient?


def slots_of(optimizer: Any, spec: OptimSpec, names: Mapping[int, str], state: Mapping[str, str],
             given: Settings) -> Iterator[Slot]:
    """The parameters of an optimizer, group by group.

    Args:
        names: of parameters, by the ``id`` of each.
        state: torch's names of the state -> the optimizer's own.
        given: options that groups do not have, or not by torch's name.
    """
    scale, rests = _number(getattr(optimizer, "grad_scale", None)), _number(getattr(optimizer, "found_inf", None))
    theirs = {own: torchs for torchs, own in state.items()}
    for k, group in enumerate(optimizer.param_groups):
        options = options_of(spec, group, given)
        own_names = group.get("param_names") or [f"param_groups[{k}][{i}]" for i in range(len(group["params"]))]
        for p, own_name in zip(group["params"], own_names, strict=True):
            held = optimizer.state.get(p, {})
            if held and "step" in group:  # as NVIDIA Apex counts
                held = {"step": group["step"], **held}
            yield Slot(id(p), names.get(id(p), own_name), p.data, p.grad,
                       {theirs.get(name, name): value for name, value in held.items() if value is not None}, options,
                       _variant(group), 1.0 if scale is None else scale, bool(rests))


def named(parameters: Iterable[tuple[str, Any]] | None) -> dict[int, str]:
    """The names of parameters, from what ``model.named_parameters()`` gives."""
    return {id(p): name for name, p in parameters or ()}


def options_of(spec: OptimSpec, group: Settings, given: Settings, *arguments: Any) -> dict[str, Any]:
    """What the reference takes of a group's options, as plain numbers; ``given`` ones may be functions of arguments."""
    found = {name: group[name] for name in spec.parameters if name in group and name != "params"}
    found |= {name: value(*arguments) if isinstance(value, Callable) else value  # type: ignore[arg-type]  # it is one
              for name, value in given.items()}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    """An option as a number, or as a tuple of numbers."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value.item() if hasattr(value, "item") else value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _variant(group: Settings) -> str:
    chosen = [name for name in ("fused", "capturable", "differentiable", "foreach") if group.get(name)]
    return chosen[0] if chosen else "eager"

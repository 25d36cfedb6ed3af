"""How a loss that was handed in is called: as ``torch.nn.functional``'s, with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.case import Case, leaf, leaves
from ..cases.spec import LossSpec
from ..cases.surroundings.events import other_arguments
from ..cases.surroundings.memory import Memory
from ..truth.evaluate import Outputs
from ..truth.history import OVERWRITTEN
from .implementation import Implementation, Misbehaved
from .kit import Kit, kind_of
from .signature import split_arguments

__all__ = ["run_loss"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Call:
    """A loss and its backward, with what either is passed."""

    case: Case
    asked: Implementation
    kit: Kit
    positional: list[str]
    keywords: list[str]

    def loss(self, values: Mapping[str, Any]) -> Any:
        """What the loss gives for arguments by their names."""
        return self.asked.code(*(values[k] for k in self.positional), **{k: values[k] for k in self.keywords})

    def backward(self, upstream: Any, values: Mapping[str, Any]) -> Any:
        """What the backward that was handed in gives."""
        return self.asked.backward(upstream, *(values[k] for k in self.positional),
                                   **{k: values[k] for k in self.keywords})

    @property
    def differentiated(self) -> list[str]:
        """Paths of the arrays whose gradients are asked for, of those that are passed."""
        passed = {*self.positional, *self.keywords}
        return [path for path in self.case.differentiated
                if path.partition("[")[0] in passed and self.asked.asks_for(path)]

    def run(self, values: Mapping[str, Any], above: Any,
            between: Callable[[], Any] = lambda: None) -> tuple[Any, dict[str, Any]]:
        """The result and its gradients, and what happens between the two."""

        def loss(values: Mapping[str, Any]) -> Any:
            result = self.loss(values)
            between()
            return result

        paths = self.differentiated
        if self.asked.differentiates and paths:
            return self.kit.gradients(loss, values, paths, above if isinstance(above, tuple) else (above,))
        result = loss(values)
        if not callable(self.asked.backward):
            return result, {}
        return result, _name_gradients(self.case, self.asked, self.backward(above, values))


def run_loss(spec: LossSpec, case: Case, asked: Implementation, kit: Kit) -> Outputs:
    """The results of a loss on a case, and its gradients.

    Raises:
        Unsupported: the loss has no keyword for what the case asks for.
        Misbehaved: it changed an argument or the gradient from above, or returned a view of an argument.
    """
    memory = Memory(case.around.memory)
    call = _Call(case, asked, kit, *split_arguments(asked.signature, spec, case.inputs))
    arguments = {name: _to_framework(kit, value, memory, name) for name, value in case.inputs.items()}
    above = _to_framework(kit, case.grad_output, memory, "upstream")
    if case.around.happening is None:
        result, gradients = call.run(arguments, above)
    else:
        others = {name: _to_framework(kit, other_arguments(value), memory, name) for name, value in case.inputs.items()}
        result, gradients = call.run(arguments, above, between=lambda: call.loss(others))
        call.run(others, _to_framework(kit, other_arguments(case.grad_output), memory, "upstream"))
    outputs = _name_results(case, kit, result)
    _check_arguments(kit, case, arguments, above, result)
    outputs |= {f"grad.{path}": kit.numpy(g) for path, g in gradients.items()}
    return outputs | {OVERWRITTEN: np.array(memory.overwritten())} if case.around.memory else outputs


def _to_framework(kit: Kit, value: Any, memory: Memory, role: str) -> Any:
    """A value with arrays of the framework in the places of NumPy's."""
    if isinstance(value, tuple):
        return tuple(_to_framework(kit, one, memory, role) for one in value)
    return kit.array(value, memory, role) if isinstance(value, np.ndarray) else value


def _name_gradients(case: Case, asked: Implementation, given: Any) -> dict[str, Any]:
    """What a backward returned, by path of the argument: it gives one gradient, or None, for each array."""
    given = given if isinstance(given, tuple | list) else (given,)
    wanted = {path.partition("[")[0] for path in case.differentiated if asked.asks_for(path)}
    found: dict[str, Any] = {}
    assert isinstance(case.spec, LossSpec)
    for name, value in zip(case.spec.arrays, given, strict=False):
        if name in wanted:
            found.update(leaves(name, value))
    return found


def _name_results(case: Case, kit: Kit, result: Any) -> dict[str, Array]:
    """The results under the reference's names; a plain tuple has them in its order."""
    names = [name for name, _ in leaves("output", case.result)]
    found = [one for _, one in leaves("output", tuple(result) if isinstance(result, list) else result)]
    if len(found) != len(names):
        raise TypeError(f"gave {kind_of(result)}, needed is {len(names)} array{'s' * (len(names) > 1)}")
    return {name: kit.numpy(one) for name, one in zip(names, found, strict=True)}


def _check_arguments(kit: Kit, case: Case, arguments: Mapping[str, Any], above: Any, result: Any) -> None:
    """Refuse a loss that changed what it was given, or whose result is a view of an argument."""
    for name, value in case.inputs.items():
        for path, array in leaves(name, value):
            if not isinstance(array, np.ndarray):
                continue
            passed = leaf(arguments, path)
            if kit.numpy(passed).tobytes() != array.tobytes():
                raise Misbehaved(f"changed its argument {path}")
            if any(array.size and kit.shares_memory(one, passed) for _, one in leaves("output", result)):
                raise Misbehaved(f"returned a view of its argument {path}")
    for (_, before), (_, after) in zip(leaves("above", case.grad_output), leaves("above", above), strict=True):
        if kit.numpy(after).tobytes() != before.tobytes():
            raise Misbehaved("changed the gradient from above")

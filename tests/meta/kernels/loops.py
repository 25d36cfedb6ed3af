"""The loop around a rule: groups, parameters, states, and a kernel over parts of flat arrays.

Each method is what one mistake replaces.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .rules import AdagradRule, AdamRule, RMSpropRule, SGDRule

__all__ = ["Loop", "NumpyAdagrad", "NumpyAdam", "NumpyLoop", "NumpyRMSprop", "NumpySGD", "TorchAdagrad", "TorchAdam",
           "TorchLoop", "TorchRMSprop", "TorchSGD", "strides_in_elements"]


class Loop:
    """What is the same in all frameworks."""

    param_groups: list[dict[str, Any]]
    state: Any
    kept: Callable[[SimpleNamespace], tuple[str, ...]]
    rule: Callable[..., Any]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters."""
        loss = self.evaluate(closure)
        for group in self.groups():
            o = self.options(group)
            for p in self.members(group):
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], o)
        return loss

    def evaluate(self, closure: Callable[[], Any] | None) -> Any:
        """The closure's value."""
        return None if closure is None else closure()

    def groups(self) -> Sequence[dict[str, Any]]:
        """The groups that take part."""
        return self.param_groups

    def options(self, group: dict[str, Any]) -> SimpleNamespace:
        """The options of a group."""
        return SimpleNamespace(**{k: v for k, v in group.items() if k != "params"})

    def members(self, group: dict[str, Any]) -> Sequence[Any]:
        """The parameters of a group that take part."""
        return group["params"]  # type: ignore[no-any-return]

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        """One step of a parameter."""
        state["step"] = o.t = self.count(state)
        o.new = self.start(p, g, state, o)
        self.run(p.data, g, {name: state[name] for name in self.kept(o)}, o)

    def count(self, state: dict[str, Any]) -> int:
        """The number of this step."""
        return int(state.get("step", 0)) + 1

    def start(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> set[str]:
        """Make what of the state is not there yet; its names."""
        new = {*self.kept(o)} - {*state}
        for name in new:
            state[name] = self.zeros(p.data, g)
        return new

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        """The rule, on flat copies, part by part."""
        flat, slope = self.gather(theta, "parameter"), self.gather(g, "gradient")
        arrays = {name: self.gather(array, name) for name, array in state.items()}
        for part in self.parts(math.prod(theta.shape)):
            new, after = self.rule(flat[part], slope[part], {k: a[part] for k, a in arrays.items()}, o)
            for name, value in after.items():
                self.store(arrays[name], part, value)
            self.store(flat, part, new)
        self.scatter(theta, flat, "parameter")
        for name, array in state.items():
            self.scatter(array, arrays[name], name)

    def parts(self, n: int) -> Iterator[Any]:
        """Indices of the elements that are handled together."""
        yield slice(0, n)

    def store(self, array: Any, part: Any, value: Any) -> None:
        """Write the elements of a part."""
        array[part] = value

    def zeros(self, theta: Any, g: Any) -> Any:
        """A state before the first step."""
        raise NotImplementedError

    def gather(self, array: Any, role: str) -> Any:
        """A flat copy of an array, in the order of its indices."""
        raise NotImplementedError

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        """Write a flat copy back."""
        array[...] = flat.reshape(array.shape)


class TorchLoop(Loop, torch.optim.Optimizer):
    """The loop over tensors."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return super().step(closure)

    def evaluate(self, closure: Callable[[], Any] | None) -> Any:
        with torch.enable_grad():
            return super().evaluate(closure)

    def zeros(self, theta: Any, g: Any) -> Any:
        return torch.zeros_like(theta)

    def gather(self, array: Any, role: str) -> Any:
        return array.clone(memory_format=torch.contiguous_format).reshape(-1)


class NumpyLoop(Loop):
    """The loop over NumPy's arrays, with all that torch's base class has."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group."""
        self.param_groups.append({**self.defaults, **group, "params": list(group["params"])})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop gradients."""
        for p in self.members_of_all():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad[...] = 0

    def members_of_all(self) -> list[Any]:
        """The parameters of all groups."""
        return [p for group in self.param_groups for p in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """State and options; a parameter is known by its place."""
        place = {p: i for i, p in enumerate(self.members_of_all())}
        groups = [{**group, "params": [place[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {place[p]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over a copy of a saved state."""
        saved, members = copy.deepcopy(saved), self.members_of_all()
        self.state = defaultdict(dict, {members[i]: state for i, state in saved["state"].items()})
        self.param_groups = [{**new, "params": old["params"]}
                             for old, new in zip(self.param_groups, saved["param_groups"], strict=True)]

    def zeros(self, theta: Any, g: Any) -> Any:
        return np.zeros(theta.shape, theta.dtype)

    def gather(self, array: Any, role: str) -> Any:
        return array.flatten()


class TorchSGD(SGDRule, TorchLoop):
    """SGD in torch."""


class TorchAdam(AdamRule, TorchLoop):
    """Adam in torch."""


class TorchRMSprop(RMSpropRule, TorchLoop):
    """RMSprop in torch."""


class TorchAdagrad(AdagradRule, TorchLoop):
    """Adagrad in torch."""


class NumpySGD(SGDRule, NumpyLoop):
    """SGD in NumPy."""


class NumpyAdam(AdamRule, NumpyLoop):
    """Adam in NumPy."""


class NumpyRMSprop(RMSpropRule, NumpyLoop):
    """RMSprop in NumPy."""


class NumpyAdagrad(AdagradRule, NumpyLoop):
    """Adagrad in NumPy."""


def strides_in_elements(array: Any) -> tuple[int, ...]:
    """The strides of an array of either framework, in elements."""
    if isinstance(array, torch.Tensor):
        return tuple(array.stride())
    return tuple(stride // array.itemsize for stride in array.strides)

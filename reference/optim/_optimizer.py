"""What every optimizer shares: parameters, groups, state, the step's loop, and ``state_dict``.

An optimizer is a pure function (the rule, in the paper's symbols) and a class that keeps its state.
The class says in :meth:`Optimizer._update` which state a parameter has and what is to be done to both;
:mod:`._blocks` does it, over blocks of memory that stay in the processor's cache.
"""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._blocks import Rule, Update, run_updates
from ._checks import check_nonnegative, check_one
from ._hooks import Hooked, counted
from ._sparse import SparseGrad

__all__ = ["Optimizer", "Parameter", "check_nonnegative", "filled_like", "number", "scalar"]

Array = NDArray[Any]
Closure = Callable[[], Any]

class Parameter:
    """An array that an optimizer changes in place, and the gradient it is changed by.

    >>> p = Parameter(np.ones(2))
    >>> p.grad = np.array([1.0, 2.0])
    >>> p
    Parameter(array([1., 1.]))

    Args:
        data: the array itself, not a copy of it; real or complex.

    Raises:
        RuntimeError: ``data`` is not of a floating or complex type; or a gradient is assigned whose shape
            or dtype is not that of ``data``.
    """

    __slots__ = ("_grad", "data")

    def __init__(self, data: Any) -> None:
        self.data: Array = np.asanyarray(data)
        if self.data.dtype.kind in "biuSUMm" or self.data.dtype.names is not None or (
                self.data.dtype.kind == "O" and type(self.data) is np.ndarray):
            raise RuntimeError(f"data needs a floating or complex dtype, got {self.data.dtype}")
        self._grad: Any = None

    @property
    def grad(self) -> Any:
        """An array or a :class:`SparseGrad`; ``None`` where there is none: the parameter sits the step out."""
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        if grad is not None:
            grad = grad if isinstance(grad, SparseGrad) else np.asanyarray(grad)
            if grad.shape != self.data.shape or grad.dtype != self.data.dtype:
                raise RuntimeError(f"grad needs shape {self.data.shape} and dtype {self.data.dtype}, "
                                   f"got {grad.shape} and {grad.dtype}")
        self._grad = grad

    def __repr__(self) -> str:
        return f"Parameter({self.data!r})"


_ARRAYS = (np.ndarray, np.generic)


def scalar(value: Any) -> Any:
    """A hyperparameter as the rules take it: arrays of one element, and tuples of them, become floats."""
    if isinstance(value, tuple):
        return tuple(map(scalar, value))
    return value.item() if isinstance(value, _ARRAYS) else value


def number(like: Array, value: float) -> Any:
    """A number as precise as a rule's scalars are: a double, or where parameters are balls one of theirs."""
    return np.full_like(like, value, np.float64, shape=()).item()


def filled_like(array: Array, value: Any) -> Array:
    """State that starts at a number: an array like another, where both parts of a complex number have it."""
    return np.full_like(array, complex(value, value) if array.dtype.kind == "c" else value)


class Optimizer(Hooked):
    """Base of all optimizers, used like ``torch.optim.Optimizer``.

    Args:
        params: parameters, (name, parameter) pairs, or dicts ``{"params": ..., option: value}``, one a group.
        defaults: an option's value in the groups that do not set it.

    Raises:
        TypeError: ``params`` is no iterable, or a group's is a set, or an entry is no :class:`Parameter`.
        ValueError: ``params`` is empty, names only some parameters, or has one in two groups.
        KeyError: a group has no ``"params"``.

    Deviations from torch:

    - ``load_state_dict`` copies; torch shares the loaded arrays where the dtype agrees.
    - NaN is no hyperparameter; torch's SGD takes a learning rate of NaN.
    - Hyperparameters may be arrays of one element, and are then read as doubles at each step; torch's Adam
      computes with a float32 learning rate in float32.

    As in torch, options of groups are not checked, and ``state_dict`` holds the state itself, not a copy.
    """

    #: Options that a saved state may lack, as torch had released without them, and their value then.
    added_later: ClassVar[Mapping[str, Any]] = {"maximize": False}

    #: May gradients be sparse?
    takes_sparse: ClassVar[bool] = False

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Parameter) or not isinstance(params, Iterable):
            raise TypeError("params needs to be an iterable of parameters, of (name, parameter) pairs or of "
                            f"dicts, got {type(params).__name__}")
        groups = list(params)
        if not groups:
            raise ValueError("params needs at least one parameter, got an empty iterable")
        for name, value in defaults.items():
            check_one(name, value)
        super().__init__()
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._updates: list[Update] = []
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; the other options take their defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group needs to be a dict, got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError("params of a group needs to be ordered, got a set; a list keeps its order")
        params = [params] if isinstance(params, Parameter) else list(params)
        named = [isinstance(p, tuple) for p in params]
        if any(named) and not all(named):
            raise ValueError(f"params needs names for all parameters or for none, "
                             f"got {sum(named)} names for {len(named)} parameters")
        group = {**param_group, "params": params}
        if any(named):
            group["params"], group["param_names"] = [p[1] for p in params], [p[0] for p in params]
        if self.param_groups and ("param_names" in self.param_groups[0]) != ("param_names" in group):
            raise ValueError("params needs names in all groups or in none, got groups of both kinds")
        for p in group["params"]:
            if not isinstance(p, Parameter):
                raise TypeError(f"params needs to hold Parameter objects, got {type(p).__name__}")
        if len(set(group["params"])) < len(params):
            warnings.warn("params has a parameter twice in one group: it is updated twice a step",
                          stacklevel=3)
        if not set(group["params"]).isdisjoint(p for other in self.param_groups for p in other["params"]):
            raise ValueError("params needs each parameter in one group only, got one that is in another")
        self.param_groups.append({**self.defaults, **group})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop every gradient, or fill it with zeros in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif isinstance(p.grad, SparseGrad):
                    p.grad = SparseGrad(p.grad.indices[:, :0], p.grad.values[:0], p.grad.shape)
                elif p.grad is not None:
                    p.grad[...] = 0

    @counted
    def step(self, closure: Closure | None = None) -> Any:
        """Call ``closure`` once, if there is one, update every parameter with a gradient; its value."""
        loss = None if closure is None else closure()
        with np.errstate(all="ignore"):
            for group in self.param_groups:
                options = {name: scalar(group[name]) for name in self.defaults}
                self._updates = []
                for p in group["params"]:
                    if isinstance(p.grad, SparseGrad) and not self.takes_sparse:
                        raise RuntimeError(f"{type(self).__name__} needs dense gradients, got a SparseGrad")
                    if p.grad is not None:
                        self._update(p, p.grad, options)
                updates, self._updates = self._updates, []  # which would keep gradients alive
                run_updates(updates)
        return loss

    def _update(self, p: Parameter, grad: Any, options: dict[str, Any]) -> None:
        """Make the state that ``p`` needs, and apply the rule to both, now or later; ``options`` has its group's."""
        raise NotImplementedError

    def _schedule(self, rule: Rule, theta: Array, g: Array, *state: Array | None, **scalars: Any) -> None:
        """Do ``theta, *state = rule(theta, g, *state, **scalars)`` in place, together with the rest of the group."""
        self._updates.append(Update(rule, (theta, g, *state), scalars))

    def state_dict(self) -> dict[str, Any]:
        """State and options in torch's layout: a parameter is known by its place among all of them."""
        for hook in tuple(self._state_dict_pre_hooks.values()):
            hook(self)
        place: dict[Parameter, int] = {}
        groups = [{**group, "params": [place.setdefault(p, len(place)) for p in group["params"]]}
                  for group in self.param_groups]
        return self._hooked_state(self._state_dict_post_hooks, {
            "state": {place.get(p, p): state for p, state in self.state.items()}, "param_groups": groups})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a copy of a saved state, cast to the parameters' dtypes ('step' aside), and its options.

        Options that are not known here, as torch's ``foreach``, are kept, and saved again.

        Raises:
            ValueError: the saved groups differ from this optimizer's in number or in size.
            KeyError: an entry or an option is missing.
        """
        state_dict = self._hooked_state(self._load_state_dict_pre_hooks, dict(state_dict))
        saved, groups = state_dict["param_groups"], self.param_groups
        sizes, needed = [len(group["params"]) for group in saved], [len(group["params"]) for group in groups]
        if sizes != needed:
            raise ValueError(f"state_dict needs parameter groups of sizes {needed}, got {sizes}")
        loaded: list[dict[str, Any]] = []
        by_place: dict[Any, Parameter] = {}
        for old, new in zip(groups, saved, strict=True):
            names = {"param_names": old["param_names"]} if "param_names" in old else {}
            options = {name: copy.deepcopy(value) for name, value in new.items() if name != "params"}
            group = {**self.added_later, **names, **options, "params": old["params"]}
            missing = self.defaults.keys() - group.keys()
            if missing:
                raise KeyError(f"state_dict needs {sorted(missing)} in every group, got {sorted(new)}")
            loaded.append(group)
            by_place.update(zip(new["params"], old["params"], strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for place, values in state_dict["state"].items():
            p = by_place.get(place)
            state[place if p is None else p] = copy.deepcopy(values) if p is None else {
                name: self._load(p, name, value) for name, value in values.items()}
        self.param_groups, self.state = loaded, state
        for hook in tuple(self._load_state_dict_post_hooks.values()):
            hook(self)

    @staticmethod
    def _load(p: Parameter, name: str, value: Any) -> Any:
        if name == "step":  # a plain number in states that old versions of torch saved
            return value.copy() if isinstance(value, np.ndarray) else np.array(value, np.float32)
        return value.astype(p.data.dtype) if isinstance(value, np.ndarray) else copy.deepcopy(value)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

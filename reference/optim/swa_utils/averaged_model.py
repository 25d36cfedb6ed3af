"""A copy of a model whose weights are averages."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ...numerics import Array, cast, ieee
from .._optimizer import Parameter
from .averages import AvgFn, MultiAvgFn, get_swa_avg_fn

__all__ = ["AveragedModel"]

Pair = tuple[Array, Array]


class AveragedModel:
    """A copy of a model, whose parameters become averages of those that the model has over time.

    The first update copies the model; update n + 1 averages it with the n models so far.

    Args:
        model: an iterable of :class:`Parameter`, or an object with ``parameters()`` and perhaps ``buffers()``, an
            iterable of arrays (``named_parameters()`` and ``named_buffers()`` give the names in ``state_dict``).
            It is copied.
        avg_fn: gives the new average, from the average, the model's array and the number n of models in the average.
            By default the mean of all, :func:`get_swa_avg_fn`.
        multi_avg_fn: the same for lists of arrays, whose first list it changes in place; once for each dtype.
        use_buffers: average buffers too; otherwise each update copies them.

    Attributes:
        module: the copy.
        n_averaged: the number of updates, an int64 of shape ().

    Raises:
        AssertionError: both ``avg_fn`` and ``multi_avg_fn`` are given.
        TypeError: ``model`` has no parameters.

    >>> p = Parameter(np.array([1.0]))
    >>> averaged = AveragedModel([p])
    >>> for value in (1.0, 2.0, 9.0):
    ...     p.data[...] = value
    ...     averaged.update_parameters([p])
    >>> list(averaged.parameters())
    [Parameter(array([4.]))]

    Source: Izmailov et al., Averaging weights leads to wider optima and better generalization (UAI 2018),
    algorithm 1.

    Conventions:

    - The first update calls no function. Later ones call it with n = 1, 2, …; torch gives it the counter itself, which
      changes after the call.
    - Types stay as they are, whatever the model's are. Averages of integers (in buffers) lose their fraction each time.
    - Models have to have the same number of parameters, in the same shapes. torch stops at the shorter one, and
      stretches arrays.
    - ``state_dict`` holds the arrays themselves, not copies. A list of parameters has the names that
      ``torch.nn.ParameterList`` gives: ``module.0``, ``module.1``, …
    """

    def __init__(self, model: Any, *, avg_fn: AvgFn | None = None, multi_avg_fn: MultiAvgFn | None = None,
                 use_buffers: bool = False) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("avg_fn and multi_avg_fn need to be one of them, got both")
        self.module: Any = copy.deepcopy(model if hasattr(model, "parameters") else _listed(model))
        for p in _parameters(self.module).values():
            p.grad = None
        self.n_averaged: Array = np.zeros((), np.int64)
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the copy gives."""
        return self.module(*args, **kwargs)

    def parameters(self) -> Iterator[Parameter]:
        """The averages, in the model's order."""
        return iter(_parameters(self.module).values())

    def buffers(self) -> Iterator[Array]:
        """The counter, and the copy's buffers."""
        return iter([self.n_averaged, *_buffers(self.module).values()])

    @ieee
    def update_parameters(self, model: Any) -> None:
        """Take a model into the average.

        Raises:
            ValueError: it has another number of parameters or buffers.
            RuntimeError: one has another shape.
        """
        pairs = _pairs("parameters", [p.data for p in self.parameters()],
                       [p.data for p in _parameters(model).values()])
        copied = _pairs("buffers", [*_buffers(self.module).values()], [*_buffers(model).values()])
        if self.use_buffers:
            pairs, copied = pairs + copied, []
        if self.n_averaged == 0:
            pairs, copied = [], pairs + copied
        self._average(pairs)
        for mine, theirs in copied:
            mine[...] = cast(theirs, mine.dtype)
        self.n_averaged += 1

    def _average(self, pairs: list[Pair]) -> None:
        n = int(self.n_averaged)
        if self.multi_avg_fn is not None:
            for dtype in dict.fromkeys(mine.dtype for mine, _ in pairs):
                alike = [pair for pair in pairs if pair[0].dtype == dtype]
                self.multi_avg_fn([mine for mine, _ in alike], [theirs for _, theirs in alike], n)
            return
        rule = self.avg_fn or get_swa_avg_fn()
        for mine, theirs in pairs:
            mine[...] = cast(rule(mine, theirs, n), mine.dtype)

    def state_dict(self) -> dict[str, Array]:
        """Counter, parameters and buffers, by torch's names."""
        parameters = {f"module.{name}": p.data for name, p in _parameters(self.module).items()}
        return {"n_averaged": self.n_averaged, **parameters,
                **{f"module.{name}": buffer for name, buffer in _buffers(self.module).items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy a saved state into the arrays, cast to their types.

        Raises:
            RuntimeError: a name is missing or is not known here, or an array has another shape.
        """
        mine = self.state_dict()
        if mine.keys() != state_dict.keys():
            raise RuntimeError(f"state_dict needs the names {sorted(mine)}, got {sorted(state_dict)}")
        arrays = {name: np.asanyarray(value) for name, value in state_dict.items()}
        for name, array in arrays.items():
            if array.shape != mine[name].shape:
                raise RuntimeError(f"state_dict needs shape {mine[name].shape} for {name}, got {array.shape}")
        for name, array in arrays.items():
            mine[name][...] = cast(array, mine[name].dtype)


def _pairs(what: str, mine: list[Array], theirs: list[Array]) -> list[Pair]:
    if len(mine) != len(theirs):
        raise ValueError(f"model needs {len(mine)} {what}, got {len(theirs)}")
    for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(f"model needs shape {a.shape} for number {i} of its {what}, got {b.shape}")
    return list(zip(mine, theirs, strict=True))


def _parameters(model: Any) -> dict[str, Parameter]:
    if hasattr(model, "named_parameters"):
        return dict(model.named_parameters())
    return {str(i): p for i, p in enumerate(_listed(model.parameters() if hasattr(model, "parameters") else model))}


def _buffers(model: Any) -> dict[str, Array]:
    if hasattr(model, "named_buffers"):
        return dict(model.named_buffers())
    return {f"buffers.{i}": b for i, b in enumerate(model.buffers())} if hasattr(model, "buffers") else {}


def _listed(parameters: Any) -> list[Parameter]:
    if isinstance(parameters, Parameter) or not isinstance(parameters, Iterable):
        raise TypeError(f"model needs to be an iterable of Parameter objects or to have parameters(), "
                        f"got {type(parameters).__name__}")
    listed = list(parameters)
    for p in listed:
        if not isinstance(p, Parameter):
            raise TypeError(f"model needs to hold Parameter objects, got {type(p).__name__}")
    return listed

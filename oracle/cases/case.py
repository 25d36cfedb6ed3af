"""Cases: fully determined inputs of an op, named by an id from which alone they can be rebuilt.

``cross_entropy/float32/reduction=sum,regime=huge`` is an op, a storage type, and the axes of its
spec that do not have their default; ``/2`` behind it would be the third draw of the same combination.
``cross_entropy/float32/reduction=none@size=1025`` stands in surroundings: the same rows, laid out over 1,025.
Which combinations there are is for :mod:`.covering` to say, and in which surroundings for :mod:`.surroundings`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from reference.optim import SparseGrad

from ..formats import FORMATS
from ..keeping import store
from ..keeping.sources import source
from ..ulp import numpy_dtype
from . import registry, sweeps
from .registry import KINDS, BadCaseError, chosen_specs
from .spec import InitSpec, Limits, LossSpec, OptimSpec, Options, ParamGroup, Spec, Trajectory
from .surroundings.events import EVENTS
from .surroundings.fitting import is_laid_out, misfit, other_options
from .surroundings.record import NOTHING, Surroundings, parse_surroundings
from .surroundings.sizes import LossLayout, OptimLayout, with_equal_lines

__all__ = ["Case", "leaf", "leaves", "parse", "storage", "with_leaf"]

Array = np.ndarray[Any, Any]


class _Key(ISeedSequence):
    """Philox's key; as a seed, since Philox asks the system for one where it is given a key alone."""

    def __init__(self, key: int) -> None:
        self._words = np.frombuffer(key.to_bytes(16, "little"), "<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> Array:
        return self._words[:n_words].astype(dtype)


@dataclass(frozen=True, eq=False)
class Case:
    """One fully determined input of an op; arrays are made when they are asked for, read-only."""

    spec: Spec
    dtype: str
    options: Options
    draw: int = 0
    around: Surroundings = NOTHING

    @cached_property
    def id(self) -> str:
        """The readable name, e.g. ``mse_loss/float32/reduction=sum``."""
        changed = [f"{k}={v}" for k, v in self.options.items() if v != self.spec.defaults[k]]
        name = f"{self.spec.name}/{self.dtype}/{','.join(changed) or 'default'}"
        name = f"{name}@{self.around}" if self.around else name
        return f"{name}/{self.draw}" if self.draw else name

    def within(self, around: Surroundings) -> Case:
        """The same case in other surroundings."""
        return self if around == self.around else replace(self, around=around)

    @cached_property
    def base(self) -> Case:
        """The case whose elements are laid out; without an event all that its spec draws."""
        if not self.laid_out:
            return self.within(NOTHING)
        lines = self.around.memory if self.around.repeated and isinstance(self.spec, LossSpec) else ""
        return self.within(replace(self.around.alterations, memory=lines))

    @cached_property
    def beside(self) -> Case:
        """The case whose elements are those of every second parameter: the base, or that in another storage type."""
        return replace(self.base, dtype=self.around.beside) if self.around.beside else self.base

    @property
    def laid_out(self) -> bool:
        """Are its arrays those of its base, laid out over more elements?"""
        around = self.around
        return bool(around.size or around.tensors or around.beside) and is_laid_out(self.spec, self.options)

    @cached_property
    def layout(self) -> Any:
        """Where the elements of its base stand, in a case that is laid out: a layout of :mod:`.surroundings.sizes`."""
        rng = self.within(self.around.behind_the_truth).rng("layout")
        if isinstance(self.spec, LossSpec):
            return LossLayout.of(self.spec, self.base.inputs, self.base.result, self.around, rng)
        return OptimLayout.of(self.base.inputs, self.around, rng)

    def __reduce__(self) -> tuple[Any, ...]:
        return parse, (self.id,)

    def rng(self, purpose: str = "inputs") -> np.random.Generator:
        """Random numbers that depend on the id and on nothing else."""
        key: Any = _Key(self.key(purpose))  # a protocol, which the stubs leave out
        return np.random.Generator(np.random.Philox(key))

    def key(self, purpose: str) -> int:
        """The key with which Philox gives these random numbers."""
        return int.from_bytes(hashlib.sha256(f"{self.id}:{purpose}".encode()).digest()[:16], "little")

    @cached_property
    def inputs(self) -> Any:
        """What the spec draws, in the storage type: keyword arguments, or a :class:`Trajectory`."""
        around = self.around.behind_the_truth
        if around != self.around:
            return self.within(around).inputs
        if self.laid_out:
            given = self.base.inputs
            if isinstance(given, Trajectory):
                return self.layout.trajectory(given, self.beside.inputs)
            return {name: self._lay_out(value) for name, value in given.items()}
        return self._in_storage(self._drawn())

    def _drawn(self) -> Any:
        """What the spec draws for it."""
        limits, draw = self._limits, self.spec.draw  # type: ignore[attr-defined]  # all kinds have it
        if not self.around:
            return draw(self.options, self.rng(), limits)
        shape, bare = self.around.shape, self.within(NOTHING)
        if isinstance(self.spec, LossSpec):
            if not shape:
                return {k: with_equal_lines(v) if k == self.around.repeated else v for k, v in bare.inputs.items()}
            assert self.spec.whole is not None
            settings = {k: v for k, v in bare.inputs.items() if not isinstance(v, np.ndarray)}
            return settings | self.spec.whole.draw(self.options, shape, self.rng(), limits)
        if isinstance(self.spec, InitSpec):
            return {**draw(self.options, self.rng(), limits), "shape": shape}
        assert isinstance(self.spec, OptimSpec)
        options = {**self.options, "layout": self.around.size} if shape else self.options
        drawn = draw(options, bare.rng(), limits)
        name, _, axis = self.around.event.partition(":")
        if not name:
            return drawn
        event, other = EVENTS[name], {}
        if event.of_option:
            changed = draw(other_options(self.spec, options, axis), bare.rng(), limits)
            other = {k: v for k, v in changed.defaults.items() if v != drawn.defaults[k]}
        return event.alter(drawn, self.spec, other)

    @property
    def _limits(self) -> Limits:
        fmt = FORMATS[self.dtype]
        return Limits(self.dtype, 2.0 ** (1 - fmt.bits), fmt.tiny, fmt.max)

    def _lay_out(self, value: Any) -> Any:
        """A value of a loss's base, laid out and read-only where it is an array."""
        taken = self.layout.take(value)
        if isinstance(taken, np.ndarray):
            taken.flags.writeable = False
        return taken

    def _in_storage(self, drawn: Any) -> Any:
        """What was drawn, in the storage type."""
        if not isinstance(drawn, Trajectory):
            return {k: _in_storage(v, self.dtype) for k, v in drawn.items()}
        groups = [ParamGroup(tuple(storage(p, self.dtype) for p in group.params), group.options)
                  for group in drawn.groups]
        steps = {id(step): tuple(_gradient_in_storage(g, self.dtype) for g in step) for step in drawn.gradients}
        gradients = tuple(steps[id(step)] for step in drawn.gradients)  # one that comes again stays the same object
        objective = drawn.objective and drawn.objective.converted(lambda array: storage(array, self.dtype))
        return replace(drawn, groups=tuple(groups), gradients=gradients, objective=objective)

    @cached_property
    def result(self) -> Any:
        """What the reference of a loss gives in the storage type."""
        assert isinstance(self.spec, LossSpec)
        with np.errstate(all="ignore"):
            return self.spec.function(**self.inputs)

    @cached_property
    def gradients(self) -> tuple[Any, ...]:
        """What the reference's ``backward`` gives in the storage type."""
        assert isinstance(self.spec, LossSpec)
        with np.errstate(all="ignore"):
            return self.spec.backward(self.grad_output, **self.inputs)  # type: ignore[no-any-return]  # as all do

    @cached_property
    def grad_output(self) -> Any:
        """The gradient that comes from above in a loss's backward pass, one for each result: random, and about 1."""
        assert isinstance(self.spec, LossSpec)
        around = self.around.behind_the_truth
        if around != self.around:
            return self.within(around).grad_output
        if self.laid_out:
            return self._lay_out(self.base.grad_output)
        rng = self.rng("grad_output")
        several, shapes = self._shapes
        scale = self._upstream_scale
        drawn = tuple(storage(np.asarray(scale * rng.uniform(*self.spec.upstream, shape)), self.dtype)
                      for shape in shapes)
        if self.around.repeated == "upstream":
            drawn = tuple(map(with_equal_lines, drawn))
        return drawn if several else drawn[0]

    @property
    def _upstream_scale(self) -> float:
        """As much as a mean divides by, so that no type's range is in the way of what an element gets; else 1."""
        if not self.around.size or self.options.get("reduction") != "mean":
            return 1.0
        return 2.0 ** min(int(math.log2(math.prod(self.around.shape))), 8)

    @cached_property
    def differentiated(self) -> tuple[str, ...]:
        """The array arguments of a loss, or places in them, for which ``backward`` gives a gradient in this case."""
        assert isinstance(self.spec, LossSpec)
        if self.around:
            return self.within(NOTHING).differentiated
        if self._form is not None:
            return tuple(self._form["differentiated"])
        paths = tuple(path for name, g in zip(self.spec.arrays, self.gradients, strict=True)
                      for path, _ in leaves(name, g))
        self._keep_form({"shapes": self._shapes, "differentiated": paths})
        return paths

    @cached_property
    def _shapes(self) -> tuple[bool, Sequence[Sequence[int]]]:
        """Does a loss give several results, in a tuple? And the shape of each."""
        if self._form is not None:
            several, shapes = self._form["shapes"]
            return several, shapes
        several = isinstance(self.result, tuple)
        return several, [np.shape(one) for one in (self.result if several else (self.result,))]

    @cached_property
    def _form(self) -> Any:
        """The form of a loss's results as an earlier run kept it, if one did: the reference need not be run for it."""
        kept = store.current()
        if kept is None or not self.shipped:
            return None
        found = kept.get(*self._form_key)
        return None if found is None else json.loads(found)

    def _keep_form(self, form: Mapping[str, Any]) -> None:
        kept = store.current()
        if kept is not None and self.shipped:
            kept.put(json.dumps(form).encode(), *self._form_key)

    @property
    def shipped(self) -> bool:
        """Is it of an op as it is, and not as a test or a dialect has changed it?"""
        return registry.specs().get(self.spec.name) is self.spec

    @property
    def _form_key(self) -> tuple[str, ...]:
        return "form", source(*registry.followed_by(self.spec), __name__), store.versions(), self.id


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """All that an argument, an output or a gradient holds, by path.

    The paths in a tuple are ``name[0]``, ``name[1]``, ...; those in a named tuple are its fields. A gradient that is
    not there (None) is left out.
    """
    if isinstance(value, tuple):
        names = getattr(value, "_fields", [f"{name}[{i}]" for i in range(len(value))])
        for inner, one in zip(names, value, strict=True):
            yield from leaves(inner, one)
    elif value is not None:
        yield name, value


def leaf(arguments: Mapping[str, Any], path: str) -> Any:
    """What stands at a path."""
    name, *indices = _steps(path)
    return functools.reduce(lambda value, i: value[int(i)], indices, arguments[name])


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^][]+", path))


def with_leaf(arguments: Mapping[str, Any], path: str, new: Any) -> dict[str, Any]:
    """The arguments with something else at a path."""

    def put(value: Any, indices: Sequence[str]) -> Any:
        if not indices:
            return new
        here = int(indices[0])
        return tuple(put(one, indices[1:]) if i == here else one for i, one in enumerate(value))

    name, *indices = _steps(path)
    return {**arguments, name: put(arguments[name], indices)}


def _in_storage(value: Any, dtype: str) -> Any:
    """An argument with its arrays in the storage type."""
    if isinstance(value, tuple):
        return tuple(_in_storage(one, dtype) for one in value)
    return storage(np.asarray(value), dtype) if isinstance(value, np.ndarray | np.generic) else value


def _gradient_in_storage(g: Any, dtype: str) -> Any:
    """A gradient, which may be sparse or not there, in the storage type."""
    if isinstance(g, SparseGrad):
        return SparseGrad(storage(g.indices, dtype), storage(g.values, dtype), g.shape)
    return None if g is None else storage(g, dtype)


def storage(array: Array, dtype: str) -> Array:
    """A read-only copy; floating arrays are rounded to the storage type, others keep their own.

    A finite number that would overflow is the fault of the spec's ``draw``, and an error.
    """
    if array.dtype.kind != "f":
        kept = array.copy(order="K")
    else:
        with np.errstate(all="ignore"):
            kept = array.astype(numpy_dtype(dtype))
        if not np.isfinite(kept).all() and np.any(np.isinf(kept) & np.isfinite(array)):
            raise OverflowError(f"a case of {dtype} draws {np.abs(array).max():g}, which {dtype} cannot hold")
    kept.flags.writeable = False
    return kept


_ID = re.compile(r"(?P<op>[^/]*)/(?P<dtype>[^/]*)/(?P<changes>[^/@]*)(?:@(?P<around>[^/@]*))?"
                 r"(?:/(?P<draw>[0-9]{1,9}))?")


def parse(case_id: str) -> Case:
    """The case of an id.

    Raises:
        BadCaseError: there is none; the message says what is wrong with the id, and what would be right.
    """
    found = _ID.fullmatch(case_id)
    if found is None:
        raise BadCaseError(f"malformed case id {case_id!r}; needed is OP/DTYPE/AXIS=VALUE,... "
                           "such as mse_loss/float32/reduction=sum or mse_loss/float32/default")
    op, dtype, changes = found["op"], found["dtype"], found["changes"]
    (spec,) = chosen_specs([f"{op} (a kind, not an op)" if op in KINDS else op])
    if "every=" in changes:
        spec = sweeps.sweep(spec) or spec
    if dtype not in spec.dtypes:
        raise BadCaseError(f"unknown dtype {dtype!r} in {case_id!r}; {spec.name} has {', '.join(spec.dtypes)}")
    options = dict(spec.defaults)
    for item in changes.split(",") if changes != "default" else ():
        name, _, label = item.partition("=")
        values = spec.labels.get(name)
        if values is None:
            raise BadCaseError(f"unknown axis {name!r} in {case_id!r}; {spec.name} has {', '.join(spec.labels)}")
        if label not in values:
            raise BadCaseError(f"unknown value {label!r} of axis {name!r} in {case_id!r}; it has {', '.join(values)}")
        options[name] = values[label]
    if not spec.allowed(options, dtype):
        raise BadCaseError(f"{case_id!r} combines values that {spec.name} does not take together")
    case = Case(spec, dtype, options, int(found["draw"] or 0))
    return case if found["around"] is None else case.within(_surroundings(case, found["around"]))


def _surroundings(case: Case, text: str) -> Surroundings:
    """What stands behind the ``@`` of an id, if the case can stand in it."""
    try:
        around = parse_surroundings(text)
    except ValueError as problem:
        raise BadCaseError(f"{case.id}@{text}: {problem}") from None
    if reason := misfit(case.spec, case.options, case.dtype, around):
        raise BadCaseError(f"{case.id}@{text}: {reason}")
    return around

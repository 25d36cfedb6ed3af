"""Cases: fully determined inputs of an op, named by an id from which alone they can be rebuilt.

``cross_entropy/float32/reduction=sum,regime=huge`` is an op, a storage type, and the axes of its
spec that do not have their default; ``/2`` behind it would be the third draw of the same combination.
Which combinations exist is a covering array: every feasible combination of ``spec.strength`` axis
values stands in at least one case.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from .spec import DTYPES, InitSpec, Limits, LossSpec, OptimSpec, Options, ParamGroup, Spec, Trajectory

__all__ = ["BadCaseError", "Case", "cases", "chosen_specs", "leaf", "leaves", "parse", "select", "select_sweeps",
           "storage", "with_leaf"]

Array = np.ndarray[Any, Any]


class BadCaseError(ValueError):
    """A case id, an op's name or a storage type that names nothing."""


class _Key(ISeedSequence):
    """Philox's key from a text; as a seed, since Philox asks the system for one where it is given a key alone."""

    def __init__(self, text: str) -> None:
        self._words = np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> Array:
        return self._words[:n_words].astype(dtype)


@dataclass(frozen=True, eq=False)
class Case:
    """One fully determined input of an op; arrays are made when they are asked for, read-only."""

    spec: Spec
    dtype: str
    options: Options
    draw: int = 0

    @cached_property
    def id(self) -> str:
        """The readable name, e.g. ``mse_loss/float32/reduction=sum``."""
        changed = [f"{k}={v}" for k, v in self.options.items() if v != self.spec.defaults[k]]
        name = f"{self.spec.name}/{self.dtype}/{','.join(changed) or 'default'}"
        return f"{name}/{self.draw}" if self.draw else name

    def __reduce__(self) -> tuple[Any, ...]:
        return parse, (self.id,)

    def rng(self, purpose: str = "inputs") -> np.random.Generator:
        """Random numbers that depend on the id and on nothing else."""
        key: Any = _Key(f"{self.id}:{purpose}")  # a protocol, which the stubs leave out
        return np.random.Generator(np.random.Philox(key))

    @cached_property
    def inputs(self) -> Any:
        """What the spec draws, in the storage type: keyword arguments, or a :class:`Trajectory`."""
        fmt = FORMATS[self.dtype]
        limits = Limits(self.dtype, 2.0 ** (1 - fmt.bits), fmt.tiny, fmt.max)
        drawn = self.spec.draw(self.options, self.rng(), limits)  # type: ignore[attr-defined]  # all kinds have it
        if isinstance(drawn, Trajectory):
            return Trajectory(
                tuple(ParamGroup(tuple(storage(p, self.dtype) for p in g.params), g.options) for g in drawn.groups),
                drawn.defaults,
                tuple(tuple(_gradient(g, self.dtype) for g in step) for step in drawn.gradients),
                drawn.objective and drawn.objective.converted(lambda array: storage(array, self.dtype)))
        return {k: _stored(v, self.dtype) for k, v in drawn.items()}

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
        rng = self.rng("grad_output")
        several, shapes = self._shapes
        drawn = tuple(storage(rng.uniform(*self.spec.upstream, shape), self.dtype) for shape in shapes)
        return drawn if several else drawn[0]

    @cached_property
    def differentiated(self) -> tuple[str, ...]:
        """The array arguments of a loss, or places in them, for which ``backward`` gives a gradient in this case."""
        assert isinstance(self.spec, LossSpec)
        if self._form is not None:
            return tuple(self._form["differentiated"])
        paths = tuple(path for name, g in zip(self.spec.arrays, self.gradients, strict=True)
                      for path, _ in leaves(name, g))
        self._keep({"shapes": self._shapes, "differentiated": paths})
        return paths

    @cached_property
    def _shapes(self) -> tuple[bool, Sequence[Sequence[int]]]:
        """Of a loss's results, and if these are several, in a tuple."""
        if self._form is not None:
            several, shapes = self._form["shapes"]
            return several, shapes
        several = isinstance(self.result, tuple)
        return several, [np.shape(one) for one in (self.result if several else (self.result,))]

    @cached_property
    def _form(self) -> Any:
        """What an earlier run kept, so that the reference need not be run to know of which form its results are."""
        kept = store.current() if self.shipped else None
        found = None if kept is None else kept.get(*self._asked)
        return None if found is None else json.loads(found)

    def _keep(self, form: Mapping[str, Any]) -> None:
        if self.shipped and (kept := store.current()) is not None:
            kept.put(json.dumps(form).encode(), *self._asked)

    @property
    def shipped(self) -> bool:
        """Is it of an op as it is, and not as a test or a dialect has changed it?"""
        return registry.specs().get(self.spec.name) is self.spec

    @property
    def _asked(self) -> tuple[str, ...]:
        return "form", source(*registry.followed_by(self.spec), __name__), store.versions(), self.id


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """All that an argument, an output or a gradient holds, by path: of a tuple ``name[0]``, of a named one its fields.

    None, of a gradient that is not there, is left out.
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


def _stored(value: Any, dtype: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_stored(one, dtype) for one in value)
    return storage(np.asarray(value), dtype) if isinstance(value, np.ndarray | np.generic) else value


def _gradient(g: Any, dtype: str) -> Any:
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


#: The type in which costly values stand beside each value of the other axes; in others they do beside defaults.
COSTLY = "float32"

#: Completions of a combination that are compared, and those that are tried before it is called impossible.
_CANDIDATES, _ATTEMPTS = 12, 100

#: A pair of a costly value counts more than all else that a row may cover: few rows are to hold them all.
_WORTH = 10**6


class _Codes:
    """Pairs of axis values, then larger combinations, as many as the type is to have: which of them a row holds.

    Of those of a costly value only its pairs, with values that do not show early. A row is the places of its values
    along the axes, and a combination of them has a number.
    """

    def __init__(self, spec: Spec, dtype: str) -> None:
        self.lengths = [len(axis.values) for axis in spec.axes]
        self.costly = [{axis.values.index(value) for value in axis.costly} for axis in spec.axes]
        self.cheap = [[i for i in range(n) if i not in costly]
                      for n, costly in zip(self.lengths, self.costly, strict=True)]
        strength = min(spec.strength if dtype in spec.thorough else 2, len(spec.axes))
        self.groups = [group for size in range(min(2, strength), strength + 1)
                       for group in itertools.combinations(range(len(spec.axes)), size)]
        self.strides = np.zeros((len(spec.axes), len(self.groups)), np.int64)
        self.offsets = np.zeros(len(self.groups), np.int64)
        self.wanted: list[dict[int, int]] = []  # axis -> place, by code
        worth = []
        for g, group in enumerate(self.groups):
            self.offsets[g] = len(self.wanted)
            for k, axis in enumerate(group):
                self.strides[axis, g] = np.prod([self.lengths[a] for a in group[k + 1:]], dtype=np.int64)
            for places in itertools.product(*[range(self.lengths[a]) for a in group]):
                costly = any(p in self.costly[a] for a, p in zip(group, places, strict=True))
                beside = dtype == COSTLY or sum(places) == max(places)  # two places, one of them a default's
                late = not any(spec.axes[axis].early for axis in group)
                worth.append(1 if not costly else _WORTH if len(group) <= 2 and beside and late else 0)
                self.wanted.append(dict(zip(group, places, strict=True)))
        self.uncovered = np.array(worth)

    def of(self, rows: Sequence[Sequence[int]]) -> Array:
        """The combinations in each row."""
        return np.asarray(np.asarray(rows) @ self.strides + self.offsets)


@cache
def _covering(spec_name: str, dtype: str) -> tuple[Options, ...]:
    """The combinations that cases have: a covering array, which is kept on disk, and those beside it."""
    spec = registry.get(spec_name)
    kept = store.current()
    asked = ("rows", source(*registry.followed_by(spec), __name__), store.versions(), spec_name, dtype)
    found = kept.get(*asked) if kept is not None else None
    places: list[list[int]] = json.loads(found) if found is not None else _places(spec, dtype)
    if kept is not None and found is None:
        kept.put(json.dumps(places).encode(), *asked)
    rows = {tuple(row.values()): row for row in (_options(spec, chosen) for chosen in places)}
    for changed in ({**spec.defaults, **changes} for changes in spec.extra):
        if spec.allowed(changed, dtype):
            rows[tuple(changed.values())] = changed
    return tuple(rows.values())


def _options(spec: Spec, places: Sequence[int]) -> dict[str, Any]:
    return {axis.name: axis.values[i] for axis, i in zip(spec.axes, places, strict=True)}


def _places(spec: Spec, dtype: str) -> list[list[int]]:
    """A greedy covering array: each row is the best of some completions of a combination not yet covered.

    A costly value is in no row that does not want it; and what holds an impossible pair is impossible. A row is the
    places of its values along the axes.
    """
    chance = random.Random(f"{spec.name}/{dtype}")
    codes = _Codes(spec, dtype)
    rows: list[list[int]] = []

    def take(row: list[int]) -> None:
        rows.append(row)
        codes.uncovered[codes.of([row])] = 0

    default = [0] * len(spec.axes)
    if spec.allowed(spec.defaults, dtype):
        take(default)
    impossible: set[tuple[tuple[int, int], ...]] = set()
    for code, wanted in enumerate(codes.wanted):
        if not codes.uncovered[code] or not impossible.isdisjoint(itertools.combinations(wanted.items(), 2)):
            continue
        candidates: list[list[int]] = []
        for attempt in range(_ATTEMPTS):
            if candidates and attempt >= _CANDIDATES:
                break
            filler = default if attempt == 0 else [places[int(chance.random() * len(places))] for places in codes.cheap]
            row = [wanted.get(axis, place) for axis, place in enumerate(filler)]
            if spec.allowed(_options(spec, row), dtype):
                candidates.append(row)
        if candidates:
            covers = codes.uncovered[codes.of(candidates)].sum(axis=1)
            take(candidates[int(covers.argmax())])
        else:
            impossible.add(tuple(wanted.items()))
    return rows


def cases(spec: Spec, dtype: str, *, long: bool = False) -> list[Case]:
    """The shipped cases of one op in one storage type, always the same, in the same order; without the long ones."""
    whole = ({**spec.defaults, **changes} for changes in (spec.long if long else ()))
    return [Case(spec, dtype, options) for options in (
        *_covering(spec.name, dtype), *(options for options in whole if spec.allowed(options, dtype)))]


def select(ops: Sequence[str] = (), dtypes: Sequence[str] = (), *, long: bool = False) -> list[Case]:
    """The shipped cases of some ops (kinds such as ``losses`` count too) and storage types; all by default.

    With ``long`` also those that take so long that an audit leaves them out.
    """
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise BadCaseError(f"unknown dtype {dtype!r}; known are {', '.join(DTYPES)}")
    return [case for spec in chosen_specs(ops) for dtype in spec.dtypes if dtype in (dtypes or DTYPES)
            for case in cases(spec, dtype, long=long)]


def select_sweeps(ops: Sequence[str] = (), dtypes: Sequence[str] = ()) -> list[Case]:
    """Cases that are not shipped: all numbers of the half types through elementwise losses, all by default."""
    if unknown := [dtype for dtype in dtypes if dtype not in sweeps.DTYPES]:
        raise BadCaseError(f"only numbers of {' and '.join(sweeps.DTYPES)} can all be tried, not of {unknown[0]}")
    whole = {spec.name: spec for spec in map(sweeps.sweep, registry.specs().values()) if spec is not None}
    if strangers := [op for op in ops if op not in whole and op != "losses"]:
        raise BadCaseError(f"{strangers[0]!r} is no elementwise loss; these are {', '.join(whole)}")
    return [Case(spec, dtype, options) for name, spec in whole.items() if not ops or name in ops or "losses" in ops
            for dtype in spec.dtypes if dtype in (dtypes or DTYPES) for options in sweeps.rows(spec, dtype)]


_KINDS = {"losses": LossSpec, "optim": OptimSpec, "init": InitSpec}


def chosen_specs(ops: Iterable[str] = ()) -> list[Spec]:
    """The specs of some ops, where kinds such as ``losses`` count too; all by default."""
    known: Mapping[str, Spec] = registry.specs()
    chosen: dict[str, Spec] = {}
    for op in ops:
        if op in _KINDS:
            chosen |= {name: spec for name, spec in known.items() if isinstance(spec, _KINDS[op])}
        elif op in known:
            chosen[op] = known[op]
        else:
            close = difflib.get_close_matches(op, [*known, *_KINDS])
            raise BadCaseError(f"unknown op {op!r}; " + (f"did you mean {' or '.join(close)}?" if close else
                                                         f"known are {', '.join([*known, *_KINDS])}"))
    return list((chosen or known).values())


def parse(case_id: str) -> Case:
    """The case of an id.

    Raises :class:`BadCaseError`, which says what is wrong with the id and what would be right.
    """
    parts = case_id.split("/")
    if len(parts) not in (3, 4) or (len(parts) == 4 and not re.fullmatch("[0-9]{1,9}", parts[3])):
        raise BadCaseError(f"malformed case id {case_id!r}; needed is OP/DTYPE/AXIS=VALUE,... "
                           "such as mse_loss/float32/reduction=sum or mse_loss/float32/default")
    (spec,) = chosen_specs([parts[0]]) if parts[0] not in _KINDS else chosen_specs([parts[0] + " (a kind, not an op)"])
    spec = (sweeps.sweep(spec) if "every=" in parts[2] else None) or spec
    if parts[1] not in spec.dtypes:
        raise BadCaseError(f"unknown dtype {parts[1]!r} in {case_id!r}; {spec.name} has {', '.join(spec.dtypes)}")
    options = dict(spec.defaults)
    for item in parts[2].split(",") if parts[2] != "default" else ():
        name, _, label = item.partition("=")
        values = spec.labels.get(name)
        if values is None:
            raise BadCaseError(f"unknown axis {name!r} in {case_id!r}; {spec.name} has {', '.join(spec.labels)}")
        if label not in values:
            raise BadCaseError(f"unknown value {label!r} of axis {name!r} in {case_id!r}; it has {', '.join(values)}")
        options[name] = values[label]
    if not spec.allowed(options, parts[1]):
        raise BadCaseError(f"{case_id!r} combines values that {spec.name} does not take together")
    return Case(spec, parts[1], options, int(parts[3]) if len(parts) == 4 else 0)

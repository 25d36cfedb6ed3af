"""Which surroundings stand beside the cases of an op: all of them beside few cases, so that an audit grows by little.

In float32 there are all. In other types a few of each kind are left, which meet the kernels of that type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...formats import FORMATS
from ..spec import InitSpec, Limits, LossSpec, OptimSpec, Options, Spec
from .events import EVENTS
from .fitting import is_laid_out, misfit, settable
from .memory import LAYOUTS
from .record import Surroundings

__all__ = ["surrounded"]

#: Edges of vectors, blocks and grids, and of torch's grain for threads.
SIZES = (15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025, 4097, 32767, 32768, 32769)
FEW_SIZES = (16, 33, 1025)

#: More elements than float16 has numbers for.
MANY = 65_537

#: Elements at most of a random tensor, of which each is proved by itself.
LARGEST_TENSOR = 4097

#: Weights whose fans stand at edges of vectors and blocks.
MATRICES = ("15x16", "16x31", "32x33", "255x5", "3x257", "1024x2", "17x16", "31x3x5")

#: Rows and classes: at edges of vectors and blocks, and as many as language models have.
CLASSES = ("33x2", "3x127", "3x129", "2x1031", "3x128", "2x32000", "1x128257")
FEW_CLASSES = ("33x2", "3x129")

#: Layouts and events that stand beside cases in other types.
FEW_LAYOUTS, FEW_EVENTS = ("transposed", "strided"), ("option", "load", "reused")

#: A size that takes so long that it is run only where long cases are asked for.
LONG_SIZE = 1_000_003

#: Numbers of parameters; an optimizer's spec draws two.
TENSORS = (1, 33, 1000)

#: Shapes that are laid out in memory: several vectors of elements, and no length a multiple of a vector's.
_TWO_AXES, _FOUR_AXES = "33x17", "3x5x7x9"

#: Complex numbers, as many as there are real ones in other layouts.
_PAIRS = "33x17x2"

#: What an optimizer's cases in surroundings have in common: so many steps that what it keeps is used, from where an
#: update that is left out shows in each type.
_TRAJECTORY: Options = {"start": "zero", "steps": 2}

#: Reductions of many terms.
_REDUCTIONS = ("mean", "sum")

#: Types of every second parameter.
BESIDE = ("float64", "bfloat16")

#: More elements than a few blocks have: in one line, in many parameters that a kernel takes at once, in other layouts.
#: In other types than float32 the second alone.
BLOCKS = (Surroundings(size=str(MANY)), Surroundings(size="4096", tensors="33"),
          Surroundings(size="129x257", tensors="1", memory="transposed"),
          Surroundings(size="16385x2", memory="complex"))

_ALL = "float32"  #: the type in which all surroundings stand

_LIMITS = Limits(_ALL, 2.0**-23, FORMATS[_ALL].tiny, FORMATS[_ALL].max)

_Shipped = Iterator[tuple[Options, Surroundings]]


def surrounded(spec: Spec, dtype: str, *, long: bool = False) -> list[tuple[Options, Surroundings]]:
    """The options and surroundings of all such cases of an op in one storage type; with ``long`` those that take long.

    They are in the order in which they tell: sizes first.
    """
    found = {}
    for options, around in _proposed(spec, dtype, long):
        if spec.allowed(options, dtype) and not misfit(spec, options, dtype, around):
            found[tuple(options.values()), around] = options, around
    return list(found.values())


def _proposed(spec: Spec, dtype: str, long: bool) -> _Shipped:
    if isinstance(spec, LossSpec):
        yield from _around_loss(spec, dtype, long)
    elif isinstance(spec, OptimSpec):
        yield from _around_optimizer(spec, dtype, long)
    elif isinstance(spec, InitSpec):
        yield from _around_initializer(spec, dtype, long)


def _sizes(dtype: str, first: bool, long: bool) -> Iterable[int]:
    sizes = SIZES if first and dtype == _ALL else FEW_SIZES
    return (*sizes, LONG_SIZE) if long and first and dtype == _ALL else sizes


def _sums(dtype: str, reduction: str, first: bool, long: bool) -> Iterable[int]:
    """Sizes of sums: most for a mean, and in half types one of more terms than the type can count; few for a sum."""
    if not first or dtype != _ALL:
        more = first and reduction == "mean" and FORMATS[dtype].bits < 24
        return (*FEW_SIZES, MANY) if more else FEW_SIZES
    if reduction == "sum":
        return (*FEW_SIZES, SIZES[-1])
    return [n for n in _sizes(dtype, first, long) if n not in SIZES[-3:-1]]


def _combinations(spec: Spec, dtype: str) -> tuple[Options, ...]:
    """What is not at its default, of the cases beside which surroundings stand."""
    return spec.surrounded if dtype == _ALL else spec.surrounded[:1]


def _layouts(dtype: str, roles: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each layout of all arrays, and of each alone, with a size that has as many axes as it needs."""
    for name, layout in LAYOUTS.items():
        if name != "contiguous" and (dtype == _ALL or name in FEW_LAYOUTS):
            for role in roles:
                wide = _FOUR_AXES if layout.least_axes > 2 else _TWO_AXES
                yield f"{name}:{role}" if role else name, _PAIRS if layout.pairs else wide


# --- losses --------------------------------------------------------------------------------------


def _new_roles(spec: LossSpec, options: Options, met: set[str]) -> list[str]:
    """All arrays together, and each by itself that a combination is the first to have."""
    drawn = spec.draw(options, np.random.default_rng(0), _LIMITS)
    here = [name for name in (*spec.arrays, "upstream") if name == "upstream" or drawn.get(name) is not None]
    roles = ["", *(name for name in here if name not in met)]
    met.update(here)
    return roles


def _around_loss(spec: LossSpec, dtype: str, long: bool) -> _Shipped:
    met: set[str] = set()  #: arrays that have been laid out by themselves
    for k, changes in enumerate(_combinations(spec, dtype)):
        options = {**spec.defaults, **changes, "reduction": "none"} if "reduction" in spec.defaults else spec.defaults
        rows = is_laid_out(spec, options)
        for n in _sizes(dtype, k == 0, long) if rows else ():
            yield options, Surroundings(size=str(n))
        if rows and k == 0 and dtype == _ALL:
            yield options, Surroundings(size=str(SIZES[-1]), threads="3")
        for memory, size in _layouts(dtype, _new_roles(spec, options, met) if dtype == _ALL else ("",)):
            laid = spec.independent == "elements" or "channels" not in memory
            shape = (size if spec.independent == "elements" else size.partition("x")[0]) if rows and laid else ""
            yield options, Surroundings(size=shape, memory=memory)
        for name, event in EVENTS.items() if k == 0 and dtype == _ALL else ():
            if event.of_losses:
                yield options, Surroundings(event=name)
                yield spec.defaults, Surroundings(event=name)
    yield from _sums_of_whole(spec, dtype, long)


def _sums_of_whole(spec: LossSpec, dtype: str, long: bool) -> _Shipped:
    for k, changes in enumerate(spec.whole.beside if spec.whole else ()):
        for reduction in _REDUCTIONS:
            options = {**spec.defaults, **changes, "reduction": reduction}
            for n in _sums(dtype, reduction, k == 0, long):
                yield options, Surroundings(size=str(n))
        if spec.independent == "elements":
            sizes: Sequence[str] = (_FOUR_AXES,)
        else:
            sizes = CLASSES if dtype == _ALL else FEW_CLASSES
        for size in sizes:
            yield {**spec.defaults, **changes}, Surroundings(size=size)


# --- optimizers ----------------------------------------------------------------------------------


def _around_optimizer(spec: OptimSpec, dtype: str, long: bool) -> _Shipped:
    for k, changes in enumerate(_combinations(spec, dtype)):
        options = {**spec.defaults, **_TRAJECTORY, **changes}
        if not spec.allowed(options, dtype):  # two steps say nothing in the type
            options = {**options, "steps": 1}
        rows = is_laid_out(spec, options)
        for n in _sizes(dtype, k == 0, long) if rows else ():
            yield options, Surroundings(size=str(n))
        for size, beside in spec.sizes.items() if k == 0 and dtype == _ALL else ():
            yield {**options, **beside}, Surroundings(size=size)
        for n in TENSORS[:None if k == 0 else -1] if dtype == _ALL and rows else ():
            yield options, Surroundings(tensors=str(n))
        for around in (BLOCKS if dtype == _ALL else BLOCKS[1:2]) if rows and k == 0 else ():
            yield options, around
        if rows and k == 0 and dtype == _ALL:
            yield options, Surroundings(size=str(SIZES[-1]), threads="3")
            for other in BESIDE:
                yield options, Surroundings(size="33", tensors="4", beside=other)
        roles = ("", "parameter", "gradient") if k == 0 and dtype == _ALL else ("",)
        for memory, size in _layouts(dtype, roles):
            yield options, Surroundings(size=size if rows else "", memory=memory)
        if options["steps"] > 1:
            yield from _events(spec, options, dtype)


def _events(spec: OptimSpec, options: Options, dtype: str) -> _Shipped:
    two_groups: dict[str, Any] = {**options, "layout": "groups"}
    for name, event in EVENTS.items():
        base = two_groups if event.groups else options
        if str(base["layout"]) not in spec.labels["layout"] or not (dtype == _ALL or name in FEW_EVENTS):
            continue
        for axis in settable(spec, base, dtype, name) if event.of_option else ("",):
            if dtype == _ALL or axis in ("", "lr"):
                yield base, Surroundings(event=f"{name}:{axis}" if axis else name)


# --- initializers --------------------------------------------------------------------------------


def _around_initializer(spec: InitSpec, dtype: str, long: bool) -> _Shipped:
    matrices = MATRICES if dtype == _ALL else MATRICES[-2:]
    sizes = [n for n in _sizes(dtype, True, long) if n <= LARGEST_TENSOR or n == LONG_SIZE]
    for size in (*sizes, *matrices):
        yield spec.defaults, Surroundings(size=str(size))
    for memory, size in _layouts(dtype, ("",)):
        if size.count("x") + 1 in spec.lengths and dtype in spec.decided:
            yield spec.defaults, Surroundings(size=size, memory=memory)
        elif size == _TWO_AXES:
            yield spec.defaults, Surroundings(memory=memory)

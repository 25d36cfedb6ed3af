"""How an initializer that was handed in is called: to fill an array, or with a key and a shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import InitSpec
from ..cases.surroundings.memory import Memory
from ..targets.loading import Unsupported
from ..truth.claims import CLAIMS
from ..truth.evaluate import Outputs, empty_tensor, take_seeds
from ..truth.history import OVERWRITTEN
from .implementation import Implementation, Misbehaved
from .kit import Kit, kind_of
from .shaped import shaped
from .signature import split_arguments

__all__ = ["CALLS", "DRAWS", "run_initializer"]

Array = np.ndarray[Any, Any]

#: Numbers that are drawn to judge a distribution, and calls at most.
DRAWS, CALLS = 100_000, 1000


def run_initializer(spec: InitSpec, case: Case, asked: Implementation, kit: Kit) -> Outputs:
    """What an initializer gives in two calls, and the next words of its stream; or many draws where it has its own.

    Raises:
        Unsupported: an option that the initializer does not take.
        Misbehaved: it did not fill the array that it was given.
    """
    arguments = dict(case.inputs)
    seeds = take_seeds(arguments)
    empty, memory = empty_tensor(arguments, case.dtype), Memory(case.around.memory)
    is_random = spec.name in CLAIMS
    stream = kit.shares_stream if asked.stream is None else asked.stream
    if is_random and stream and not kit.shares_stream:
        raise Unsupported("its framework does not draw torch's numbers; stream=False judges their distribution")
    signature = asked.signature
    _, keywords = split_arguments(signature, spec, arguments, skip=1)
    chosen = {k: arguments[k] for k in keywords}
    given = kit.seeded(seeds.given, seeds.default)
    generators = kit.generators(given)
    init = shaped(asked.code, spec, chosen)
    if init is not None:
        fill = partial(_make_of_shape, kit, init, empty, generators)
    else:
        needs_one = "generator" in spec.parameters and not kit.has_default
        wanted = bool(seeds.argument(spec, given)) or needs_one
        takes = signature.accepts("generator")
        if is_random and stream and wanted and not takes:
            raise Unsupported("has no keyword 'generator'")
        fill = partial(_fill, asked, kit, empty, memory, chosen, generators if wanted and takes else None)
    if is_random and not stream:
        calls = min(CALLS, math.ceil(DRAWS / max(empty.size, 1)))
        return {"draws": np.stack([fill() for _ in range(calls)])}
    outputs = {"tensor": fill(), "again": fill()}
    outputs |= {OVERWRITTEN: np.array(memory.overwritten())} if case.around.memory else {}
    return outputs | (kit.words(given) if is_random else {})


def _make_of_shape(kit: Kit, init: Callable[[Any, Any, Any], Any], empty: Array, generators: Iterator[Any]) -> Array:
    """A new array of the shape and dtype of an empty one."""
    return kit.numpy(init(next(generators), empty.shape, kit.array(empty).dtype))


def _fill(asked: Implementation, kit: Kit, empty: Array, memory: Memory, chosen: Mapping[str, Any],
          generators: Iterator[Any] | None) -> Array:
    """A copy of an empty array that the initializer has filled, with a generator where there are some."""
    array = kit.array(empty, memory, "tensor")
    generator = {} if generators is None else {"generator": next(generators)}
    result = asked.code(array, **chosen, **generator)
    filled = kit.numpy(result)
    if asked.framework != "jax" and result is not array:
        raise Misbehaved(f"gave {kind_of(result)} of its own; needed is its argument, filled in place")
    return filled

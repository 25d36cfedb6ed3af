"""How a rule is run over memory: many parameters at once, in blocks that stay in the processor's cache.

A rule is written for whole arrays, and reads like the paper. Here it meets arrays of any size:

* large ones are cut into blocks, so that its intermediate results never leave the cache;
* small ones are packed into one block, so that a call of NumPy costs the same for a hundred as for one;
* where there is much to do, the rule is first run on stand-ins that write down what it does to them
  (:class:`Program`): each block then goes through the same NumPy calls, in the same order and with the same
  results to the last bit, but into memory that is already there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

__all__ = ["BLOCK", "Program", "Rule", "Update", "run_updates", "update_in_place"]

Array = NDArray[Any]
Rule = Callable[..., tuple[Any, ...]]
Kernel = Callable[[Sequence[Array | None]], None]

#: Elements of a block: at four bytes each, a rule's dozen arrays still fit a second-level cache of 2 MB.
BLOCK = 1 << 15

#: Arrays of fewer elements are packed: to copy so few there and back costs less than NumPy's calls.
SMALL = BLOCK >> 3

#: To write a rule's program down costs as much as to run the rule over a few blocks.
WORTH_A_PROGRAM = BLOCK << 2


class Update(NamedTuple):
    """One thing to do in place: ``theta, *state = rule(theta, g, *state, **scalars)``.

    ``rule`` works element by element and returns new arrays, or its arguments: they are copied.
    State that the options at hand do not need is ``None`` and stays it.
    """

    rule: Rule
    arrays: tuple[Array | None, ...]  #: theta, g, and the state
    scalars: Mapping[str, Any]

    @classmethod
    def of(cls, rule: Rule, theta: Array, g: Array, *state: Array | None, **scalars: Any) -> Update:
        """The update that reads like a call of the rule."""
        return cls(rule, (theta, g, *state), scalars)

    @property
    def theta(self) -> Array:
        """The parameters."""
        theta = self.arrays[0]
        assert theta is not None
        return theta

    @property
    def size(self) -> int:
        """How many real numbers the parameters are."""
        return self.theta.size * (2 if self.theta.dtype.kind == "c" else 1)

    def like(self, other: Update) -> bool:
        """May both be done by one call of the rule?"""
        scalars = other.scalars  # lists, as generators cost more than what they ask
        return (self.rule is other.rule and self.theta.dtype == other.theta.dtype
                and all([a is scalars[name] or _is_same_scalar(a, scalars[name]) for name, a in self.scalars.items()])  # noqa: C419
                and [a is None for a in self.arrays] == [b is None for b in other.arrays])


def _is_same_scalar(a: Any, b: Any) -> bool:
    """Are two objects one scalar? Of equal ones that are no plain numbers, balls say, nobody knows."""
    return isinstance(a, _PLAIN) and isinstance(b, _PLAIN) and a == b


_PLAIN = (int, float)


def update_in_place(rule: Rule, theta: Array, g: Array, *state: Array | None, **scalars: Any) -> None:
    """Do one :class:`Update` at once."""
    run_updates([Update.of(rule, theta, g, *state, **scalars)])


def run_updates(updates: Iterable[Update]) -> None:
    """Do all of them; the arrays of one overlap those of another only where they are the same."""
    for alike in _split_into_alike(updates):
        sizes = [update.size for update in alike]
        first = alike[0]
        much = sum(sizes) >= WORTH_A_PROGRAM and first.theta.dtype != object
        kernel: Kernel = Program(first) if much else _call_rule(first.rule, first.scalars)
        pack: list[Update] = []
        packed = 0
        for update, size in zip(alike, sizes, strict=True):
            if size > SMALL or len(alike) == 1:
                _run_in_blocks(update, kernel)
                continue
            if packed + size > BLOCK:
                _run_packed(pack, kernel)
                pack, packed = [], 0
            pack.append(update)
            packed += size
        if pack:
            _run_packed(pack, kernel)


def _split_into_alike(updates: Iterable[Update]) -> Iterator[list[Update]]:
    """Updates that follow each other and are alike; each parameter once."""
    run: list[Update] = []
    seen: set[int] = set()
    for update in updates:
        theta = update.theta
        if run and (id(theta) in seen or not update.like(run[0])):
            yield run
            run, seen = [], set()
        run.append(update)
        seen.add(id(theta))
    if run:
        yield run


def _call_rule(rule: Rule, scalars: Mapping[str, Any]) -> Kernel:
    """The rule as it stands."""
    def kernel(blocks: Sequence[Array | None]) -> None:
        values = rule(*map(_widen, blocks), **scalars)
        for block, value in zip((blocks[0], *blocks[2:]), values, strict=True):
            if block is not None:
                block[...] = value

    return kernel


def _widen(block: Array | None) -> Array | None:
    """Half types compute in float32, as every scalar of a rule would be rounded to them otherwise."""
    return block.astype(np.float32) if block is not None and block.dtype.itemsize == 2 else block


def _flatten(array: Array) -> Array:
    """One contiguous line of reals: a view where memory allows it; a complex number is a pair."""
    flat = np.asanyarray(array, order="C").reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _run_in_blocks(update: Update, kernel: Kernel) -> None:
    """Block by block."""
    flats = [array if array is None else _flatten(array) for array in update.arrays]
    for start in range(0, update.size, BLOCK):
        kernel([flat if flat is None else flat[start:start + BLOCK] for flat in flats])
    for array, flat in zip(_without_gradient(update.arrays), _without_gradient(flats), strict=True):
        if array is not None and flat is not None and not array.flags.c_contiguous:
            np.copyto(array, flat.view(array.dtype).reshape(array.shape))


def _run_packed(updates: Sequence[Update], kernel: Kernel) -> None:
    """Several small updates as one block."""
    columns = list(zip(*(update.arrays for update in updates), strict=True))
    lines = [None if column[0] is None else np.concatenate(column, axis=None) for column in columns]
    kernel([None if line is None else _flatten(line) for line in lines])
    for column, line in zip(_without_gradient(columns), _without_gradient(lines), strict=True):
        if line is not None:
            start = 0
            for array in column:
                end = start + array.size
                np.copyto(array, line[start:end].reshape(array.shape))
                start = end


def _without_gradient(arrays: Sequence[Any]) -> list[Any]:
    """All but the gradient."""
    return [arrays[0], *arrays[2:]]


class _Traced(NDArrayOperatorsMixin):
    """Stands for a block while a rule is run, and writes down what is done to it."""

    def __init__(self, program: Program, value: int) -> None:
        self.program, self.value = program, value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        return self.program.note(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return NotImplemented if kwargs else self.program.note(function, args)


class _Line(NamedTuple):
    """One call: the values that it takes (blocks, results and constants), and the one that it makes."""

    function: Callable[..., Any]
    takes: tuple[int, ...]
    makes: int


class Program:
    """What a rule does, as a list of NumPy calls: run on blocks, it changes them in place.

    A result is written into the block that it is the new value of, if nobody needs the old one any more;
    else into scratch memory, which is used again as soon as it is free.

    >>> theta, g = np.array([1.0, 2.0]), np.array([4.0, 8.0])
    >>> program = Program(Update.of(lambda theta, g: (theta - 0.5 * g,), theta, g))
    >>> program([theta, g])
    >>> theta
    array([-1., -2.])
    """

    def __init__(self, update: Update) -> None:
        self.lines: list[_Line] = []
        self.values: list[Any] = []  # of blocks and results an empty array, of constants an array of no axis
        blocks = [None if a is None else np.empty(0, np.float32 if a.dtype.itemsize == 2 else a.real.dtype)
                  for a in update.arrays]
        self.widened = update.theta.dtype.itemsize == 2
        self.values.extend(blocks)
        stands = [None if block is None else _Traced(self, i) for i, block in enumerate(blocks)]
        targets = _without_gradient(range(len(blocks)))
        results = [(to, result) for to, result in zip(targets, update.rule(*stands, **update.scalars), strict=True)
                   if result is not None]
        self.results = [(to, (np.positive(result) if result.value in targets and result.value != to else result).value)
                        for to, result in results]  # a block that goes to another one's place is copied on the way
        self._place(len(blocks))
        self.size = -1
        self.cut: list[Any] = []  # scratch and constants, as long as blocks of that size

    def note(self, function: Any, inputs: Sequence[Any]) -> _Traced:
        """Write a call down; a factor of 1 is none."""
        if function is np.multiply:
            for factor, other in (inputs, inputs[::-1]):
                if isinstance(other, _Traced) and not isinstance(factor, _Traced) and factor == 1:
                    return other
        empty = [self.values[x.value] if isinstance(x, _Traced) else x for x in inputs]
        dtype = next(x.dtype for x in reversed(empty) if isinstance(x, np.ndarray))
        takes = []
        for x in inputs:
            if not isinstance(x, _Traced):
                self.values.append(np.asarray(x, dtype))
            takes.append(x.value if isinstance(x, _Traced) else len(self.values) - 1)
        self.values.append(function(*empty))
        self.lines.append(_Line(function, tuple(takes), len(self.values) - 1))
        return _Traced(self, len(self.values) - 1)

    def _place(self, blocks: int) -> None:
        """Decide in which memory each result stands."""
        last = {value: i for i, line in enumerate(self.lines) for value in line.takes}
        last |= {value: len(self.lines) for _, value in self.results}
        home = {value: to for to, value in reversed(self.results)}
        self.memory = list(range(len(self.values)))  # for each value, where it stands: a block, or scratch
        free: dict[Any, list[int]] = {}
        scratch: set[int] = set()
        for i, (function, takes, makes) in enumerate(self.lines):
            kept = self.values[makes]
            for value in set(takes):
                if last[value] == i and self.memory[value] in scratch:
                    free.setdefault(self.values[value].dtype, []).append(self.memory[value])
            to = home.get(makes)
            if not isinstance(function, np.ufunc):
                continue  # it makes memory of its own
            if to is not None and not self.widened and last.get(to, -1) <= i and self.values[to].dtype == kept.dtype:
                self.memory[makes] = to
                last[to] = len(self.lines)
            elif free.get(kept.dtype):
                self.memory[makes] = free[kept.dtype].pop()
            else:
                self.values[makes] = np.empty(BLOCK, kept.dtype)
                scratch.add(makes)
        self.calls = [(function, tuple(self.memory[value] for value in takes), self.memory[makes],
                       isinstance(function, np.ufunc)) for function, takes, makes in self.lines]
        self.copies = [(to, self.memory[value]) for to, value in self.results
                       if self.widened or self.memory[value] != to]

    def __call__(self, blocks: Sequence[Array | None]) -> None:
        """Run it on these blocks."""
        wide = list(map(_widen, blocks)) if self.widened else blocks
        assert blocks[0] is not None
        size = blocks[0].size
        if size != self.size:  # of the block before this one
            self.size = size
            self.cut = [value[:size] if value.ndim else value for value in self.values[len(blocks):]]
        here = [*wide, *self.cut]
        for function, takes, makes, in_place in self.calls:
            operands = [here[value] for value in takes]
            if in_place:
                function(*operands, out=here[makes])
            else:
                here[makes] = function(*operands)
        for to, value in self.copies:
            blocks[to][...] = here[value]

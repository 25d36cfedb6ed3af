"""Shapes of cases: a mistake in a length hides where two lengths are equal, or where one is 1."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import Case, leaves
from oracle.cases.selection import cases
from oracle.cases.spec import InitSpec, LossSpec, Refusal, Spec, Trajectory

Shape = tuple[int, ...]

SPECS = [pytest.param(spec, id=name) for name, spec in registry.specs().items()]

#: Axes of arrays that are looked at. With five, lengths that cannot stand for each other take 720 elements.
MOST = 4


def first(spec: Spec) -> str:
    """What the op works on: the first array of a loss, the parameters of an optimizer, an initializer's tensor."""
    return spec.arrays[0] if isinstance(spec, LossSpec) else {"optim": "params", "init": "tensor"}[spec.kind]


def shapes(case: Case) -> Iterator[tuple[str, Shape]]:
    """The shape of every array that an op is given, by the argument's name."""
    drawn = case.inputs
    if isinstance(drawn, Trajectory):
        yield from (("params", p.shape) for group in drawn.groups for p in group.params)
    elif isinstance(case.spec, InitSpec):
        yield "tensor", drawn["shape"]
    else:
        assert isinstance(case.spec, LossSpec)
        yield from ((path, a.shape) for name in case.spec.arrays if drawn.get(name) is not None
                    for path, a in leaves(name, drawn[name]) if isinstance(a, np.ndarray))


@cache
def by_axes(spec: Spec) -> dict[tuple[str, int], set[Shape]]:
    """The shapes that each argument has in the cases of float32, by its number of axes."""
    found: dict[tuple[str, int], set[Shape]] = {}
    for case in cases(spec, "float32", around=False):
        for name, shape in shapes(case):
            found.setdefault((name, len(shape)), set()).add(shape)
    return found


def tells(shape: Shape) -> bool:
    """Is no product of some of its lengths that of others? So no two are equal, and none is 1 or 0.

    >>> tells((2, 3, 4)), tells((2, 1, 3)), tells((2, 2, 3)), tells((2, 3, 6))
    (True, False, False, False)
    """
    products = [math.prod(some) for n in range(len(shape) + 1) for some in itertools.combinations(shape, n)]
    return 0 not in shape and len(set(products)) == len(products)


def differs(shape: Shape) -> bool:
    """Are no two lengths equal, and none in the middle is 1? Others are 1 where an argument is broadcast."""
    return len(set(shape)) == len(shape) and not {0, 1} & set(shape[1:-1])


def refused(refusal: Refusal, name: str) -> Any:
    """The array that is refused, if it is the first one that is."""
    given = refusal.arguments.get(name)
    return getattr(given[0], "data", None) if name == "params" and isinstance(given, list) and given else given


@pytest.mark.parametrize("spec", SPECS)
def test_no_length_of_the_first_array_stands_for_another(spec: Spec) -> None:
    """A mean over the wrong axis, fans that are swapped, a stride of another axis: each changes some case."""
    name = first(spec)
    blind = {n: sorted(found) for (path, n), found in by_axes(spec).items()
             if path == name and 2 <= n <= MOST and not any(map(tells, found))}
    assert blind == {}, f"no shape of {name} tells its lengths apart"


@pytest.mark.parametrize("spec", SPECS)
def test_lengths_of_other_arrays_differ(spec: Spec) -> None:
    blind = {path: sorted(found) for (path, n), found in by_axes(spec).items()
             if 2 <= n < MOST and not any(map(differs, found))}
    assert blind == {}, "two lengths are equal in all of these, or one in the middle is 1"


@pytest.mark.parametrize("spec", SPECS)
def test_three_axes_or_a_refusal(spec: Spec) -> None:
    """Where no case has an array of three axes, none may have, and a refusal says so; torch is asked the same."""
    name = first(spec)
    most = max(n for path, n in by_axes(spec) if path == name)
    assert most > 2 or any(isinstance(a := refused(refusal, name), np.ndarray) and a.ndim > 2
                           for refusal in spec.refusals)

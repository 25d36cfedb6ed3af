"""What specs of several losses share: older arguments, sizes, shapes, and refusals as changes of a good call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...spec import Options, Refusal

__all__ = ["REDUCTIONS", "UNEVEN", "UNEVEN_PICTURES", "UNEVEN_TRIPLES", "decided", "ignore_rows", "ignored_index",
           "poison", "put_first", "refuser", "size_of", "target_shape", "uneven"]

#: Values of the axis "reduction", and the arguments that they stand for: the older ones are two more ways to reduce.
REDUCTIONS: Mapping[str, Mapping[str, Any]] = {
    "mean": {"reduction": "mean"}, "none": {"reduction": "none"}, "sum": {"reduction": "sum"},
    "size_average=False": {"size_average": False}, "reduce=False": {"reduce": False}}

#: Extra shapes: no two lengths of one are equal, and none is 1, so that none can stand for another.
UNEVEN = {"2x3x4": (2, 3, 4)}

#: Uneven shapes of pictures: (examples, classes, height, width).
UNEVEN_PICTURES = {"2x3x4x5": (2, 3, 4, 5)}

#: Uneven shapes for losses of three arrays.
UNEVEN_TRIPLES = {name: (shape,) * 3 for name, shape in UNEVEN.items()}


def uneven(*rows: Options, shapes: Iterable[str] = UNEVEN) -> tuple[Options, ...]:
    """Extra cases of uneven shapes: all else at its default, and then with each of these changes."""
    return tuple({"shape": shape, **row} for shape in shapes for row in ({}, *rows))


def size_of(regime: str, usual: float, *, huge: float, tiny: float) -> float:
    """The largest magnitude that is drawn: the usual one, unless the regime is "huge" or "tiny"."""
    if regime == "huge":
        return huge
    return tiny if regime == "tiny" else usual


def target_shape(kind: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a target that broadcasts: a "row" of the input, one axis "larger", or the input's own."""
    if kind == "row":
        return shape[-1:]
    return (2, *shape) if kind == "larger" else shape


def put_first(x: np.ndarray[Any, Any], *values: float) -> None:
    """Write values into the first elements, as many as there are elements for."""
    count = min(len(values), x.size)
    x.flat[:count] = values[:count]


def poison(x: np.ndarray[Any, Any], regime: str, *values: float) -> None:
    """Put NaN ("nan") or the given values ("inf") into the first elements, if the regime is one of these."""
    if regime == "nan":
        put_first(x, np.nan)
    elif regime == "inf":
        put_first(x, *values)


def decided(draw: Callable[[], Any], clearance: Callable[..., Any], margin: float) -> Any:
    """The first of repeated draws that no branch is too near to.

    ``clearance`` gives relative distances from branches; they have to exceed ``margin``, some units of the
    type, so that an evaluation in the type decides as the exact one does.
    """
    for _ in range(1000):
        drawn = draw()
        with np.errstate(all="ignore"):
            if not np.any(np.abs(clearance(*drawn)) <= margin):
                return drawn
    raise RuntimeError("no draw is clear of the branches")


def ignored_index(kind: str, classes: int) -> int:
    """The class that an axis ``ignore_index`` names: the last one that is used, a negative one, or torch's default."""
    if kind == "used":
        return classes - 1
    return -1 if kind == "negative" else -100


def ignore_rows(target: np.ndarray[Any, Any], kind: str, classes: int) -> None:
    """Let the first row be ignored, or all rows; where none is, nothing changes."""
    if kind == "all":
        target[...] = ignored_index(kind, classes)
    elif kind != "none":
        target.flat[:1] = ignored_index(kind, classes)


def refuser(**good: Any) -> Callable[..., Refusal]:
    """A maker of refusals: why, what is raised, the message, and how the call differs from a good one."""

    def refuse(why: str, raises: type[Exception], match: str, /, torch_raises: type[Exception] | None = None,
               **changes: Any) -> Refusal:
        return Refusal(why, {**good, **changes}, raises, match, torch_raises)

    return refuse

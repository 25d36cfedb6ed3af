"""A disagreement in full, from its record and what its case's id alone rebuilds: no truth is proven again."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from reference.spec import Objective, ParamGroup, Trajectory

from ..cases import Case, parse
from ..dialects import DIALECTS
from ..evaluate import Outputs
from ..run import Record, follows
from ..targets import Target, TargetError, Unsupported, load
from .digest import Group, number
from .explain import shown_inputs
from .script import compared
from .table import figure

__all__ = ["Example", "examples", "magnitude", "rebuilt"]

_CANDIDATES = 6  #: cases that are rebuilt to find the smallest
_LONGEST = 16_000  #: characters of a script that is shown; a longer one is one of hundreds of steps


@dataclass(frozen=True)
class Example:
    """One disagreement: what went in, the three values, and why."""

    record: Record
    inputs: str  #: empty where this version does not know the case
    got: float | None
    reference: float | None
    truth: float | None
    bound: float | None
    causes: tuple[str, ...]  #: known variants whose rule gives this answer
    script: str
    no_script: str  #: why there is none

    @property
    def size(self) -> str:
        """The error in words."""
        r = self.record
        return f"{figure(r.ulp)} ulp, {figure(r.share)} of the bound" if math.isfinite(r.ulp) else "infinite"

    @property
    def command(self) -> str:
        """What shows more of it."""
        return f"oracle explain '{self.record.case}' --target {self.record.target}"


@lru_cache(maxsize=64)
def rebuilt(case_id: str) -> Case | None:
    """The case of an id, with its inputs; None where this version knows no such case."""
    try:
        case = parse(case_id)
        _ = case.inputs
    except (ArithmeticError, ValueError):
        return None
    return case


def examples(group: Group, count: int, device: str, *, diagnose: bool = False) -> list[Example]:
    """The smallest case of each op in a group, smallest first, at most so many."""
    piles: dict[str, list[Record]] = {}
    for r in sorted(group.records, key=lambda r: len(r.case)):
        piles.setdefault(r.op, []).append(r)
    smallest = sorted((min(pile[:_CANDIDATES], key=_size) for pile in piles.values()), key=_size)
    return [example(r, device, diagnose=diagnose) for r in smallest[:count]]


def example(record: Record, device: str, *, diagnose: bool = False) -> Example:
    """All that can be said of a record; with ``diagnose`` the target is run to try the dialects of the op."""
    case = rebuilt(record.case)
    if case is None:
        return Example(record, "", number(record.got), None, number(record.truth), number(record.bound), (), "",
                       "this version does not know the case")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated is no news here
        return _example(record, case, device, diagnose)


def _example(record: Record, case: Case, device: str, diagnose: bool) -> Example:
    script, why = _script(record, case, device)
    return Example(record, dedent("\n".join(shown_inputs(case))), number(record.got), _reference(record, case),
                   number(record.truth), number(record.bound),
                   tuple(_causes(record, case, device)) if diagnose else (), script, why)


def _size(record: Record) -> tuple[float, int]:
    case = rebuilt(record.case)
    return (math.inf if case is None else sum(a.size for a in _arrays(case.inputs)), len(record.case))


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Every floating array among some inputs."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fV":
            yield value
    elif isinstance(value, Trajectory):
        yield from _arrays((value.groups, value.gradients, value.objective))
    elif isinstance(value, ParamGroup):
        yield from _arrays(value.params)
    elif isinstance(value, SparseGrad):
        yield from _arrays(value.values)
    elif isinstance(value, Objective):
        yield from _arrays((value.blocks, value.target, value.answers))
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _arrays(part)


def magnitude(case: Case) -> float:
    """The largest finite magnitude among the floating inputs; 0 without any.

    >>> magnitude(parse("mse_loss/float32/regime=tiny")) < magnitude(parse("mse_loss/float32/regime=huge"))
    True
    """
    largest = 0.0
    for array in _arrays(case.inputs):
        with np.errstate(all="ignore"):
            values = np.abs(array.astype(np.float64))
        largest = max(largest, float(np.max(values, where=np.isfinite(values), initial=0.0)))
    return largest


def _target(name: str, device: str) -> Target:
    """A target by its name; raises :class:`TargetError` where it is not to be had here."""
    return load([name], device)[0]


def _reference(record: Record, case: Case) -> float | None:
    """What the reference gives for the element that decided."""
    outputs = _target("reference", "cpu").run(case)
    return _element(outputs, record)


def _element(outputs: Outputs, record: Record) -> float | None:
    try:
        return float(outputs[record.output][record.index])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _script(record: Record, case: Case, device: str) -> tuple[str, str]:
    """The script, or why there is none."""
    try:
        source = _target(record.target, device).script(case)
    except (TargetError, Unsupported) as error:
        return "", str(error)
    if record.index is not None and record.truth is not None:
        source = compared(source, [(record.output, record.index, record.truth, record.bound or "0x0.0p+0")])
    if len(source) > _LONGEST:
        return "", f"it has {len(source):,} characters"
    return source, ""


def _causes(record: Record, case: Case, device: str) -> Iterator[str]:
    """The dialects of the op whose rule gives the target's answer, within their own bounds."""
    try:
        outputs = _target(record.target, device).run(case)
    except Exception:  # whatever it raises is the record's verdict already
        return
    for dialect in DIALECTS.values():
        if dialect.op == record.op and follows(case, outputs, record.output, dialect.name):
            yield f"{dialect.name}: {dialect.difference} ({dialect.used_by})"

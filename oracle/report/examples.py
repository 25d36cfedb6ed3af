"""A disagreement in full, from its record and what its case's id alone rebuilds: no truth is proven again."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent

import numpy as np

from ..auditing.judge import answer
from ..auditing.words import figure
from ..cases.case import Case, parse
from ..targets.loading import Target, TargetError, Unsupported, load
from ..targets.script import compared
from ..truth.evaluate import Outputs
from ..verdict.magnitudes import floats
from ..verdict.record import Record
from .digest import Group, number
from .explain import shown_inputs

__all__ = ["Example", "element", "examples", "magnitude", "rebuilt", "target_of"]

_CANDIDATES = 6  #: cases that are rebuilt to find the smallest
_LONGEST = 16_000  #: characters of a script that is shown; a longer one is one of hundreds of steps


@dataclass(frozen=True)
class Example:
    """One disagreement: what went in, and the three values."""

    record: Record
    inputs: str  #: empty where this version does not know the case
    got: float | None
    reference: float | None
    truth: float | None
    bound: float | None
    script: str
    no_script: str  #: why there is none

    @property
    def size(self) -> str:
        """The error in words."""
        r = self.record
        return f"{figure(r.ulp)} ulp, {figure(r.share)} of the bound" if math.isfinite(r.ulp) else "infinite"

    @property
    def command(self) -> str:
        """The command that shows more of the disagreement."""
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


def examples(group: Group, count: int, device: str) -> list[Example]:
    """The smallest case of each op in a group, smallest first, at most so many."""
    piles: dict[str, list[Record]] = {}
    for r in sorted(group.records, key=lambda r: len(r.case)):
        piles.setdefault(r.op, []).append(r)
    smallest = sorted((min(pile[:_CANDIDATES], key=_size_of_case) for pile in piles.values()), key=_size_of_case)
    return [example(r, device) for r in smallest[:count]]


def example(record: Record, device: str) -> Example:
    """All that can be said of a record."""
    case = rebuilt(record.case)
    if case is None:
        return Example(record, "", number(record.got), reference=None, truth=number(record.truth),
                       bound=number(record.bound), script="", no_script="this version does not know the case")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated is no news here
        script, why = _script_or_reason(record, case, device)
        inputs = dedent("\n".join(shown_inputs(case)))
        return Example(record, inputs, number(record.got), reference=_reference_value(record, case),
                       truth=number(record.truth), bound=number(record.bound), script=script, no_script=why)


def _size_of_case(record: Record) -> tuple[float, int]:
    case = rebuilt(record.case)
    return (math.inf if case is None else sum(a.size for a in floats(case.inputs)), len(record.case))


def magnitude(case: Case) -> float:
    """The largest finite magnitude among the floating inputs; 0 without any.

    >>> magnitude(parse("mse_loss/float32/regime=tiny")) < magnitude(parse("mse_loss/float32/regime=huge"))
    True
    """
    largest = 0.0
    for array in floats(case.inputs):
        with np.errstate(all="ignore"):
            values = np.abs(array.astype(np.float64))
        largest = max(largest, float(np.max(values, where=np.isfinite(values), initial=0.0)))
    return largest


def target_of(name: str, device: str) -> Target:
    """A target by its name; raises :class:`TargetError` where it is not to be had here."""
    return load([name], device)[0]


def _reference_value(record: Record, case: Case) -> float | None:
    """What the reference gives for the element that decided."""
    return element(answer(case, target_of("reference", "cpu"))[0], record)


def element(outputs: Outputs, record: Record) -> float | None:
    """The element that decided, in some outputs; None where they have no such element."""
    try:
        return float(outputs[record.output][record.index])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _script_or_reason(record: Record, case: Case, device: str) -> tuple[str, str]:
    """The script and an empty text; or an empty text, and why there is no script."""
    try:
        source = target_of(record.target, device).script(case)
    except (TargetError, Unsupported) as error:
        return "", str(error)
    if record.index is not None and record.truth is not None:
        source = compared(source, [(record.output, record.index, record.truth, record.bound or "0x0.0p+0")])
    if len(source) > _LONGEST:
        return "", f"it has {len(source):,} characters"
    return source, ""

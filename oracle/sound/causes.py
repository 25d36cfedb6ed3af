"""What a wrong answer follows instead: an option that is ignored, another reduction, or a known dialect.

Each is a changed case or a changed formula. It is named for the outputs that are what it gives, within its own bound,
in all elements that are looked at.
"""

from __future__ import annotations

import fnmatch
import inspect
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cases import registry
from ..cases.spec import LossSpec
from ..dialects.table import DIALECTS, dialects_of
from ..truth.proof import Truth
from ..verdict import waivers
from ..verdict.compare import Verdict, judge
from .given import Given, forward_only
from .truths import truths_of

__all__ = ["Following", "followed"]

Array = np.ndarray[Any, Any]

#: Seconds after which no further rule is tried.
_BUDGET = 10.0


@dataclass(frozen=True)
class Following:
    """A rule that an answer follows in the place of the op's."""

    text: str  #: a sentence without a subject
    outputs: tuple[str, ...]  #: those of the wrong outputs that this is the rule of
    waiver: waivers.Waiver | None = None  #: torch does so too, as this waiver says


def followed(case: Given, outputs: Mapping[str, Array], wrong: list[str], accuracy: str) -> list[Following]:
    """The rules that outputs follow that are wrong: those that explain most of them, and torch's own, come first.

    Where some rule explains all of these, one that explains less is not named.
    """
    known = [w for w in waivers.load() if w.dialect and w.concerns(case.spec.name) and _is_of_torch(w)]
    found: list[Following] = []
    names: set[str] = set()
    end = time.monotonic() + _BUDGET
    for text, other, dialect in _hypotheses(case):
        if time.monotonic() > end:
            break
        if dialect and names.intersection(DIALECTS[dialect].parts):  # a part of it says as much
            continue
        explained = _explained(other, outputs, wrong, accuracy)
        if explained:
            names.add(dialect)
            found.append(Following(text, explained, next((w for w in known if w.dialect == dialect), None)))
    most = [one for one in found if len(one.outputs) == len(wrong)] or found
    return sorted(most, key=lambda one: (-len(one.outputs), one.waiver is None))


def _is_of_torch(waiver: waivers.Waiver) -> bool:
    """Is it about torch itself? Others are about other frameworks."""
    return any(fnmatch.fnmatchcase(f"torch:{variant}", waiver.target) for variant in ("eager", "module", "foreach"))


def _hypotheses(case: Given) -> Iterator[tuple[str, Given, str]]:
    """What may be done instead, as a case, and the name of its dialect."""
    if isinstance(case.spec, LossSpec):
        for name, p in inspect.signature(case.spec.function).parameters.items():
            if name in case.inputs and p.default is not p.empty and case.inputs[name] is not p.default and (
                    isinstance(case.inputs[name], np.ndarray) or case.inputs[name] != p.default):
                rest = {key: value for key, value in case.inputs.items() if key != name}
                yield f"takes {name} and ignores it", case.changed(inputs=rest), ""
        for reduction in ("mean", "sum"):
            if case.inputs.get("reduction", "mean") not in (reduction, "none"):
                yield (f"has reduction={reduction!r}", case.changed(inputs={**case.inputs, "reduction": reduction}), "")
    own = registry.get(case.spec.name)
    for dialect in dialects_of(own.name):
        spec = dialect(own)
        if isinstance(spec, LossSpec) and not case.differentiates:
            spec = forward_only(spec)
        yield f"matches {dialect}: {dialect.difference}", case.changed(spec), dialect.name


def _explained(other: Given, outputs: Mapping[str, Array], wrong: list[str], accuracy: str) -> tuple[str, ...]:
    """Those of the wrong outputs that are what this gives."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            truths = truths_of(other, accuracy)
    except Exception:  # a rule that has no answer here explains nothing; what is wrong is said all the same
        return ()
    return tuple(name for name in wrong if name in truths and _keeps_to(name, outputs[name], truths[name]))


def _keeps_to(name: str, got: Array, truth: Truth) -> bool:
    """Is an output within a rule's bound? Where the rule itself overflows on the way, it is no matter to what."""
    verdict = judge(name, got, truth).verdict
    if verdict is Verdict.RANGE:  # without what the type's range leaves, such elements have no bound at all
        return judge(name, got, replace(truth, precise=truth.bound)).verdict is Verdict.UNDECIDED
    return verdict.sound

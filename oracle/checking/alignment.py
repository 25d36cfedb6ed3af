"""What of an answer is compared: an implementation need not have every output, nor states at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.spec import OptimSpec
from ..truth.claims import CLAIMS
from ..truth.evaluate import Outputs
from ..truth.proof import Truth
from ..ulp import numpy_dtype
from .implementation import Implementation

__all__ = ["Alignment"]


class Alignment:
    """Brings outputs and truths together, and counts what has to be left out for that."""

    def __init__(self, asked: Implementation) -> None:
        self._asked = asked
        self._missing: Counter[str] = Counter()  #: by kind of output, cases in which it is not compared
        self._early: Counter[str] = Counter()  #: by state, cases in which it is made before torch's
        self._late: Counter[str] = Counter()  #: by state, cases in which it is made after torch's

    def align(self, case: Case, outputs: Outputs, truths: Mapping[str, Truth]) -> tuple[Outputs, Mapping[str, Truth]]:
        """Outputs and truths without what need not be there, and states at the steps at which both have them."""
        given = {name: _in_type_of_truth(name, value, truths) for name, value in outputs.items()
                 if name in truths or not self._is_optional(case, name)}
        wanted = {name: truth for name, truth in truths.items() if name in given or not self._is_optional(case, name)}
        self._missing.update({_kind_of_output(name) for name in truths if name not in wanted})
        if isinstance(case.spec, OptimSpec):
            self._cut_to_common_steps(case, given, wanted)
        return given, wanted

    def _cut_to_common_steps(self, case: Case, given: dict[str, Any], wanted: dict[str, Truth]) -> None:
        """Take from states, given and true, the steps at which the other is not there yet."""
        early, late = set(), set()
        for name, value in list(given.items()):
            if not self._is_optional(case, name) or not np.ndim(value):
                continue
            surplus = len(value) - len(wanted[name].hi)  # at the start: both are there to the end
            if surplus > 0:
                early.add(_kind_of_output(name))
                given[name] = value[surplus:]
            elif surplus < 0:
                late.add(_kind_of_output(name))
                wanted[name] = wanted[name].at_steps_of(value)
        self._early.update(early)
        self._late.update(late)

    def _is_optional(self, case: Case, name: str) -> bool:
        """May an implementation have no such output? States, gradients not asked for, the stream of numbers."""
        if isinstance(case.spec, OptimSpec):
            return not name.startswith(("param[", "gradient["))
        if name.startswith("grad."):
            return not self._asked.asks_for(name.removeprefix("grad."))
        return case.spec.name not in CLAIMS and name in ("next_word", "default_word")

    def notes_on_outputs(self) -> Iterator[str]:
        """What was not compared."""
        if self._missing:
            yield "not compared: " + ", ".join(f"{name} in {n} cases" for name, n in self._missing.items())

    def notes_on_steps(self) -> Iterator[str]:
        """Which states are there at other steps than torch's."""
        for name in dict.fromkeys([*self._early, *self._late]):
            yield (f"state {name} is compared after the steps at which both have it: it is there earlier than torch's "
                   f"in {self._early[name]} cases, later in {self._late[name]}")


def _kind_of_output(name: str) -> str:
    """The name without the number of a parameter; of a gradient the whole name."""
    return name if name.startswith("grad.") else name.partition("[")[0]


def _in_type_of_truth(name: str, value: Any, truths: Mapping[str, Truth]) -> Any:
    """State in a type of its own, such as a count that is an integer, in the type of torch's."""
    if name not in truths or name.startswith(("param[", "output", "grad.", "tensor", "again")):
        return value
    truth = truths[name]
    array = np.asarray(value)
    if truth.discrete or array.dtype.kind not in "fiuV":
        return value
    with np.errstate(all="ignore"):
        return array.astype(numpy_dtype(truth.dtype))

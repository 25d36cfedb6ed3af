"""A record: one verdict with its figures, as an object and as a line of JSON. A line that was read is checked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from .compare import Finding, Tally, Verdict, worst
from .plain import plain

__all__ = ["FAULT", "Record", "closest", "farthest", "summarized"]

FAULT = "not judged: fault of the oracle: "  #: how the note of a case begins that the oracle could not judge


_TEXTS = ("case", "op", "dtype", "target", "output", "note")  #: the fields that always are text

#: The largest figures that a record may have: an answer that the bound accepts is no infinity away.
_LARGEST = {verdict.value: sys.float_info.max if verdict.sound else math.inf for verdict in Verdict}


@dataclass(frozen=True)
class Record:
    """One verdict with its figures: one JSON line. Values of floats are hexadecimal, so that they are exact."""

    case: str
    op: str
    dtype: str
    target: str
    verdict: str
    ulp: float
    share: float
    output: str = ""
    index: tuple[int, ...] | None = None
    got: str | None = None
    truth: str | None = None
    bound: str | None = None
    note: str = ""
    waiver: str | None = None
    outputs: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)
    """Verdict, ULP and share of the bound for each output."""
    also: tuple[str, ...] = ()
    """The waivers that accept what is found on other outputs."""
    elements: Mapping[str, Tally] | None = None
    """Of a run that looks at each element: what was found, for each output."""

    @property
    def fails(self) -> bool:
        """A disagreement that no waiver accepts."""
        return Verdict(self.verdict).disagrees and self.waiver is None

    @property
    def fault(self) -> bool:
        """Is it undecided because the oracle itself failed? The note says how."""
        return self.verdict == Verdict.UNDECIDED and self.note.startswith(FAULT)

    @property
    def sound(self) -> bool:
        """Did the bound accept it, and does that say something?"""
        return Verdict(self.verdict).sound

    def to_json(self) -> str:
        """One line; infinite figures are the string ``"inf"``, since JSON has no number for them."""
        return self._line

    @cached_property
    def _line(self) -> str:
        values = dict(vars(self))
        for name in ("also", "elements"):
            if not values[name]:
                del values[name]
        if self.elements:
            values["elements"] = {name: asdict(found) for name, found in self.elements.items()}
        try:
            return json.dumps(values, allow_nan=False, ensure_ascii=False)
        except ValueError:
            return json.dumps(_finite(values), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record of a line that :meth:`to_json` wrote.

        Raises:
            ValueError: the line is anything else.
        """
        try:
            record = cls(**_checked(json.loads(line)))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            raise ValueError("damaged record") from None
        vars(record)["_line"] = line  # which need not be written again
        return record


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record from those of its line; what is wrong with them raises something.

    Others may have written the file: all text is made safe to show.
    """
    largest = _LARGEST[values["verdict"]]
    for name in _TEXTS:
        if not isinstance(values[name], str):
            raise TypeError
        values[name] = plain(values[name])
    for name in ("got", "truth", "bound"):
        if values[name] is not None:
            float.fromhex(values[name])
    waiver = values.get("waiver")
    if not isinstance(waiver, str | None):
        raise TypeError
    values["waiver"] = plain(waiver) if waiver else waiver
    values["index"] = None if values["index"] is None else tuple(map(int, values["index"]))
    for name in ("ulp", "share"):
        values[name] = float(values[name])
        if not values[name] <= largest:  # NaN is not
            raise ValueError
    values["outputs"] = {plain(name): (Verdict(verdict).value, float(ulp), float(share))
                         for name, (verdict, ulp, share) in values["outputs"].items()}
    values["also"] = tuple(plain(str(name)) for name in values.get("also", ()))
    if "elements" in values:
        values["elements"] = {name: Tally.of(**found) for name, found in values["elements"].items()}
    return values


def _finite(value: Any) -> Any:
    """A value for JSON, which has no numbers for infinities: they are text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


def closest(records: Iterable[Record]) -> Record | None:
    """Of the answers that the bound accepts the one with the largest share of it; None where it accepts none."""
    return max((r for r in records if r.sound), key=lambda r: (r.share, r.ulp), default=None)


def farthest(records: Iterable[Record]) -> Record | None:
    """Of the answers that the bound accepts the one with the largest error in ULP; None where it accepts none.

    The error is that of the element which decides, with the largest share of its bound. Another element may be more ULP
    off: where terms cancel to almost 0, a sound answer may be so by any number of them.
    """
    return max((r for r in records if r.sound), key=lambda r: r.ulp, default=None)


def summarized(case_id: str, op: str, dtype: str, target: str, findings: list[Finding],
               chief: Finding | None = None) -> Record:
    """The record of findings that no waiver is asked about; the worst, or ``chief``, stands for all."""
    chief = chief or worst(findings)
    return Record(
        case_id, op, dtype, target, chief.verdict.value, chief.ulp, chief.share, chief.output, chief.index,
        _hex(chief.got), _hex(chief.truth), _hex(chief.bound), _on_one_line(chief.note),
        outputs={f.output: (f.verdict.value, f.ulp, f.share) for f in findings if f.output})


def _on_one_line(text: str) -> str:
    """The text on one line: messages of errors may have several."""
    return plain(" ".join(text.split()))


def _hex(value: float | None) -> str | None:
    return None if value is None else float(value).hex()

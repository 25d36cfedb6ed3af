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

__all__ = ["FAULT", "Record", "closest", "summarized"]

FAULT = "not judged: fault of the oracle: "  #: how the note of a case begins that the oracle could not judge


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
            values = json.loads(line)
            _VERDICTS[values["verdict"]]
            if not all(isinstance(values[name], str) for name in ("case", "op", "dtype", "target", "output", "note")):
                raise TypeError
            for name in ("case", "op", "dtype", "target", "output", "note"):
                values[name] = plain(values[name])  # others may have written the file
            for name in ("got", "truth", "bound"):
                if values[name] is not None:
                    float.fromhex(values[name])
            if not isinstance(values.get("waiver"), str | None):
                raise TypeError
            values["index"] = None if values["index"] is None else tuple(map(int, values["index"]))
            values["ulp"], values["share"] = float(values["ulp"]), float(values["share"])
            largest = _LARGEST[values["verdict"]]
            if not (values["ulp"] <= largest and values["share"] <= largest):  # NaN is neither
                raise ValueError
            values["outputs"] = {plain(k): (_VERDICTS[v], float(u), float(s))
                                 for k, (v, u, s) in values["outputs"].items()}
            values["also"] = tuple(plain(str(name)) for name in values.get("also", ()))
            values["waiver"] = values.get("waiver") and plain(values["waiver"])
            if "elements" in values:
                values["elements"] = {k: Tally.of(**v) for k, v in values["elements"].items()}
            record = cls(**values)
            vars(record)["_line"] = line  # which need not be written again
            return record
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            raise ValueError("damaged record") from None


_VERDICTS = {verdict.value: verdict.value for verdict in Verdict}
_LARGEST = {verdict.value: sys.float_info.max if verdict.sound else math.inf for verdict in Verdict}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


def closest(records: Iterable[Record]) -> Record | None:
    """Of the answers that the bound accepts the one that comes closest to it; None where it accepts none."""
    return max((r for r in records if r.sound), key=lambda r: (r.share, r.ulp), default=None)


def summarized(case_id: str, op: str, dtype: str, target: str, findings: list[Finding],
               chief: Finding | None = None) -> Record:
    """The record of findings that no waiver is asked about; the worst, or ``chief``, stands for all."""
    chief = chief or worst(findings)
    return Record(
        case_id, op, dtype, target, chief.verdict.value, chief.ulp, chief.share, chief.output, chief.index,
        _hex(chief.got), _hex(chief.truth), _hex(chief.bound), _line(chief.note),
        outputs={f.output: (f.verdict.value, f.ulp, f.share) for f in findings if f.output})


def _line(text: str) -> str:
    """One line: messages of errors may have several."""
    return plain(" ".join(text.split()))


def _hex(value: float | None) -> str | None:
    return None if value is None else float(value).hex()

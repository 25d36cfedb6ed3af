"""What is said of somebody's own arrays: a small result, or the text of a failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..auditing.words import figure
from ..verdict.compare import Finding, Tally, Verdict
from .causes import Following

__all__ = ["OutputVerdict", "Soundness", "failure"]


@dataclass(frozen=True)
class OutputVerdict:
    """What was found of one output."""

    finding: Finding  #: the verdict, and the element that decides it
    tally: Tally | None  #: how many elements have which verdict; none where nothing can be compared by element
    of: int  #: elements that there are, of which the tally may have a sample
    region: str = ""  #: where the elements lie that are wrong

    @property
    def name(self) -> str:
        """The output."""
        return self.finding.output

    @property
    def looked_at(self) -> int:
        """Elements that were looked at."""
        return sum(self.tally.verdicts.values()) if self.tally else self.of

    @property
    def judged(self) -> int:
        """Elements of which something could be said."""
        without = (Verdict.VACUOUS, Verdict.UNDECIDED)
        return self.looked_at - sum(self.tally.verdicts.get(v, 0) for v in without) if self.tally else self.of

    @property
    def wrong(self) -> int:
        """Elements that disagree."""
        if self.tally is None:
            return self.of * self.finding.verdict.disagrees
        return sum(n for v, n in self.tally.verdicts.items() if Verdict(v).disagrees)


@dataclass(frozen=True)
class Soundness:
    """Of a sound answer: how many elements were judged of how many, and how near to its bound it came."""

    op: str
    dtype: str
    judged: int
    of: int
    ulp: float  #: the largest error in units in the last place
    share: float  #: the largest share of the bound, maybe of another element
    unjudged: tuple[str, ...] = ()  #: what could not be judged, with the reason
    shared: tuple[str, ...] = ()  #: known defects of torch that the answer shares, by the names of their waivers

    @classmethod
    def of_outputs(cls, op: str, dtype: str, outputs: Sequence[OutputVerdict], shared: Sequence[str]) -> Soundness:
        """The sum of what was found of each output."""
        tallies = [one.tally for one in outputs if one.tally is not None]
        unjudged = tuple(f"{one.looked_at - one.judged:,} of {one.looked_at:,} elements of {one.name}"
                         + (f" ({one.finding.note})" if one.finding.note else "")
                         for one in outputs if one.judged < one.looked_at)
        return cls(op, dtype, sum(one.judged for one in outputs), sum(one.of for one in outputs),
                   max((t.ulp for t in tallies), default=0.0), max((t.share for t in tallies), default=0.0),
                   unjudged, tuple(shared))

    def __str__(self) -> str:
        sampled = "" if self.judged == self.of else " (edges, suspects and random ones)" if not self.unjudged else ""
        text = (f"{self.op} in {self.dtype}: sound; {self.judged:,} of {self.of:,} elements judged{sampled}, largest "
                f"error {figure(self.ulp)} ulp, largest share of the bound {figure(self.share)}")
        if self.unjudged:
            text += f"; not judged: {'; '.join(self.unjudged)}"
        return text + (f"; shares torch's known {', '.join(self.shared)}" if self.shared else "")


def failure(case_id: str, outputs: Sequence[OutputVerdict], causes: Sequence[Following], *, strict: bool) -> str:
    """The text of a failure: which outputs, the worst element of each, and what the answer follows instead."""
    return "\n".join([f"{case_id} is not sound", *(line for one in outputs if one.wrong for line in _said(one)),
                      *_say_causes(causes, strict)])


def _said(one: OutputVerdict) -> Iterator[str]:
    f = one.finding
    if f.index is None:
        yield f"{f.verdict.upper()} {one.name}: {f.note}"
        return
    looked_at = "" if one.looked_at == one.of else f", of which {one.looked_at:,} were looked at"
    yield (f"{f.verdict.upper()} {one.name}: {one.wrong:,} of {one.of:,} elements{looked_at}"
           + (f", {one.region}" if one.region else "") + (f": {f.note}" if f.note else ""))
    yield (f"  {one.name}{list(f.index)}: got {f.got:.9g}, truth {f.truth:.9g}, bound {f.bound:.9g}; "
           f"{figure(f.ulp)} ulp, {figure(f.share)} of the bound")


def _say_causes(causes: Sequence[Following], strict: bool) -> Iterator[str]:
    for cause in causes:
        yield f"  {', '.join(cause.outputs)}: {cause.text}"
        if cause.waiver is not None:
            yield f"  torch is known to do so: {cause.waiver.name}: {cause.waiver.reason} {cause.waiver.link}".rstrip()
            if strict and all(known.waiver is not None for known in causes):
                yield "  without strict=True that is accepted"

"""What became of wrong variants: one record each, and the scores of all."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..auditing.records import versions
from ..cases import registry

__all__ = ["Proof", "Variant", "header"]


def header() -> str:
    """The first line of a file of variants."""
    return json.dumps({"format": "torch-oracle variants 1", "command": ["oracle", *sys.argv[1:]],
                       "versions": dict(versions())})


@dataclass(frozen=True)
class Variant:
    """What became of one wrong variant: one JSON line."""

    id: str
    op: str
    kind: str  #: ``dialect``, or the change
    file: str
    line: int
    function: str
    before: str
    after: str
    killed_by: str = ""  #: the case
    verdict: str = ""
    note: str = ""
    equivalent: str = ""  #: why no case can kill it
    seconds: float = 0.0  #: of a processor's time, with the proofs of cases that nothing needed before

    @property
    def survives(self) -> bool:
        """Has no case found it, and is there no reason?"""
        return not self.killed_by and not self.equivalent

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def __str__(self) -> str:
        """What was changed, to be read."""
        place = f"{self.file}:{self.line} in {self.function}" if self.line else self.file
        return f"{self.id}\n  {place}\n  before: {self.before}\n  after:  {self.after}"


@dataclass(frozen=True)
class Proof:
    """All variants of some ops."""

    variants: Sequence[Variant]
    stale: Sequence[str]  #: records of equivalent mutants that are wrong by now, and why

    @property
    def dialects(self) -> list[Variant]:
        """The variants that are dialects."""
        return [v for v in self.variants if v.kind == "dialect"]

    @property
    def mutants(self) -> list[Variant]:
        """The variants that were made mechanically."""
        return [v for v in self.variants if v.kind != "dialect"]

    @property
    def survivors(self) -> list[Variant]:
        """What no case kills, and no record explains."""
        return [v for v in self.variants if v.survives]

    @property
    def holds(self) -> bool:
        """Nothing survives without a reason, and no reason is stale."""
        return not self.survivors and not self.stale

    def __str__(self) -> str:
        """Survivors, then scores."""
        lines = [f"SURVIVES {variant}" for variant in self.survivors]
        lines += [f"STALE equivalent {record}" for record in self.stale]
        lines.append(_scored("dialects", self.dialects))
        lines.append(_scored("mutants", [v for v in self.mutants if v.op in registry.specs()]))
        of_modules = [v for v in self.mutants if v.op not in registry.specs()]
        if of_modules:
            lines.append(_scored("mutants of shared modules", of_modules))
        others = [v for v in self.mutants if not v.equivalent]
        killed = sum(bool(v.killed_by) for v in others)
        lines.append(f"equivalent mutants, recorded with a reason: {len(self.mutants) - len(others)}; of the others "
                     f"{_share(killed, len(others))} killed")
        return "\n".join(lines)


def _scored(what: str, variants: Sequence[Variant]) -> str:
    """How many variants were killed, and by which verdicts."""
    killed = [v for v in variants if v.killed_by]
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in Counter(v.verdict for v in killed).most_common())
    score = f"{what}: {_share(len(killed), len(variants))} killed"
    return f"{score} ({verdicts})" if verdicts else score


def _share(killed: int, of: int) -> str:
    return f"{killed} of {of}" + (f", {100 * killed / of:.2f} %" if of else "")

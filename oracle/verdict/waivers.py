"""Accepted disagreements: records in ``waivers.toml``, each with its reason; an unused one fails the run."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from ..dialects.table import DIALECTS

__all__ = ["Waiver", "WaiverError", "load", "matching", "stale"]

_NEEDED = ("name", "case", "target", "output", "verdict", "reason")


class WaiverError(ValueError):
    """A waiver that cannot be read."""


@dataclass(frozen=True)
class Waiver:
    """One disagreement that is known, understood and accepted; patterns are those of ``fnmatch``."""

    name: str
    case: str  #: pattern of case ids, or several with blanks between them
    target: str  #: pattern of target names
    output: str  #: pattern of output names
    verdict: str  #: pattern of verdicts
    reason: str
    link: str = ""  #: public page on the matter, where there is one
    dialect: str = ""  #: accept only what this dialect's rule gives, within the dialect's own bound
    torch: str = ""  #: the versions of torch that it is for, as ``>=2.14`` or ``<2.14``; all by default

    def concerns(self, op: str) -> bool:
        """Is it about cases of an op?"""
        return any(fnmatch.fnmatchcase(op, pattern.partition("/")[0]) for pattern in self.case.split())

    def covers(self, case_id: str, target: str) -> bool:
        """Could it apply to this case and target?"""
        return bool(self.among([case_id])) and fnmatch.fnmatchcase(target, self.target)

    def among(self, case_ids: Iterable[str]) -> set[str]:
        """Those of some ids that it could apply to."""
        return {found for pattern in self.case.split() for found in fnmatch.filter(case_ids, pattern)}

    def accepts(self, case_id: str, target: str, output: str, verdict: str) -> bool:
        """Does it accept this disagreement?"""
        return (self.covers(case_id, target) and fnmatch.fnmatchcase(output, self.output)
                and fnmatch.fnmatchcase(verdict, self.verdict))


def load(path: Path | None = None, torch: str | None = None) -> list[Waiver]:
    """The waivers of a file, the shipped ones by default, for a version of torch, the installed one by default.

    Raises:
        WaiverError: an unknown or missing key, an empty reason, a name given twice.
    """
    torch = _installed_torch() if torch is None else torch
    text = (path or resources.files(__package__) / "waivers.toml").read_text(encoding="utf-8")
    waivers: list[Waiver] = []
    for entry in tomllib.loads(text).get("waiver", []):
        name = entry.get("name", "(no name)")
        missing = [key for key in _NEEDED if not str(entry.get(key, "")).strip()]
        if missing:
            raise WaiverError(f"waiver {name!r} lacks {', '.join(missing)}")
        unknown = set(entry) - {*_NEEDED, "link", "dialect", "torch"}
        if unknown:
            raise WaiverError(f"waiver {name!r} has unknown keys: {', '.join(sorted(unknown))}")
        if entry.get("dialect") and entry["dialect"] not in DIALECTS:
            raise WaiverError(f"waiver {name!r}: no dialect is called {entry['dialect']!r}")
        if entry.get("torch") and not re.fullmatch(r"(>=|<)\d+\.\d+", entry["torch"]):
            raise WaiverError(f"waiver {name!r}: versions of torch are given as >=2.14 or <2.14, "
                              f"not {entry['torch']!r}")
        if name in {w.name for w in waivers}:
            raise WaiverError(f"two waivers are called {name!r}")
        waivers.append(Waiver(**entry))
    return [w for w in waivers if _is_for_version(w.torch, torch)]


def _installed_torch() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _is_for_version(versions: str, torch: str) -> bool:
    """Is a version of torch among these? Without torch nothing is."""
    if not versions:
        return True
    numbers = re.findall(r"\d+", torch)[:2]
    at_least = list(map(int, numbers)) >= list(map(int, versions.lstrip("<>=").split(".")))
    return bool(numbers) and at_least == versions.startswith(">=")


def matching(waivers: Iterable[Waiver], case_id: str, target: str, output: str, verdict: str,
             follows: Callable[[str], bool]) -> Waiver | None:
    """The first waiver that accepts a disagreement; ``follows`` tells whether the answer is a dialect's."""
    return next((w for w in waivers if w.accepts(case_id, target, output, verdict)
                 and (not w.dialect or follows(w.dialect))), None)


def stale(waivers: Iterable[Waiver], used: set[str], shipped: Sequence[str], ran: set[str],
          targets: Sequence[str], unasked: Sequence[str] = ()) -> list[Waiver]:
    """Waivers that nothing needed, though all that could need them did run.

    Args:
        waivers: those that there are.
        used: names of the waivers that accepted something.
        shipped: ids of the cases that there are in a run of this kind: cases of the audit, or sweeps.
        ran: ids of the cases that did run.
        targets: names of the targets that did run.
        unasked: names of the targets that a run takes by itself: a waiver may be for what one of them does alone.
    """
    def concerns(waiver: Waiver, names: Iterable[str]) -> bool:
        return any(fnmatch.fnmatchcase(name, waiver.target) for name in names)

    absent = set(unasked).difference(targets)
    found = []
    for waiver in waivers:
        if waiver.name in used or not concerns(waiver, targets) or concerns(waiver, absent):
            continue
        cases = waiver.among(shipped)
        if cases and ran.issuperset(cases):
            found.append(waiver)
    return found

"""A run as JUnit XML, the form in which test results are handed to CI systems.

A suite for each op and target, a test for each verdict. A disagreement is a failure, a crash an error; what is
waived, unsupported or not decided is skipped, with the reason. A run that ended early has one more error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..auditing.words import three_lines
from ..verdict.compare import Verdict
from ..verdict.record import Record
from .digest import Digest

__all__ = ["render"]

_SKIPPED = (Verdict.UNSUPPORTED, Verdict.VACUOUS, Verdict.UNDECIDED)
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  #: what XML 1.0 has no way to say


def render(digest: Digest) -> str:
    """The document."""
    suites: dict[tuple[str, str], list[Record]] = {}
    for r in digest.records:
        suites.setdefault((r.op, r.target), []).append(r)
    root = Element("testsuites", {"name": "torch-oracle", **_count_tags(digest.records, bool(digest.incomplete))})
    if digest.incomplete:
        suite = SubElement(root, "testsuite", {"name": "the run", **_count_tags((), True)})
        test = SubElement(suite, "testcase", classname="run", name="complete")
        SubElement(test, "error", message=digest.incomplete, type="incomplete")
    for (op, target), records in suites.items():
        suite = SubElement(root, "testsuite", {"name": _allowed(f"{op} {target}"), **_count_tags(records)})
        for r in records:
            test = SubElement(suite, "testcase", classname=_allowed(f"{op}.{target}"), name=_allowed(r.case))
            tag = _tag_of(r)
            if tag is not None:
                result = SubElement(test, tag, message=_allowed(_reason_of(r)))
                if tag != "skipped":
                    result.set("type", r.verdict)
                    result.text = _allowed("\n".join(three_lines(r)))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _tag_of(r: Record) -> str | None:
    """The element that says how a test ended; None of one that passed."""
    if r.waiver or r.verdict in _SKIPPED:
        return "skipped"
    if not r.fails:
        return None
    return "error" if r.verdict == Verdict.CRASHED else "failure"


def _count_tags(records: Iterable[Record], incomplete: bool = False) -> dict[str, str]:
    tags = [*map(_tag_of, records), *["error"] * incomplete]
    return {"tests": str(len(tags)), "failures": str(tags.count("failure")), "errors": str(tags.count("error")),
            "skipped": str(tags.count("skipped"))}


def _reason_of(r: Record) -> str:
    if r.waiver:
        return f"waived: {r.waiver}"
    return f"{r.verdict}: {r.note}" if r.note else r.verdict


def _allowed(text: str) -> str:
    """The text, with a mark in the place of each character that XML refuses."""
    return _REFUSED.sub("\ufffd", text)

"""A run, or a list of defects, as Markdown: for an issue tracker or the summary of a job.

Both have limits (GitHub takes 65,536 characters for an issue), so the text is kept below one. What comes from
records stands in code spans and code blocks, where it cannot mention, link or close anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from ..auditing.words import figure, three_lines
from .defects import Defect
from .digest import Cell, Digest, Group
from .examples import Example, examples

__all__ = ["LIMIT", "block", "code", "defects_page", "render"]

LIMIT = 60_000  #: characters of a page

_LONGEST_SCRIPT = LIMIT // 8


def render(digest: Digest) -> str:
    """The page of a run."""
    failures = _cut_to_limit(_write_failures(digest), LIMIT // 2)
    return _cut_to_limit([*_write_head(digest), failures, _write_table(digest), _write_waived(digest.waived),
                          _write_run(digest)], LIMIT)


def defects_page(defects: Sequence[Defect], framework: str) -> str:
    """The list of a framework's defects."""
    versions = sorted({version for defect in defects for version in defect.versions})
    seen = f", {sum(bool(d.versions) for d in defects)} of them seen here in {framework} {', '.join(versions)}"
    lines = [f"# Defects of {framework}", "", f"{len(defects)} known{seen if versions else ''}.", "",
             "| defect | op | who is hit | condition | size of the error | versions | on the matter |",
             f"|{' --- |' * 7}"]
    for d in defects:
        lines.append(_format_row([code(d.waiver.name), ", ".join(map(code, d.ops)), d.hits, code(d.waiver.case),
                                  d.size or "not in these runs", ", ".join(d.versions), _format_links(d.links)]))
    for d in defects:
        lines += ["", f"## {code(d.waiver.name)}", "", _escape_prose(d.waiver.reason), ""]
        lines += [f"It computes: {_escape_prose(d.rule)}. Known from {d.since}.", ""] if d.rule else []
        lines += map(_write_example, d.examples)
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """A code span; its fence is longer than any run of backticks within, so nothing in it can end it.

    >>> code("a|b`c")
    '``a\\\\|b`c``'
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}".replace("|", "\\|")


def block(text: str, language: str = "") -> str:
    """A code block that nothing in it can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    body = text.rstrip("\n")
    return f"{fence}{language}\n{body}\n{fence}"


def _escape_prose(text: str) -> str:
    """Text of ours, in which signs that Markdown reads are to be read as they stand."""
    return re.sub(r"([*_<|\[\]])", r"\\\1", text)


def _format_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _format_links(links: Iterable[str]) -> str:
    return " ".join(f"<{link}>" for link in links)


def _write_head(digest: Digest) -> Iterator[str]:
    yield f"# Audit of {code(digest.subject)}\n\n**{digest.headline}.**\n"
    yield ", ".join(f"{n:,} {name}" for name, n in digest.counts.items() if n)


def _write_failures(digest: Digest) -> Iterator[str]:
    if not digest.failures:
        return
    yield "\n## Disagreements that no waiver accepts\n"
    device = str(digest.head.get("device", "cpu"))
    for group in digest.failures:
        shown = "\n".join(map(_write_example, examples(group, 1, device)))
        yield f"### {code(group.name)}: {len(group.records):,}\n\n{shown}"


def _write_example(e: Example) -> str:
    parts = [block("\n".join(three_lines(e.record)))]
    if e.reference is not None and e.truth is not None:
        parts.append(f"The reference gives {code(f'{e.reference:.9g}')}, exact is {code(f'{e.truth:.9g}')}.")
    if e.script and len(e.script) > _LONGEST_SCRIPT:
        parts.append(f"The script has {len(e.script):,} characters: {code(e.command)} prints it.")
    elif e.script:
        parts.append(f"<details><summary>Script</summary>\n\n{block(e.script, 'python')}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _write_table(digest: Digest) -> str:
    lines = ["\n## Largest errors, op by op\n",
             "Of the answers that the bound accepts: the largest error in ULP; the largest share of a bound, which may "
             "be that of another case.\n",
             _format_row(["op", *map(code, digest.targets)]), f"|{' --- |' * (1 + len(digest.targets))}"]
    for op in digest.specs:
        cells = [_format_cell(digest.totals.get((op, target))) for target in digest.targets]
        lines.append(_format_row([code(op), *cells]))
    return "\n".join(lines)


def _format_cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    by_ulp, by_share = cell.most_ulp, cell.most_share
    most = f"{figure(by_ulp.ulp)}; {figure(by_share.share)}" if by_ulp and by_share else "–"
    wrong = f" **{cell.wrong} wrong**" if cell.wrong else ""
    return most + wrong + (f" ({cell.waived} waived)" if cell.waived else "")


def _write_waived(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    lines = ["\n## Known disagreements\n", "| waiver | how many | why | on the matter |", f"|{' --- |' * 4}"]
    for group in groups:
        reason = _escape_prose(group.waiver.reason) if group.waiver else "This version has no waiver of this name."
        links = group.waiver.link.split() if group.waiver else ()
        lines.append(_format_row([code(group.name), f"{len(group.records):,}", reason, _format_links(links)]))
    return "\n".join(lines)


def _write_run(digest: Digest) -> str:
    head = digest.head
    facts = {"device": head.get("device", ""), **head.get("machine", {}), **head.get("versions", {})}
    unsure = f"Not decided, or within a bound too wide to say anything: {len(digest.unsure):,}.\n\n"
    return (f"\n## The run\n\n{unsure if digest.unsure else ''}"
            f"{block(shlex.join(map(str, head.get('command', []))), 'console')}\n\n"
            + ", ".join(f"{name} {code(str(value))}" for name, value in facts.items()))


def _cut_to_limit(parts: Iterable[str], limit: int) -> str:
    """The parts, one a line, as far as there is room for them."""
    kept: list[str] = []
    room = limit
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            return "\n".join([*kept, "\nThe rest is cut; the HTML report has it.\n"])
        kept.append(part)
    return "\n".join(kept) + "\n"

"""Runs to be shown, and what pages of them hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from oracle.auditing.records import header
from oracle.report.digest import Digest
from oracle.verdict.record import Record
from tests import runs

HEAD = header(["oracle", "audit"], "cpu")
SOFT = "soft_margin_loss/float32/reduction=none,regime=huge"
HOSTILE = '</script><img src=x onerror="alert(1)">]]>&lt;`|@someone\x07{{ 7 * 7 }}'


def hostile() -> list[Record]:
    """Records whose every text is an attempt to be more than text, failing and waived."""
    wrong = replace(runs.disagreement("mse_loss/float32/default", "torch:eager", note=HOSTILE), op=HOSTILE,
                    case=f"{HOSTILE}/{HOSTILE}/{HOSTILE}", target=HOSTILE, dtype=HOSTILE, output=HOSTILE)
    return [wrong, replace(wrong, waiver=HOSTILE), replace(wrong, verdict="unsupported"),
            replace(wrong, verdict="vacuous"), *runs.made_up(3, ["mse_loss"])]


def small() -> Digest:
    """A made-up run of four ops, with one disagreement that no waiver accepts."""
    records = runs.made_up(12, ["mse_loss", "soft_margin_loss", "Adam", "normal_"])
    return Digest(HEAD, [*records, runs.disagreement("mse_loss/float32/default", "torch:module")])


class Page(HTMLParser):
    """Tags of a page, its text, and whether they nest."""

    VOID = frozenset({"meta", "input", "br", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data


def strangers(page: str) -> list[str]:
    """What a page should not have: tags and handlers of others, anything that is fetched."""
    parsed = Page(page)
    found = [tag for tag in ("img", "iframe", "object", "embed", "link", "base", "style") if
             parsed.tags[tag] > (tag == "style")]
    found += ["script"] * (parsed.tags["script"] > 2)
    found += [f"{tag} {name}" for tag, name, value in parsed.attributes if name.startswith("on") or name in ("src",
              "srcset", "action") or (name == "href" and not value.startswith("#") and tag != "a")]
    found += [f"href {value}" for tag, name, value in parsed.attributes
              if tag == "a" and name == "href" and not value.startswith(("#", "https://"))]
    found += re.findall(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(", page)
    return found


def columns(page: str) -> dict[str, set[int]]:
    """For each heading, the numbers of cells that rows of tables below it have."""
    found: dict[str, set[int]] = {}
    heading = ""
    for line in page.splitlines():
        heading = line if line.startswith("#") else heading
        if line.startswith("| ") or line.startswith("|--"):
            found.setdefault(heading, set()).add(len(re.findall(r"(?<!\\)\|", line)))
    return found


def sections(page: str) -> dict[str, str]:
    """The section on each op, by its name."""
    return dict(re.findall(r'<details class="op" id="op-\d+" data-op="([^"]*)"(.*?)(?=<details class="op"|</section>)',
                           page, flags=re.S))


def timed(kind: str, op: str, target: str, n: int, median: float) -> dict[str, Any]:
    """One benchmark as pytest-benchmark writes it, in so far as it is read."""
    return {"extra_info": {"kind": kind, "op": op, "part": "part", "target": target, "n": n, "threads": 1},
            "stats": {"median": median}}


def results(folder: Path, *, torch: float, machine: dict[str, Any] | None = None) -> Path:
    """Benchmarks in which torch takes so many times as long as the reference, and Adam fused the double of it.

    With 10,000 elements it is four times as much.
    """
    folder.mkdir(exist_ok=True, parents=True)
    times = {("loss", "mse_loss", "torch:eager"): torch, ("optim", "Adam", "torch:eager"): torch,
             ("optim", "Adam", "torch:fused"): 2 * torch, ("draw", "randint", "torch:eager"): torch}
    document = {"machine_info": machine or {}, "benchmarks": [
        timed(kind, op, one, n, median * (4 if one != "reference" and n == 10_000 else 1))
        for (kind, op, target), ratio in times.items() for n in (100, 10_000)
        for one, median in (("reference", 2.0), (target, 2.0 * ratio))]}
    (folder / "threads-1.json").write_text(json.dumps(document), encoding="utf-8")
    return folder

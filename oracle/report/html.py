"""A run as one HTML file that needs nothing else: no network, no script or font of others.

Everything that comes from records is text and is escaped; a content security policy lets the page's one script
run and no other, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from operator import attrgetter
from statistics import median
from typing import Any

import jinja2
from markupsafe import Markup

from ..auditing.words import figure
from ..targets.loading import TargetError
from ..verdict.compare import Verdict
from ..verdict.record import Record
from . import densities, figures
from .causes import Cause, causes
from .defects import Defect
from .digest import KINDS, Cell, Digest, Group, where
from .examples import Example, examples, magnitude, rebuilt, target_of
from .formula import Description, describe
from .speed import of_op, place, speed
from .timings import Timings

__all__ = ["defects_page", "render"]

POINTS = 240  #: about so many cases of an op are rebuilt for the plot of error against magnitude
DETAILED = 24  #: groups of unwaived disagreements of which examples are shown
LISTED = 12_000  #: disagreements that are listed by id; a broken target may have every record in the list

Figure = tuple[str, Markup]  #: caption and SVG


@dataclass(frozen=True)
class OpView:
    """What the section on an op shows."""

    name: str
    kind: str
    anchor: str
    torch_names: Sequence[str]
    description: Description | None
    cells: Mapping[str, Mapping[str, Cell]]  #: by storage type and target
    targets: Sequence[str]
    figures: Sequence[Figure]
    disagrees: bool
    speed: Mapping[str, float]


@dataclass(frozen=True)
class GroupView:
    """What the section on a group of disagreements shows."""

    group: Group
    causes: Sequence[Cause]
    examples: Sequence[Example]
    lines: Sequence[str]  #: by target, those that are listed
    unlisted: int


def render(digest: Digest, timings: Timings | None = None, on_op: Callable[[], None] = lambda: None) -> str:
    """The page of a run, with benchmarks where there are some; ``on_op`` is told of each op done."""
    ops = []
    for number, op in enumerate(digest.specs):
        ops.append(_view_op(digest, op, f"op-{number}", timings))
        on_op()
    device = str(digest.head.get("device", "cpu"))
    budget = LISTED
    failures, waived = [], []
    for number, group in enumerate(digest.failures):
        shown = examples(group, 2, device) if number < DETAILED else []
        why = _find_causes(digest, group, device) if number < DETAILED else []
        failures.append(_view_group(group, why, shown, budget))
        budget -= len(failures[-1].lines)
    for group in digest.waived:
        waived.append(_view_group(group, (), examples(group, 2, device), budget))
        budget -= len(waived[-1].lines)
    here = {digest.kind(op) for op in digest.specs}
    return _render_page("report.html", digest=digest, ops=ops, failures=failures, waived=waived,
                 kinds={kind: title for kind, title in KINDS.items() if kind in here}, data=_data_for_script(digest),
                 speed=speed(digest, timings), unsupported=_count_unsupported(digest), verdicts=[*Verdict, "waived"],
                 command=shlex.join(map(str, digest.head.get("command", []))),
                 keys={"op": attrgetter("op"), "dtype": attrgetter("dtype"), "target": attrgetter("target"),
                       "verdict": attrgetter("verdict")})


def defects_page(defects: Sequence[Defect], framework: str) -> str:
    """The list of a framework's defects as a page."""
    return _render_page("defects.html", defects=defects, framework=framework,
                 versions=sorted({version for defect in defects for version in defect.versions}))


def _render_page(template: str, **values: Any) -> str:
    environment = _environment()
    script = _read_template("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    return environment.get_template(template).render(policy=policy, style=Markup(_read_template("report.css")),
                                                     script=Markup(script), **values)


def _read_template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FunctionLoader(_read_template), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(figure=figure, value=_format_value, share=_format_share, safe_html=Markup, where=where,
                               track=place, thousands="{:,}".format)
    return environment


def _format_value(x: float | None) -> str:
    return "–" if x is None else f"{x:.9g}"


def _format_share(cell: Cell) -> str:
    """The largest share of the bound in a cell, at most 1, for a style sheet."""
    return "0" if cell.most_share is None else f"{min(cell.most_share.share, 1.0):.2f}"


# --- ops ------------------------------------------------------------------------------------------


def _view_op(digest: Digest, op: str, anchor: str, timings: Timings | None) -> OpView:
    spec, records = digest.specs[op], digest.by_op[op]
    targets = [t for t in digest.targets if (op, t) in digest.totals]
    cells = {d: {t: digest.cells[op, t, d] for t in targets if (op, t, d) in digest.cells} for d in digest.dtypes}
    by_target = {t: [r for r in records if r.target == t and r.verdict != Verdict.UNSUPPORTED] for t in targets}
    drawn = [_plot_density(op), _plot_scatter(by_target), _plot_histogram(by_target), _plot_drift(by_target)]
    return OpView(op, digest.kind(op), anchor, torch_names=spec.torch_names if spec else (),
                  description=describe(spec) if spec else None, cells={d: row for d, row in cells.items() if row},
                  targets=targets, figures=[figure for figure in drawn if figure],
                  disagrees=any(Verdict(r.verdict).disagrees for r in records), speed=of_op(timings, op))


def _plot_density(op: str) -> Figure | None:
    """What a random initializer draws."""
    panels = [panel for panel in densities.PANELS if panel.op == op]
    if not panels:
        return None
    return ("What the reference draws from seed 0 (bars), and the density that it claims (line)",
            Markup(densities.svg(panels)))


def _plot_scatter(by_target: Mapping[str, Sequence[Record]]) -> Figure | None:
    """Error against the largest input, of some cases: every n-th, and those with the worst records of each target.

    None where no input is an array of floats: initializers have none.
    """
    cases: dict[str, None] = {}
    for records in by_target.values():
        cases |= dict.fromkeys(r.case for r in sorted(records, key=lambda r: -r.share)[:20])
    every = list(dict.fromkeys(r.case for records in by_target.values() for r in records))
    stride = max(1, len(every) // POINTS)
    magnitudes = {}
    for case_id in dict.fromkeys([*cases, *every[::stride]]):
        case = rebuilt(case_id)
        if case is not None:
            magnitudes[case_id] = magnitude(case)
    if not any(magnitudes.values()):
        return None
    series = {target: [(magnitudes[r.case], r.ulp) for r in records if r.case in magnitudes and r.sound]
              for target, records in by_target.items()}
    marked = [(magnitudes[r.case], r.ulp) for records in by_target.values() for r in records
              if r.case in magnitudes and Verdict(r.verdict).disagrees]
    svg = figures.scatter(series, marked, "error against input magnitude", "largest input", "error in ULP")
    some = f": {len(magnitudes):,} of {len(every):,} cases, the worst among them"
    return ("Error against the largest magnitude among the inputs" + (some if len(magnitudes) < len(every) else ""),
            Markup(svg))


def _plot_histogram(by_target: Mapping[str, Sequence[Record]]) -> Figure:
    series = {target: [r.ulp for r in records] for target, records in by_target.items()}
    return "How often which error", Markup(figures.histogram(series, "distribution of errors", "error in ULP, up to"))


def _plot_drift(by_target: Mapping[str, Sequence[Record]]) -> Figure | None:
    """The parameters' error against the number of steps, where an op's cases have steps."""
    series: dict[str, list[tuple[float, float]]] = {}
    for target, records in by_target.items():
        errors: dict[float, list[float]] = {}
        for r in records:
            options = _options_of(r.case)
            found = [ulp for name, (_, ulp, _) in r.outputs.items() if name.startswith("param[") and ulp < math.inf]
            if "steps" in options and r.sound and found:
                errors.setdefault(float(options["steps"]), []).append(max(found))
        series[target] = [(steps, median(found)) for steps, found in sorted(errors.items())]
    if not any(series.values()):
        return None
    svg = figures.lines(series, "error against steps", "steps", "median error in ULP")
    return "Drift: the parameters’ error after so many steps", Markup(svg)


@cache
def _options_of(case_id: str) -> Mapping[str, Any]:
    """The options of a case; none where this version does not know it."""
    from ..cases.case import parse

    try:
        return parse(case_id).options
    except ValueError:
        return {}


# --- disagreements --------------------------------------------------------------------------------


def _find_causes(digest: Digest, group: Group, device: str) -> list[Cause]:
    """Why the disagreements of a group happen, beside what agrees of the same op and target."""
    op, name = group.records[0].op, group.records[0].target
    try:
        target = target_of(name, device)
    except TargetError:
        return []
    return causes(group.records, [r for r in digest.by_op[op] if r.target == name and r.sound], target)


def _view_group(group: Group, why: Sequence[Cause], shown: Sequence[Example], budget: int) -> GroupView:
    listed = group.records[:max(0, budget)]
    lines = [f"{r.target}  {r.case}  {where(r)}  {figure(r.ulp)} ulp" for r in listed]
    return GroupView(group, why, shown, lines, len(group.records) - len(listed))


def _count_unsupported(digest: Digest) -> list[tuple[str, str, int]]:
    """Target, reason and number of what targets did not do."""
    found = Counter((r.target, r.note) for r in digest.records if r.verdict == Verdict.UNSUPPORTED)
    return [(target, note, n) for (target, note), n in found.most_common(40)]


# --- data for the script --------------------------------------------------------------------------


def _data_for_script(digest: Digest) -> Markup:
    """Figures of each cell by op, target and storage type, as JSON that cannot end its script element."""
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for (op, target, dtype), cell in digest.cells.items():
        counts = {verdict: n for verdict, n in {**cell.counts, "waived": cell.waived}.items() if n}
        cells.setdefault(op, {}).setdefault(target, {})[dtype] = [
            _largest_errors(cell), counts]
    text = json.dumps(cells, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _largest_errors(cell: Cell) -> list[Any] | None:
    """The largest error in ULP as a number and as text, and the largest share of a bound."""
    if cell.most_ulp is None or cell.most_share is None:
        return None
    return [cell.most_ulp.ulp, figure(cell.most_ulp.ulp), round(cell.most_share.share, 4)]

"""The one place where case, target and comparison meet: records, and runs of many of them."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from . import targets as target_modules
from . import waivers as waiver_module
from .cases import Case, parse, select
from .compare import Finding, Verdict, compare, judge, worst
from .dialects import DIALECTS
from .evaluate import Outputs
from .targets import Target, Unsupported
from .truth import Truth, prove

__all__ = ["FORMAT", "Record", "answer", "audit", "header", "read_records",
           "record_of", "run_case", "stale_waivers", "truth_of"]

FORMAT = "torch-oracle records 1"


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

    @property
    def fails(self) -> bool:
        """A disagreement that no waiver accepts."""
        return Verdict(self.verdict).disagrees and self.waiver is None

    def to_json(self) -> str:
        """One line; infinite figures are the string ``"inf"``, since JSON has no number for them."""
        return json.dumps(_finite(asdict(self)), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record of a line that :meth:`to_json` wrote."""
        values = json.loads(line)
        values["index"] = None if values["index"] is None else tuple(values["index"])
        values["ulp"], values["share"] = float(values["ulp"]), float(values["share"])
        values["outputs"] = {k: (v, float(u), float(s)) for k, (v, u, s) in values["outputs"].items()}
        return cls(**values)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


@lru_cache(maxsize=64)
def _truth(case_id: str, accuracy: str) -> dict[str, Truth]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prove(parse(case_id), accuracy)


def truth_of(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of a shipped case; the latest are kept, since every target needs the same."""
    return _truth(case.id, accuracy)


def run_case(case: Case, target: Target, waivers: Iterable[waiver_module.Waiver] = (),
             truths: Mapping[str, Truth] | None = None) -> Record:
    """Run a target on a case and judge what it gives. Whatever the target raises becomes a verdict."""
    outputs, failure = answer(case, target)
    findings = [failure] if failure else compare(outputs, truth_of(case) if truths is None else truths)
    return record_of(case, target.name, outputs, findings, waivers)


def answer(case: Case, target: Target) -> tuple[Outputs, Finding | None]:
    """A target's outputs on a case; or a finding instead, where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch deprecates is no verdict
            return target.run(case), None
    except Unsupported as reason:
        return {}, Finding("", Verdict.UNSUPPORTED, note=str(reason))
    except Exception as error:  # a target may raise anything at all
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        return {}, Finding("", Verdict.CRASHED, math.inf, math.inf, note=said)


def record_of(case: Case, target: str, outputs: Outputs, findings: list[Finding],
              waivers: Iterable[waiver_module.Waiver]) -> Record:
    """One record of all that was found on a case: the worst that no waiver accepts stands for it."""
    accepted = {f.output: waiver_module.matching(waivers, case.id, target, f.output, f.verdict,
                                                 partial(follows, case, outputs, f.output))
                for f in findings if f.verdict.disagrees}
    open_ones = [f for f in findings if f.verdict.disagrees and accepted[f.output] is None]
    chief = worst(open_ones or findings)
    waiver = None if open_ones else accepted.get(chief.output)
    return Record(
        case.id, case.spec.name, case.dtype, target, chief.verdict.value, chief.ulp, chief.share, chief.output,
        chief.index, _hex(chief.got), _hex(chief.truth), _hex(chief.bound), chief.note,
        waiver.name if waiver else None, {f.output: (f.verdict.value, f.ulp, f.share) for f in findings if f.output})


def follows(case: Case, outputs: Outputs, output: str, dialect: str) -> bool:
    """Is an output what a dialect's rule gives, within the dialect's own bound?

    Where the rule itself overflows or underflows on the way, it is no matter to what.
    """
    if output not in outputs:
        return False
    verdict = judge(output, np.asarray(outputs[output]), _dialect_truth(case, dialect)[output]).verdict
    return verdict is Verdict.RANGE or not verdict.disagrees


@lru_cache(maxsize=8)
def _dialect_truth(case: Case, dialect: str) -> dict[str, Truth]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prove(Case(DIALECTS[dialect](case.spec), case.dtype, case.options, case.draw))


def _hex(value: float | None) -> str | None:
    return None if value is None else float(value).hex()


def header(command: Sequence[str], device: str) -> dict[str, Any]:
    """The first line of a record file: what ran, with which versions, on which machine."""
    packages = ("torch-oracle", "torch", "numpy", "python-flint", "ml_dtypes", "optax", "jax", "keras")
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"format": FORMAT, "command": list(command), "device": device, "versions": versions,
            "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()}}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
                platform.processor() or "unknown")


def read_records(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """Header and records of a file.

    Raises:
        ValueError: the file is not one of ours, or a line is damaged; the message says which.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        head = json.loads(lines[0])
        if head["format"] != FORMAT:
            raise KeyError
    except (IndexError, KeyError, TypeError, json.JSONDecodeError):
        raise ValueError(f"{path} is not a record file of this version ({FORMAT!r})") from None
    records = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            records.append(Record.from_json(line))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path}, line {number}: damaged record") from None
    return head, records


# --- many cases ----------------------------------------------------------------------------------

_worker: dict[str, Any] = {}


def _start_worker(target_names: Sequence[str], device: str) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _worker["targets"] = target_modules.load(target_names, device)
    _worker["waivers"] = waiver_module.load()


def _work(case_id: str) -> list[Record]:
    case = parse(case_id)
    return [run_case(case, target, _worker["waivers"]) for target in _worker["targets"]
            if target.covers(case.spec)]


def audit(cases: Sequence[Case], target_names: Sequence[str], *, device: str = "cpu", jobs: int = 1,
          on_case: Callable[[], None] = lambda: None) -> Iterator[Record]:
    """Records of every case on every target, in the order of the cases however many processes work.

    A variant that has no meaning for an op (``foreach`` for a loss) gives no record.
    """
    ids = [case.id for case in cases]
    names = [target.name for target in target_modules.load(target_names, device)]  # fails here, not in a worker
    if jobs == 1:
        _start_worker(names, device)
        for case_id in ids:
            yield from _work(case_id)
            on_case()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start_worker, (names, device)) as pool:
        for records in pool.map(_work, ids, chunksize=4):
            yield from records
            on_case()


def stale_waivers(records: Iterable[Record], cases: Sequence[Case], target_names: Sequence[str]) -> list[str]:
    """Names of the waivers that a run should have needed and did not."""
    used = {record.waiver for record in records if record.waiver}
    stale = waiver_module.stale(waiver_module.load(), used, [case.id for case in select()],
                                {case.id for case in cases}, target_names)
    return [waiver.name for waiver in stale]

"""Record files for tests of reports: any number of records, without running anything."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from oracle.auditing.records import header
from oracle.cases import registry
from oracle.cases.case import Case
from oracle.cases.spec import Spec
from oracle.verdict.record import Record
from oracle.verdict.waivers import load

TARGETS = {"loss": ("reference", "torch:eager", "torch:module"),
           "optim": ("reference", "torch:eager", "torch:foreach", "torch:fused"), "init": ("reference", "torch:eager")}


def _ids(spec: Spec, chance: random.Random, count: int) -> Iterator[str]:
    """So many different ids of an op's cases, as far as it has them."""
    found: dict[str, None] = {}
    for _ in range(20 * count):
        dtype = chance.choice(spec.dtypes)
        options = {axis.name: chance.choice(axis.values) for axis in spec.axes}
        if spec.allowed(options, dtype):
            found[Case(spec, dtype, options).id] = None
        if len(found) == count:
            break
    yield from found


def made_up(cases_of_op: int, ops: Sequence[str] = ()) -> list[Record]:
    """Records with figures drawn by chance; where a waiver could apply, one in three is a waived disagreement."""
    chance = random.Random(7)
    waivers, records = load(), []
    for spec in registry.specs().values():
        if ops and spec.name not in ops:
            continue
        theirs = [waiver for waiver in waivers if waiver.concerns(spec.name)]
        for case_id in _ids(spec, chance, cases_of_op):
            dtype = case_id.split("/")[1]
            for target in TARGETS[spec.kind]:
                ulp = 2.0 ** chance.gauss(-1, 1.5)
                share = min(1.0, ulp / chance.uniform(4, 20))
                waiver = next((w for w in theirs if w.covers(case_id, target)), None)
                if waiver is not None and chance.random() < 1 / 3:
                    records.append(disagreement(case_id, target, waiver=waiver.name))
                else:
                    records.append(Record(case_id, spec.name, dtype, target, "within", ulp, share, "param[0]", (0, 1),
                                          "0x1.8p+0", "0x1.8p+0", "0x1p-20", outputs={
                                              "param[0]": ("within", ulp, share), "output": ("exact", 0.2, 0.1)}))
    return records


def disagreement(case_id: str, target: str, *, note: str = "", waiver: str | None = None, verdict: str = "exceeds",
                 output: str = "output") -> Record:
    """A record of a target that gave NaN for 1.5."""
    op, dtype, _ = case_id.split("/", 2)
    return Record(case_id, op, dtype, target, verdict, float("inf"), float("inf"), output, (0,), "nan", "0x1.8p+0",
                  "0x1p-20", note, waiver, {output: (verdict, float("inf"), float("inf"))})


def write(folder: Path, records: Sequence[Record]) -> Path:
    """A folder like that of an audit."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(header(["oracle", "audit", "--out", "some folder"], "cpu")), *(r.to_json() for r in records)]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder

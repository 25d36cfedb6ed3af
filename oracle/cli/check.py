"""``oracle check``."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import UsageError, end_if_faulty, refusing_values
from .files import refuse_file, writing
from .screen import counting

if TYPE_CHECKING:
    from ..checking.checked import Report

__all__ = ["check"]

_GIB = 2**30


def check(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="where the implementation is")],
    op: Annotated[str, typer.Option("--as", metavar="OP", help="torch's name of the op, e.g. cross_entropy, Adam, "
                                                               "kaiming_uniform_")],
    framework: Annotated[str, typer.Option(help="whose arrays it takes: numpy, torch, jax")] = "torch",
    dtype: Annotated[list[str] | None, typer.Option(help="storage type; may be given again; float32 and float64 by "
                                                         "default")] = None,
    device: Annotated[str, typer.Option(help="where the framework puts its arrays, e.g. cuda")] = "cpu",
    mode: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE,...", help="what an argument or an axis of the "
                                                   "cases may be; the rest is unsupported; may be given again")] = None,
    state: Annotated[list[str] | None, typer.Option(metavar="TORCHS=OWN", help="what a state of the optimizer is "
                                                    "called; may be given again")] = None,
    accuracy: Annotated[str | None, typer.Option(help="opmath: half types are computed in float32 and rounded once "
                                                      "(default); storage: each operation may be rounded")] = None,
    target_backward: Annotated[str | None, typer.Option(metavar="PLACE", help="its gradient: a function of the "
                               "gradient from above and the arguments; none for no gradients")] = None,
    gradients: Annotated[str | None, typer.Option(metavar="NAME,...", help="the arguments of a loss whose gradients "
                         "are asked for; by default all that torch gives")] = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="are an initializer's numbers to be "
                      "torch's, or only distributed like them? By default the first for torch alone")] = None,
    all_: Annotated[bool, typer.Option("--all", help="every shipped case, not those that tell most")] = False,
    timeout: Annotated[float, typer.Option(min=0.01, help="seconds for a case")] = 30.0,
    memory: Annotated[float, typer.Option(min=0.01, help="GiB that the implementation may take")] = 4.0,
    out: Annotated[Path | None, typer.Option(help="folder for records.jsonl and report.json")] = None,
    json_: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Check somebody's implementation of one op: is it right, and if not, what does it do instead?

    TARGET is pkg.module:attribute or path/file.py:attribute.

    Exit status: 0 where it passes; 1 where it does not; 2 for bad use or a fault of the oracle itself.

    Example: oracle check mypkg/losses.py:my_ce --as cross_entropy --framework numpy --mode reduction=mean,sum
    """
    from ..checking.check import check as judge

    if ":" not in target:
        raise UsageError(f"{target!r} names no object; needed is pkg.module:attribute or path/file.py:attribute")
    if out is not None:
        refuse_file(out / "records.jsonl")
    if not math.isfinite(memory * _GIB):
        raise UsageError(f"--memory needs a number of GiB, got {memory}")
    modes = {name: values.split(",") for name, values in _pairs("--mode", mode)}
    states = dict(_pairs("--state", state))
    backward = False if target_backward == "none" else target_backward
    sys.path.insert(0, os.getcwd())
    with refusing_values(), counting("checking", "cases") as advance:
        report = judge(op, target, framework=framework, dtypes=dtype, device=device, modes=modes, accuracy=accuracy,
                       state=states, backward=backward, gradients=None if gradients is None else gradients.split(","),
                       stream=stream, all_cases=all_, timeout=timeout, memory=int(memory * _GIB),
                       on_case=lambda seen: advance())
    if out is not None:
        _write_report(report, out)
    typer.echo(report.to_json() if json_ else str(report))
    end_if_faulty(report.faults)
    raise typer.Exit(0 if report.passed else 1)


def _pairs(option: str, given: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Names and values of an option that is ``NAME=VALUE``."""
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} needs NAME=VALUE, got {text!r}")
        yield name, value


def _write_report(report: Report, out: Path) -> None:
    """The records, as an audit writes them, and the report as JSON."""
    import json

    from ..auditing.records import RECORDS, header

    lines = [json.dumps(header(["oracle", *sys.argv[1:]], "")), *(record.to_json() for record in report.records)]
    whole = report.to_json()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / RECORDS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (out / "report.json").write_text(whole + "\n", encoding="utf-8")

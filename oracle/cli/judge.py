"""``oracle judge``."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import UsageError

if TYPE_CHECKING:
    from ..sound.judging import Judgement

__all__ = ["judge"]

_GRADIENT = "grad."


def judge(
    op: Annotated[str, typer.Argument(metavar="OP", help="torch's name of a loss or an initializer")],
    given: Annotated[list[str], typer.Argument(metavar="[FILE] NAME=VALUE...", help="got, grad_output, and the op's "
                                               "arguments by torch's names")],
    accuracy: Annotated[str, typer.Option(help="opmath: half types are computed in float32 and rounded once; storage: "
                                               "each operation may be rounded")] = "storage",
    strict: Annotated[bool, typer.Option("--strict", help="what torch is known to do instead is unsound too")] = False,
    json_: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Judge an answer that lies in files: is it sound for these inputs?

    A VALUE is a file of an array (.npy, or .npz:NAME and .safetensors:NAME for one of several), a number or a word.
    grad.NAME is the gradient of an argument. A FILE without a name has all its arrays under their own names.

    Exit status: 0 where it is sound; 1 where it is not; 2 for bad use or a fault of the oracle itself.

    Example: oracle judge cross_entropy got=loss.npy input=logits.npy target=y.npy label_smoothing=0.1 grad.input=g.npy
    """
    from ..sound.judging import judge_arrays

    values = _values(given)
    gradients = {name.removeprefix(_GRADIENT): values.pop(name) for name in list(values) if name.startswith(_GRADIENT)}
    try:
        found = judge_arrays(op, values.pop("got", None), gradients=gradients, accuracy=accuracy, strict=strict,
                             **values)
    except (ValueError, TypeError) as error:
        if type(error) not in (ValueError, TypeError) and not type(error).__module__.startswith("oracle.sound"):
            raise
        raise UsageError(str(error)) from None
    typer.echo(json.dumps(_as_json(found), ensure_ascii=False) if json_ else found.failure or str(found.soundness))
    raise typer.Exit(1 if found.failure else 0)


def _values(given: list[str]) -> dict[str, Any]:
    """What was given, by name."""
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        found = {name: _value(name, value)} if equals else _whole_file(text)
        if twice := values.keys() & found.keys():
            raise UsageError(f"{min(twice)} is given twice")
        values |= found
    return values


def _whole_file(text: str) -> dict[str, Any]:
    from .arrays import SUFFIXES, arrays_of

    path = Path(text)
    if path.suffix not in SUFFIXES[1:]:
        raise UsageError(f"{text!r} needs NAME=VALUE, or a file of several arrays ({' or '.join(SUFFIXES[1:])})")
    return dict(arrays_of(path))


def _value(name: str, text: str) -> Any:
    """An array from a file, or a number, a truth value or a word."""
    from .arrays import SUFFIXES, array_of

    place, colon, key = text.rpartition(":")
    path = Path(place if colon and Path(place).suffix in SUFFIXES else text)
    if path.suffix in SUFFIXES:
        return array_of(path, key if colon and str(path) == place else name)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _as_json(found: Judgement) -> dict[str, Any]:
    """What was found, for a program."""
    s = found.soundness
    return {"op": s.op, "dtype": s.dtype, "sound": not found.failure, "judged": s.judged, "of": s.of,
            "ulp": _number(s.ulp), "share": _number(s.share), "unjudged": list(s.unjudged), "shared": list(s.shared),
            "failure": found.failure.splitlines(),
            "outputs": [{"name": one.name, "verdict": one.finding.verdict.value, "wrong": one.wrong, "of": one.of,
                         "index": one.finding.index, "got": _number(one.finding.got),
                         "truth": _number(one.finding.truth), "bound": _number(one.finding.bound),
                         "ulp": _number(one.finding.ulp), "share": _number(one.finding.share)}
                        for one in found.outputs]}


def _number(x: float | None) -> float | str | None:
    """JSON has no number for what is infinite or none."""
    return x if x is None or abs(x) < float("inf") else str(x)

"""Vectors as files: the schema, and for each op a document and its arrays."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..auditing.records import versions
from ..cases.case import Case
from ..cases.spec import LossSpec, Objective, Spec, Trajectory
from ..truth import kept_truths
from ..truth.around import is_unchanged
from ..truth.proof import VACUOUS, Truth
from .layout import FLAGS, FORMAT, SCHEMA, VectorsError
from .selection import selection

__all__ = ["export"]

Array = np.ndarray[Any, Any]


class _Writer:
    """Turns values into JSON, and arrays into tensors that it refers to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tensors: dict[str, Array] = {}

    def tensor(self, path: str, array: Array) -> str:
        """The name under which an array is kept."""
        name = f"{self.number}/{path}"
        self.tensors[name] = np.array(array, order="C")
        return name

    def value(self, path: str, value: Any) -> Any:
        """An argument in JSON."""
        if isinstance(value, np.ndarray):
            return {"tensor": self.tensor(path, value)}
        if isinstance(value, SparseGrad):
            return {"indices": self.tensor(f"{path}.indices", value.indices),
                    "values": self.tensor(f"{path}.values", value.values), "shape": list(value.shape)}
        if isinstance(value, float):
            return {"float64": struct.pack(">d", value).hex(), "decimal": repr(value)}
        if isinstance(value, Mapping):
            return {k: self.value(f"{path}.{k}" if path else k, v) for k, v in value.items()}
        if isinstance(value, tuple | list):
            return [self.value(f"{path}[{i}]", v) for i, v in enumerate(value)]
        return value if isinstance(value, bool | int | str | None) else {"function": repr(value)}

    def trajectory(self, t: Trajectory) -> dict[str, Any]:
        """An optimizer's inputs; dense gradients of one parameter are stacked over the steps."""
        gradients = []
        for i, series in enumerate(zip(*t.gradients, strict=True)):
            path = f"gradient[{i}]"
            gradients.append(self.value(path, np.stack(series)) if all(isinstance(g, np.ndarray) for g in series)
                             else self.value(path, series))
        groups = [{"params": self.value(f"groups[{i}].params", g.params), "options": self.value("", g.options)}
                  for i, g in enumerate(t.groups)]
        return {"groups": groups, "defaults": self.value("", t.defaults), "gradients": gradients,
                "objective": t.objective and self.objective(t.objective),
                "settings": [{"step": step, "options": self.value("", options)} for step, options in t.settings],
                "joins": t.joins}

    def objective(self, o: Objective) -> dict[str, Any]:
        """What a closure evaluates."""
        return {"blocks": self.value("objective.blocks", o.blocks), "target": self.value("objective.target", o.target),
                "quartic": self.value("objective.quartic", o.quartic),
                "answers": [{"value": self.value(f"objective.answers[{k}].value", value),
                             "gradients": self.value(f"objective.answers[{k}].gradients", gradients)}
                            for k, (value, gradients) in enumerate(o.answers)]}

    def truth(self, name: str, t: Truth) -> dict[str, Any]:
        """An output's truth."""
        head: dict[str, Any] = {"dtype": t.dtype, "shape": list(t.hi.shape)}
        if t.discrete:
            undecided = {"decided": False} if np.any(t.bound) else {}
            return head | {"equal": self.tensor(f"{name}.equal", t.hi)} | undecided
        parts = {"hi": t.hi, "bound": t.bound, "scale": _narrow(t.scale)}
        if np.any(t.lo):
            parts["lo"] = t.lo
        if not np.array_equal(t.precise, t.bound, equal_nan=True):
            parts["precise"] = t.precise
        if np.any(t.special):
            parts["special"] = t.special
        return head | {part: self.tensor(f"{name}.{part}", array) for part, array in parts.items()}


def _narrow(array: Array) -> Array:
    """Axes along which nothing changes are made one long."""
    for axis, length in enumerate(array.shape):
        first = array.take([0], axis) if length else array
        array = first if np.array_equal(np.broadcast_to(first, array.shape), array) else array
    return array


def _vector(case: Case, number: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """A case in JSON, and its tensors."""
    writer = _Writer(number)
    truths = {name: truth for name, truth in kept_truths.truth_of(case).items() if not is_unchanged(name)}
    inputs = (writer.trajectory(case.inputs) if isinstance(case.inputs, Trajectory)
              else {"arguments": writer.value("", case.inputs)})
    if isinstance(case.spec, LossSpec):
        inputs["grad_output"] = writer.value("grad_output", case.grad_output)
    around = {"surroundings": case.around.parts} if case.around else {}
    vector = {"id": case.id, "dtype": case.dtype, "reason": _reason(case), "flags": _flags(case, truths), **around,
              **inputs, "outputs": {name: writer.truth(f"truth.{name}", t) for name, t in truths.items()}}
    return vector, writer.tensors


def _reason(case: Case) -> str:
    """What a case is there for: the axes that are not at their defaults."""
    about = {axis.name: axis.about for axis in case.spec.axes}
    changed = {k: v for k, v in case.options.items() if v != case.spec.defaults[k]}
    said = [f"{k}={v} ({about[k]})" if about[k] else f"{k}={v}" for k, v in changed.items()]
    said += [f"{k}={v}" for k, v in case.around.parts.items()]
    return "; ".join(said) or "every axis at its default"


def _flags(case: Case, truths: Mapping[str, Truth]) -> list[str]:
    """Which of :data:`FLAGS` hold of a case."""
    judged = [t for t in truths.values() if not t.discrete]
    holds = {
        "event": bool(case.around.event),
        "gradient": any(name.startswith("grad.") for name in truths),
        "kink": isinstance(case.spec, LossSpec) and case.spec.kinks(case.options),
        "memory": bool(case.around.memory),
        "range": any(np.any(t.vacuous & ~(t.precise == t.bound) & ~t.special) for t in judged),
        "size": bool(case.around.size),
        "sparse": isinstance(case.inputs, Trajectory) and any(
            isinstance(g, SparseGrad) for step in case.inputs.gradients for g in step),
        "special": any(np.any(t.special) for t in judged),
        "steps": case.spec.stacked,
        "tensors": bool(case.around.tensors),
        "undecided": any(np.any(~np.isfinite(t.precise) & ~t.special) for t in judged),
        "vacuous": any(np.any((t.precise > VACUOUS * t.scale) & np.isfinite(t.precise) & ~t.special) for t in judged),
    }
    return [flag for flag in FLAGS if holds[flag]]


def export(folder: Path, specs: Iterable[Spec], *, everything: bool = False,
           on_case: Callable[[int], None] = lambda total: None) -> int:
    """Write the vectors of some ops; the same bytes each time. Returns how many cases there are.

    Raises:
        VectorsError: the folder is not empty, or cannot be written.
    """
    from safetensors.numpy import save

    schema = resources.files(__package__) / SCHEMA
    chosen = {spec: selection(spec, everything=everything) for spec in specs}
    total = sum(map(len, chosen.values()))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise VectorsError(f"{folder} is not empty: vectors are written into a folder of their own")
        (folder / SCHEMA).write_bytes(schema.read_bytes())
        for spec, its_cases in chosen.items():
            vectors: list[dict[str, Any]] = []
            tensors: dict[str, Array] = {}
            for number, case in enumerate(its_cases):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what the op deprecates is part of the case
                    vector, arrays = _vector(case, number)
                vectors.append(vector)
                tensors |= arrays
                on_case(total)
            (folder / f"{spec.name}.safetensors").write_bytes(save(tensors))
            (folder / f"{spec.name}.json").write_text(_document(spec, vectors), encoding="utf-8")
    except OSError as error:
        raise VectorsError(f"cannot write to {folder}: {error.strerror}") from None
    return total


def _document(spec: Spec, vectors: Sequence[Mapping[str, Any]]) -> str:
    """An op's JSON: one line a case."""
    known = {k: v for k, v in versions().items() if k != "torch"}  # no truth depends on it
    head = {"format": FORMAT, "versions": known, "op": spec.name, "kind": spec.kind,
            "torch": list(spec.torch_names), "tensors": f"{spec.name}.safetensors", "flags": FLAGS}
    lines = ",\n".join(json.dumps(v, allow_nan=False, ensure_ascii=False) for v in vectors)
    return json.dumps(head, indent=1)[:-2] + f',\n "cases": [\n{lines}\n]}}\n'

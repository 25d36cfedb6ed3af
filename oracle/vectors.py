"""Cases, truths and bounds as files, for implementations that no Python can call; and the verdict on their results.

For each op ``<op>.json`` says what its cases are, by the schema in ``vectors.schema.json``, and
``<op>.safetensors`` holds their arrays. Tensor names are ``<number of the case>/<path>``. A loss has arguments and
the gradient from above; an optimizer its parameter groups and the gradients of every step, whose outputs are
stacked over the steps; an initializer arguments and seeds. Of each output the truth has these parts, all but the
first two only where they say something:

* ``hi``: the exact value rounded to a double, or the class (NaN, an infinity, a signed zero) where none is enclosed;
* ``bound``: how far from ``hi + lo`` a sound evaluation may end;
* ``lo``: the rest of the exact value, to 106 bits;
* ``precise``: the bound that there were if the type had no limits, where it is another;
* ``scale``: the largest magnitude, by which a bound is found too wide (one for each step of a trajectory);
* ``special``: where there is no enclosure, and classes and the signs of zeros are compared;
* ``equal`` stands in the place of all of them where an output has to be equal.

Results are tensors called ``<id of the case>:<output>`` in any number of safetensors files.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from reference.optim import SparseGrad
from reference.spec import LossSpec, Objective, Spec, Trajectory

from . import run
from .ball import FORMATS
from .cases import Case, cases
from .compare import compare
from .faults import JudgeFault, judging, not_judged
from .records import Record, summarized, versions
from .truth import VACUOUS, Truth, counted

__all__ = ["FLAGS", "FORMAT", "SCHEMA", "VectorsError", "export", "selection", "verify"]

Array = np.ndarray[Any, Any]

FORMAT = "torch-oracle vectors 1"
SCHEMA = "vectors.schema.json"

#: Cases with inputs of more numbers are long ones: of what only they cover, one storage type is enough.
LONG = 512
#: Those of more numbers still, trajectories of thousands of steps, are exported only when everything is.
LONGEST = 8192

#: What is said of cases beside their truths.
FLAGS = {
    "gradient": "has gradients with respect to arguments among the outputs",
    "kink": "sits where the gradient is a convention and no derivative",
    "range": "an evaluation in the type can overflow or underflow on the way to a value that it can represent",
    "sparse": "has gradients that hold some elements only",
    "special": "some exact values are not finite or have no enclosure: their class is compared, and signs of zeros",
    "steps": "has outputs that are stacked over the steps of a trajectory",
    "undecided": "an evaluation in the type may end anywhere for some elements: they are not judged",
    "vacuous": "some bounds are wider than a tenth of the array's largest magnitude: they say nothing",
}

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16",
           "I8": "int8", "U8": "uint8", "BOOL": "bool"}


class VectorsError(Exception):
    """A folder or file that cannot be used; the message is one line."""


# --- which cases ---------------------------------------------------------------------------------

def selection(spec: Spec, *, everything: bool = False) -> list[Case]:
    """The cases of an op that are exported: in each type every axis value stands in one of them.

    Values that only long cases have are met in one type, and those that only the longest have in none.
    """
    if everything:
        return [case for dtype in spec.dtypes for case in cases(spec, dtype)]
    chosen = []
    anywhere: set[tuple[str, Any]] = set()
    for dtype in spec.dtypes:
        here: set[tuple[str, Any]] = set()
        sized = [(_size(case), case) for case in cases(spec, dtype)]
        for size, case in sorted(sized, key=lambda pair: pair[0] > LONG):
            values = set(case.options.items())
            if size <= LONGEST and not values <= (here | anywhere if size > LONG else here):
                chosen.append(case)
                here |= values
        anywhere |= here
    return chosen


def _size(case: Case) -> int:
    """How many numbers its inputs have."""
    return sum(array.size for array in _arrays(case.inputs))


def _arrays(value: Any) -> Iterator[Array]:
    """All arrays in a case's inputs."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, SparseGrad):
        yield from (value.indices, value.values)
    elif isinstance(value, Mapping | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _arrays(one)
    elif isinstance(value, Trajectory):
        yield from _arrays((tuple(g.params for g in value.groups), value.gradients))


# --- out -----------------------------------------------------------------------------------------

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
                "objective": t.objective and self.objective(t.objective)}

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
    truths = run.truth_of(case)
    inputs = (writer.trajectory(case.inputs) if isinstance(case.inputs, Trajectory)
              else {"arguments": writer.value("", case.inputs)})
    if isinstance(case.spec, LossSpec):
        inputs["grad_output"] = writer.value("grad_output", case.grad_output)
    vector = {"id": case.id, "dtype": case.dtype, "reason": _reason(case), "flags": _flags(case, truths),
              **inputs, "outputs": {name: writer.truth(f"truth.{name}", t) for name, t in truths.items()}}
    return vector, writer.tensors


def _reason(case: Case) -> str:
    """What a case is there for: the axes that are not at their defaults."""
    about = {axis.name: axis.about for axis in case.spec.axes}
    changed = [f"{k}={v}" + (f" ({about[k]})" if about[k] else "") for k, v in case.options.items()
               if v != case.spec.defaults[k]]
    return "; ".join(changed) or "every axis at its default"


def _flags(case: Case, truths: Mapping[str, Truth]) -> list[str]:
    judged = [t for t in truths.values() if not t.discrete]
    holds = {
        "gradient": any(name.startswith("grad.") for name in truths),
        "kink": isinstance(case.spec, LossSpec) and case.spec.kinks(case.options),
        "range": any(np.any(t.vacuous & ~(t.precise == t.bound) & ~t.special) for t in judged),
        "sparse": isinstance(case.inputs, Trajectory) and any(
            isinstance(g, SparseGrad) for step in case.inputs.gradients for g in step),
        "special": any(np.any(t.special) for t in judged),
        "steps": case.spec.stacked,
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

    schema = resources.files("oracle") / SCHEMA
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


# --- in ------------------------------------------------------------------------------------------

def _load(path: Path) -> dict[str, Array]:
    """The tensors of a file."""
    from safetensors import SafetensorError, deserialize

    try:
        return {name: np.frombuffer(bytes(info["data"]), _numpy(info["dtype"])).reshape(info["shape"])
                for name, info in deserialize(path.read_bytes())}  # type: ignore[no-untyped-call]  # safetensors
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror}") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise VectorsError(f"{path} is no file of tensors that can be read: {str(error).splitlines()[0]}") from None


def _numpy(dtype: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if dtype == "BF16" else np.dtype(_DTYPES[dtype])


def _truths(outputs: Mapping[str, Any], tensors: Mapping[str, Array]) -> dict[str, Truth]:
    """What :meth:`_Writer.truth` wrote."""
    truths = {}
    for name, o in outputs.items():
        if "equal" in o:
            truths[name] = counted(tensors[o["equal"]], decided=o.get("decided", True))
            continue
        hi, bound = tensors[o["hi"]], tensors[o["bound"]]
        lo, special = (tensors[o[part]] if part in o else np.zeros(hi.shape, dtype)
                       for part, dtype in (("lo", float), ("special", bool)))
        truths[name] = Truth(hi, lo, bound, tensors[o["precise"]] if "precise" in o else bound,
                             np.broadcast_to(tensors[o["scale"]], hi.shape), special, o["dtype"])
        if o["dtype"] not in FORMATS or any(part.shape != hi.shape for part in (bound, lo, special)):
            raise ValueError
    return truths


def _vectors(folder: Path) -> Iterator[tuple[str, str, str, dict[str, Truth]]]:
    """Id, op, storage type and truths of each case in a folder."""
    paths = sorted(path for path in folder.glob("*.json") if path.name != SCHEMA)
    if not paths:
        raise VectorsError(f"{folder} has no vectors")
    for path in paths:
        try:
            document = json.loads(path.read_bytes())
            if document["format"] != FORMAT:
                raise KeyError
            tensors = _load(folder / Path(document["tensors"]).name)
            for case in document["cases"]:
                yield case["id"], document["op"], case["dtype"], _truths(case["outputs"], tensors)
        except OSError as error:
            raise VectorsError(f"cannot read {path}: {error.strerror}") from None
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise VectorsError(f"{path} has no vectors of this version ({FORMAT!r}), or damaged ones") from None


def verify(folder: Path, results: Path) -> tuple[list[Record], list[str]]:
    """Records of what an implementation gave, and the names of results that are not there.

    Raises:
        VectorsError: folder or results cannot be read, or a result is of no case or no output.
    """
    paths = sorted(results.glob("*.safetensors")) if results.is_dir() else [results]
    given: dict[str, Array] = {}
    for path in paths:
        loaded = _load(path)
        if twice := given.keys() & loaded.keys():
            raise VectorsError(f"{path} has {min(twice)} once more")
        given |= loaded
    records, missing = [], []
    for case_id, op, dtype, truths in _vectors(folder):
        got = {name: given.pop(key) for name in truths if (key := f"{case_id}:{name}") in given}
        missing += [f"{case_id}:{name}" for name in truths if name not in got]
        if got:
            try:
                with judging(case_id):
                    findings = compare(got, {name: truth for name, truth in truths.items() if name in got})
                records.append(summarized(case_id, op, dtype, "user", findings))
            except JudgeFault as fault:
                records.append(not_judged(case_id, op, dtype, "user", fault))
    if given:
        raise VectorsError(f"{results}: no vector is called {min(given)}; needed are names such as "
                           f"{(missing or ['CASE:OUTPUT'])[0]}")
    if not records:
        raise VectorsError(f"{results} has no results")
    return records, missing

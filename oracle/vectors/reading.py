"""The verdict on somebody's results, from the files of vectors alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ..formats import FORMATS
from ..truth.proof import Truth, counted
from ..verdict.compare import compare
from ..verdict.faults import JudgeFault, judging, not_judged
from ..verdict.record import Record, summarized
from .layout import DTYPES, FORMAT, SCHEMA, VectorsError

__all__ = ["verify"]

Array = np.ndarray[Any, Any]


def _load_tensors(path: Path) -> dict[str, Array]:
    """The tensors of a file."""
    from safetensors import SafetensorError, deserialize

    try:
        return {name: np.frombuffer(bytes(info["data"]), _numpy_dtype(info["dtype"])).reshape(info["shape"])
                for name, info in deserialize(path.read_bytes())}  # type: ignore[no-untyped-call]  # safetensors
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror}") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise VectorsError(f"{path} is no file of tensors that can be read: {str(error).splitlines()[0]}") from None


def _numpy_dtype(dtype: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if dtype == "BF16" else np.dtype(DTYPES[dtype])


def _read_truths(outputs: Mapping[str, Any], tensors: Mapping[str, Array]) -> dict[str, Truth]:
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


def _read_vectors(folder: Path) -> Iterator[tuple[str, str, str, dict[str, Truth]]]:
    """Id, op, storage type and truths of each case in a folder."""
    paths = sorted(path for path in folder.glob("*.json") if path.name != SCHEMA)
    if not paths:
        raise VectorsError(f"{folder} has no vectors")
    for path in paths:
        try:
            document = json.loads(path.read_bytes())
            if document["format"] != FORMAT:
                raise KeyError
            tensors = _load_tensors(folder / Path(document["tensors"]).name)
            for case in document["cases"]:
                yield case["id"], document["op"], case["dtype"], _read_truths(case["outputs"], tensors)
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
        loaded = _load_tensors(path)
        if twice := given.keys() & loaded.keys():
            raise VectorsError(f"{path} has {min(twice)} once more")
        given |= loaded
    records, missing = [], []
    for case_id, op, dtype, truths in _read_vectors(folder):
        got = {}
        for name in truths:
            key = f"{case_id}:{name}"
            if key in given:
                got[name] = given.pop(key)
            else:
                missing.append(key)
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

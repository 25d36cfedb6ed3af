"""Vectors: what is written is what was proven, is enough to run an op from, and judges results as an audit does."""

from __future__ import annotations

import contextlib
import json
import pickle
import struct
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import ml_dtypes
import numpy as np
import pytest
import safetensors
from safetensors.numpy import save_file

from oracle.auditing import judge
from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.selection import select
from oracle.cli.app import main
from oracle.targets.loading import Unsupported, load
from oracle.truth.around import is_unchanged
from oracle.truth.history import stack_steps
from oracle.vectors import layout, reading, selection, writing
from reference import init, losses, optim, random
from reference.optim import Parameter, SparseGrad

OPS = ("mse_loss", "SGD", "xavier_uniform_")
SCHEMA = json.loads((resources.files("oracle.vectors") / layout.SCHEMA).read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "new"
    writing.export(path, [registry.get(op) for op in OPS])
    return path


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors of a file, read as another language might."""
    types = {"BF16": ml_dtypes.bfloat16, "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "BOOL": "?"}
    return {name: np.frombuffer(info["data"], types[info["dtype"]]).reshape(info["shape"])
            for name, info in safetensors.deserialize(path.read_bytes())}


def _document(folder: Path, op: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{op}.json").read_text(encoding="utf-8"))
    return document


def test_documents_follow_the_published_schema(folder: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads((folder / layout.SCHEMA).read_text()) == SCHEMA
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for op in OPS:
        validator.validate(_document(folder, op))
    assert SCHEMA["$defs"]["case"]["properties"]["flags"]["items"]["enum"] == list(layout.FLAGS)
    assert SCHEMA["properties"]["format"]["const"] == layout.FORMAT


@pytest.mark.parametrize("change", [
    lambda d: d.update(colour="red"),
    lambda d: d["cases"][0].update(colour="red"),
    lambda d: d["cases"][0].pop("reason"),
    lambda d: d["cases"][0]["flags"].append("important"),
    lambda d: d["cases"][0]["outputs"]["output"].pop("bound"),
    lambda d: d["cases"][0]["arguments"].update(x={"float64": "0.1", "decimal": "0.1"}),
    lambda d: d["cases"][0].update(objective=None),
])
def test_the_schema_refuses_what_is_not_of_it(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = _document(folder, "mse_loss")
    change(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_the_same_bytes_are_written_each_time(folder: Path, tmp_path: Path) -> None:
    writing.export(tmp_path / "again", [registry.get(op) for op in OPS])
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted([layout.SCHEMA, *(f"{op}.{kind}" for op in OPS for kind in ("json", "safetensors"))])
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize("op", OPS)
def test_every_axis_value_is_in_every_type_but_for_long_cases(op: str) -> None:
    spec = registry.get(op)
    chosen, shipped = ([case for case in selection.selection(spec, everything=everything) if not case.around]
                       for everything in (False, True))
    assert len(chosen) < len(shipped) / 3
    for dtype in spec.dtypes:
        there = {item for c in shipped if c.dtype == dtype and selection._size(c) <= selection.LONG
                 for item in c.options.items()}
        assert there <= {item for c in chosen if c.dtype == dtype for item in c.options.items()}
    anywhere = {item for c in shipped if selection._size(c) <= selection.LONGEST for item in c.options.items()}
    assert anywhere == {item for c in chosen for item in c.options.items()}
    long = [c for c in chosen if selection._size(c) > selection.LONG]
    assert len(long) <= len({item for c in long for item in c.options.items()}), "each is there for a value"
    assert not long or op == "SGD"


def test_surroundings_are_there_each_once_and_small_enough_for_a_file() -> None:
    shipped = {case.id for case in select(["SGD", "mse_loss"], ["float32"]) if case.around}
    for op in ("SGD", "mse_loss"):
        chosen = [case for case in selection.selection(registry.get(op)) if case.around]
        assert {case.id for case in chosen} <= shipped
        assert {"16", "33", "1025"} <= {case.around.size for case in chosen}
        assert all(selection._size(case) <= selection.LONGEST for case in chosen)
    events = {case.around.event for case in selection.selection(registry.get("SGD")) if case.around.event}
    assert {"option:lr", "joins", "load", "reused"} <= events


def _results(path: Path, target: str = "reference", change: Callable[[str, Any], Any] = lambda name, a: a) -> Path:
    """The results of a target on the exported cases."""
    (implementation,) = load([target])
    outputs = {}
    for case in (case for op in OPS for case in selection.selection(registry.get(op))):
        with contextlib.suppress(Unsupported):
            for name, array in implementation.run(case).items():
                if is_unchanged(name):
                    continue
                outputs[f"{case.id}:{name}"] = change(f"{case.id}:{name}", np.array(array, order="C"))
    save_file(outputs, path)
    return path


@pytest.mark.filterwarnings("ignore")
def test_results_are_judged_as_an_audit_judges_them(folder: Path, tmp_path: Path) -> None:
    records, missing = reading.verify(folder, _results(tmp_path / "eager.safetensors", "torch:eager"))
    assert all("sparsity=" in name or "memory=reversed" in name for name in missing), "what torch does not have"
    assert {r.op for r in records} == set(OPS)
    (eager,) = load(["torch:eager"])
    for record in records:
        audited = judge.run_case(parse(record.case), eager)
        seen = {name: found for name, found in audited.outputs.items() if not is_unchanged(name)}
        assert record.outputs == seen
        if seen == audited.outputs:
            assert (record.verdict, record.index, record.got, record.truth, record.bound) == (
                audited.verdict, audited.index, audited.got, audited.truth, audited.bound)


# --- an implementation that has the files and nothing else ---------------------------------------

class _Reader:
    """Arguments from JSON and tensors."""

    def __init__(self, folder: Path, op: str) -> None:
        self.document = _document(folder, op)
        self.tensors = _tensors(folder / self.document["tensors"])

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(self.value, value))
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            return self.tensors[value["tensor"]]
        if "float64" in value:
            (number,) = struct.unpack(">d", bytes.fromhex(value["float64"]))
            assert repr(number) == value["decimal"]
            return number
        if "indices" in value:
            return SparseGrad(self.tensors[value["indices"]], self.tensors[value["values"]], tuple(value["shape"]))
        return {k: self.value(v) for k, v in value.items()}


def _loss(case: dict[str, Any], read: _Reader) -> dict[str, Any]:
    arguments = read.value(case["arguments"])
    gradients = losses.mse_loss_backward(read.value(case["grad_output"]), **arguments)
    named = zip(("grad.input", "grad.target", "grad.weight"), gradients, strict=True)
    return {"output": losses.mse_loss(**arguments), **{k: g for k, g in named if g is not None}}


def _optimizer(case: dict[str, Any], read: _Reader) -> dict[str, Any]:
    groups = [{"params": [Parameter(p.copy()) for p in read.value(g["params"])], **read.value(g["options"])}
              for g in case["groups"]]
    params: list[Parameter] = [p for g in groups for p in g["params"]]
    late = groups[-1:] if case["joins"] else []
    optimizer = optim.SGD(groups[:len(groups) - len(late)], **read.value(case["defaults"]))
    history = []
    for step, gradients in enumerate(zip(*map(read.value, case["gradients"]), strict=True)):
        for group in late if step == case["joins"] else []:
            optimizer.add_param_group(group)
        for setting in case["settings"]:
            for group in optimizer.param_groups if setting["step"] == step else []:
                group.update(read.value(setting["options"]))
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        optimizer.step()
        now = {f"param[{i}]": p.data.copy() for i, p in enumerate(params)}
        for i, p in enumerate(params):
            buffer = optimizer.state.get(p, {}).get("momentum_buffer")
            if buffer is not None:
                now[f"momentum_buffer[{i}]"] = buffer.to_dense() if isinstance(buffer, SparseGrad) else buffer.copy()
        history.append(now)
    return dict(stack_steps(history))


def _initializer(case: dict[str, Any], read: _Reader) -> dict[str, Any]:
    arguments = read.value(case["arguments"])
    seed, shape = arguments.pop("seed", 0), arguments.pop("shape")
    given, default = random.Generator().manual_seed(seed), random.Generator().manual_seed(seed + 1)
    generator = given if arguments.pop("generator", "given") == "given" else default
    dtype = ml_dtypes.bfloat16 if case["dtype"] == "bfloat16" else case["dtype"]
    transposed = arguments.pop("layout", "contiguous") == "transposed"
    empties = [np.zeros(shape[::-1], dtype).T if transposed else np.zeros(shape, dtype) for _ in range(2)]
    first, second = (init.xavier_uniform_(empty, **arguments, generator=generator) for empty in empties)
    return {"tensor": first, "again": second}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "implementation"), [*zip(OPS, (_loss, _optimizer, _initializer), strict=True)])
def test_the_files_alone_are_enough_to_run_an_op_from(
        folder: Path, tmp_path: Path, op: str, implementation: Callable[[dict[str, Any], _Reader], dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    read = _Reader(folder, op)
    with np.errstate(all="ignore"):
        results = {f"{case['id']}:{name}": np.array(array, order="C") for case in read.document["cases"]
                   for name, array in implementation(case, read).items()}
    save_file(results, tmp_path / "mine.safetensors")
    assert _oracle(monkeypatch, "verify", folder, tmp_path, "--partial") == 0
    out = capsys.readouterr().out
    assert f"on {len(read.document['cases'])} cases" in out
    assert "0 exceeds" in out
    assert "no results for" in out, "of the other ops"
    assert f" of {op}," not in out
    assert _oracle(monkeypatch, "verify", folder, tmp_path) == 1, "not of all"


def _oracle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", "vectors", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _a_block_is_skipped(array: Any) -> Any:
    wrong = np.array(array)
    wrong[..., 8:16] = 0
    return wrong


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "wrong"), [
    ("SGD", lambda case, read: _optimizer({**case, "settings": []}, read)),
    ("SGD", lambda case, read: _optimizer({**case, "joins": case["joins"] and 99}, read)),
    ("SGD", lambda case, read: {k: _a_block_is_skipped(v) if v.shape[-1:] >= (16,) else v
                                for k, v in _optimizer(case, read).items()}),
    ("mse_loss", lambda case, read: {k: _a_block_is_skipped(v) if v.shape[-1:] >= (16,) else v
                                     for k, v in _loss(case, read).items()})])
def test_what_ignores_surroundings_fails(folder: Path, tmp_path: Path, op: str, wrong: Any) -> None:
    read = _Reader(folder, op)
    with np.errstate(all="ignore"):
        results = {f"{case['id']}:{name}": np.array(array, order="C") for case in read.document["cases"]
                   for name, array in wrong(case, read).items()}
    save_file(results, tmp_path / "mine.safetensors")
    failing = [record.case for record in reading.verify(folder, tmp_path)[0] if record.fails]
    assert failing, "it shows"
    assert all("@" in case_id for case_id in failing), "and in surroundings alone"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mse_loss/bfloat16/default:grad.input", "SGD/float64/default:param[1]"])
def test_a_mistake_in_one_result_is_found(
        folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(key: str, array: Any) -> Any:
        return array * array.dtype.type(1.03125) if key == name else array

    assert _oracle(monkeypatch, "verify", folder, _results(tmp_path / "r.safetensors", change=wrong)) == 1
    out = capsys.readouterr().out
    assert f"EXCEEDS user on {name.partition(':')[0]}" in out
    assert "1 exceeds" in out


@pytest.mark.filterwarnings("ignore")
def test_bad_use_is_one_line_and_status_2(
        folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def message(*arguments: object) -> str:
        assert _oracle(monkeypatch, *arguments) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "is not empty" in message("export", folder, "ones_")
    assert "unknown op 'adm'" in message("export", tmp_path / "x", "adm")
    assert "cannot write to /dev/null/x" in message("export", "/dev/null/x", "ones_")
    good = tmp_path / "good.safetensors"
    save_file({"mse_loss/float32/default:output": np.zeros((), np.float32)}, good)
    assert "cannot read" in message("verify", folder, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "has no results" in message("verify", folder, tmp_path / "empty")
    assert "has no vectors" in message("verify", tmp_path / "empty", good)
    evil = tmp_path / "evil.safetensors"
    evil.write_bytes(pickle.dumps(np.zeros(3)))
    assert "is no file of tensors that can be read" in message("verify", folder, evil)
    save_file({"mse_loss/float32/defualt:output": np.zeros(3)}, evil)
    assert "no vector is called mse_loss/float32/defualt:output; needed are names such as " in message(
        "verify", folder, evil)
    (tmp_path / "twice").mkdir()
    for name in "ab":
        (tmp_path / "twice" / f"{name}.safetensors").write_bytes(good.read_bytes())
    assert "has mse_loss/float32/default:output once more" in message("verify", folder, tmp_path / "twice")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for text in ("{", "[]", json.dumps({"format": "another"}), json.dumps(_document(folder, "SGD") | {"cases": [1]})):
        (damaged / "SGD.json").write_text(text)
        (damaged / "SGD.safetensors").write_bytes((folder / "SGD.safetensors").read_bytes())
        assert "has no vectors of this version" in message("verify", damaged, good)
    document = _document(folder, "SGD")
    for changes in ({"dtype": "float8"}, {"bound": document["cases"][0]["outputs"]["param[0]"]["scale"]}):
        case = document["cases"][0]
        outputs = case["outputs"] | {"param[0]": case["outputs"]["param[0]"] | changes}
        (damaged / "SGD.json").write_text(json.dumps(document | {"cases": [case | {"outputs": outputs}]}))
        assert "has no vectors of this version" in message("verify", damaged, good)


def test_without_safetensors_the_reason_is_one_line(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "r.safetensors").write_bytes(b"")
    for arguments in (["export", tmp_path / "x", "ones_"], ["verify", tmp_path, tmp_path]):
        assert _oracle(monkeypatch, *arguments) == 2
        assert capsys.readouterr().err == \
            "oracle: safetensors is not installed; pip install 'torch-oracle[vectors]'\n"

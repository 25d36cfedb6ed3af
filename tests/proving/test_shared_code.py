"""Mutants of the modules that ops share: what ops reach is changed, in all at once, and is as it was afterwards."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError
from oracle.cases.selection import select
from oracle.cli.app import main
from oracle.proving import callers, mutation, planting, shared_code, survivors
from oracle.proving.mutation import Mutant
from oracle.proving.shared_code import called, planted, shared_mutants
from oracle.proving.survivors import prove
from oracle.proving.variants import Variant
from oracle.truth.evaluate import FLOATS, evaluate
from reference import _normal, _storage, _uniform, blocks, random
from reference.losses import soft_margin_loss
from reference.optim import SGD, Parameter
from reference.optim import _blocks as optim_blocks
from reference.optim import _sparse as optim_sparse


def _mutant(module: str, function: str, kind: str) -> Mutant:
    return next(m for m in shared_mutants(module) if (m.function, m.kind) == (function, kind))


def _handmade(module: str, function: str, old: str, new: str) -> Mutant:
    path = Path(str(sys.modules[f"reference.{module}"].__file__))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    line = text[:text.index(old)].count("\n") + 1
    return Mutant("made by hand", module, path.name, line, function, "by hand", old, new, text.replace(old, new))


def _codes() -> dict[str, Any]:
    return {f"{name}.{function.__qualname__}": function.__code__ for name, module in sys.modules.items()
            if name.startswith("reference.") for function in shared_code.functions_of(module)}


# --- which there are -----------------------------------------------------------------------------

def test_mutants_are_the_same_each_time_and_are_named_after_their_module() -> None:
    for name in ("numerics", "losses._pairs", "optim._sparse"):
        first, second = (shared_mutants.__wrapped__(name) for _ in range(2))
        assert first == second
        assert len({m.id for m in first}) == len(first) >= 30
        assert all(m.id.startswith(f"{name}:{m.file}:{m.line}:{m.kind}") for m in first)


def test_modules_of_ops_are_not_among_them_and_ids_are_of_one_module() -> None:
    own = {mutation.module_of(spec).__name__ for spec in registry.specs().values()}
    assert not own & {f"reference.{name}" for name in shared_code.names()}
    assert {"numerics", "reduction", "random", "losses._distance", "optim._blocks"} <= set(shared_code.names())
    ids = [m.id for name in shared_code.names() for m in shared_mutants(name)]
    assert len(set(ids)) == len(ids) > 2000


@pytest.mark.parametrize(("module", "there", "not_there"), [
    ("random", {"Generator.uniform_", "Generator.randperm", "check_generator"},
     {"Generator.bernoulli_", "Generator.exponential_", "Generator.random_", "manual_seed"}),
    ("_uniform", {"unit_numbers", "_stretch", "FROM_WORDS"}, set()),
    ("_engine", {"Engine.random_words", "Engine._adopt", "_FEW"},
     {"Engine.set_state", "Engine.get_state", "Engine.initial_seed"}),
    ("losses._distance", {"PairwiseDistance.backward", "triplet_losses"}, {"check_triplet"}),
    ("optim._optimizer", {"Optimizer.step", "Optimizer.add_param_group"},
     {"Optimizer.load_state_dict", "Optimizer.state_dict", "Optimizer.__repr__", "check_nonnegative"}),
])
def test_what_ops_reach_is_changed_and_nothing_else(module: str, there: set[str], not_there: set[str]) -> None:
    functions = {m.function for m in shared_mutants(module)}
    assert there <= functions
    assert not not_there & functions


def test_ops_of_a_module_are_those_that_reach_it() -> None:
    assert shared_code.ops_of("losses._logits") == ["binary_cross_entropy_with_logits", "multilabel_soft_margin_loss"]
    assert "SparseAdam" in shared_code.ops_of("optim._sparse")
    assert "mse_loss" not in shared_code.ops_of("optim._sparse")


# --- planting ------------------------------------------------------------------------------------

@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    modules, codes, state = dict(sys.modules), _codes(), random.default_generator.get_state()
    yield
    assert {name for name in sys.modules if name not in modules and name.startswith("reference")} == set()
    assert all(sys.modules[name] is module for name, module in modules.items() if name.startswith("reference"))
    assert _codes() == codes
    assert np.array_equal(random.default_generator.get_state(), state)


def test_a_function_is_changed_in_every_op_and_back() -> None:
    x, y = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    before = soft_margin_loss(x, y)
    with planted(_mutant("numerics", "softplus", "Add->Sub")):  # which is decorated
        assert soft_margin_loss(x, y) != before
        assert registry.get("soft_margin_loss").function(x, y) != before  # type: ignore[attr-defined]
    assert soft_margin_loss(x, y) == before


def test_a_method_is_changed_in_the_class_that_there_is() -> None:
    p = Parameter(np.ones(2))
    p.grad = np.ones(2)
    with planted(_handmade("optim._optimizer", "Optimizer.step", "self._update(p, p.grad, options)", "pass")):
        SGD([p], lr=1.0).step()
        assert p.data.tolist() == [1, 1]
    SGD([p], lr=1.0).step()
    assert p.data.tolist() == [0, 0]


def test_a_property_is_changed() -> None:
    p, q = Parameter(np.ones(2)), Parameter(np.ones(2))
    with planted(_handmade("optim._optimizer", "Parameter.grad", "self._grad = grad", "self._grad = -grad")):
        p.grad = np.ones(2)
    q.grad = np.ones(2)
    assert (p.grad.tolist(), q.grad.tolist()) == ([-1, -1], [1, 1])


def test_a_constant_is_bound_anew_where_it_is_imported_with_what_follows_from_it() -> None:
    before = optim_blocks.BLOCK, optim_blocks.SMALL, optim_sparse.BLOCK, blocks.BLOCK
    with planted(_handmade("optim._blocks", "BLOCK", "BLOCK = 1 << 15", "BLOCK = 1 << 10")):
        assert (optim_blocks.BLOCK, optim_blocks.SMALL, optim_sparse.BLOCK) == (1024, 128, 1024)
        assert before[3] == blocks.BLOCK  # another module's, of the same name
    assert before == (optim_blocks.BLOCK, optim_blocks.SMALL, optim_sparse.BLOCK, blocks.BLOCK)


def test_all_is_as_it_was_after_an_error() -> None:
    single = _storage.SINGLE

    def fail() -> None:
        assert _uniform.SINGLE == _storage.SINGLE != single
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), planted(_mutant("_storage", "SINGLE", "BitOr->left")):
        fail()
    assert _uniform.SINGLE is _storage.SINGLE is single


def test_one_of_several_constants_of_a_statement_is_changed() -> None:
    mutant = _mutant("_box_muller", "_ONE", "0.5->0.5005")
    with planted(mutant):
        assert shared_code.feel(mutant) >= {("reference._box_muller", "box_muller"), ("reference._box_muller", "log")}
        assert _normal.box_muller.__globals__["_HALF"] == np.float32(0.5005)
    assert _normal.box_muller.__globals__["_HALF"] == 0.5


def test_each_mutant_can_be_planted_or_says_why_not() -> None:
    for name in ("numerics", "optim._optimizer", "losses._pairs"):
        for mutant in shared_mutants(name):
            with planted(mutant):
                assert shared_code.feel(mutant)
    with pytest.raises(TypeError), planted(_mutant("_box_muller", "_NEXT", "array(0<->1)")):
        pass


def test_constants_are_not_written_to() -> None:
    constant = _normal.box_muller.__globals__["_LOG"][0]
    with shared_code.constants_kept(), pytest.raises(ValueError, match="read-only"):
        constant += 1
    assert constant.flags.writeable


# --- what a case calls ---------------------------------------------------------------------------

def test_a_case_calls_what_it_runs() -> None:
    case = parse("soft_margin_loss/float32/default")
    before = sys.gettrace()
    places = called(lambda: evaluate(case, FLOATS))
    assert sys.gettrace() is before
    assert {("reference.numerics", "softplus"), ("reference.reduction", "reduce_blocks"),
            ("reference.losses.soft_margin", "soft_margin_loss")} <= places
    assert ("reference.numerics", "xlogy") not in places
    assert not any(module.startswith("oracle") or "<" in function for module, function in places)


# --- what becomes of them ------------------------------------------------------------------------

def _of_one(monkeypatch: pytest.MonkeyPatch, mutant: Mutant, ops: tuple[str, ...] = ("soft_margin_loss",),
            ) -> Variant:
    monkeypatch.setattr(shared_code, "shared_mutants", lambda name: (mutant,))
    monkeypatch.setattr(shared_code, "ops_of", lambda name: ops)
    (variant,) = prove([], (), modules=[mutant.op]).variants
    return variant


def test_a_mistake_in_a_shared_function_is_found_by_an_op(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = _of_one(monkeypatch, _mutant("numerics", "softplus", "Add->Sub"))
    assert variant.killed_by.startswith("soft_margin_loss/float32/")
    assert variant.verdict == "exceeds"
    assert soft_margin_loss(np.zeros(1), np.ones(1)) == np.log(2.0)


def test_what_is_the_same_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is killed by having been planted."""
    variant = _of_one(monkeypatch, _handmade("numerics", "softplus", "maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))",
                                             "np.log1p(np.exp(-np.abs(x))) + maximum(x, 0)"))
    assert variant.survives


def test_what_runs_in_proofs_alone_is_found_there(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = _of_one(monkeypatch, _handmade("losses._pairs", "sign", "np.where(d > 0, 1,", "np.where(d > 0, 2,"),
                      ops=("l1_loss",))
    assert variant.killed_by.startswith("l1_loss/float32/")
    assert (variant.verdict, variant.note) == ("exceeds", "(mutant in the proof)")


@pytest.mark.parametrize(("module", "function", "old", "new", "op"), [
    ("blocks", "blocks", "range(0, length, rows)", "range(0, length - rows, rows)", "mse_loss"),
    ("optim._blocks", "_run_in_blocks", "range(0, update.size, BLOCK)", "range(0, BLOCK, BLOCK)", "SGD"),
])
def test_a_block_that_is_left_out_shows_in_large_arrays_alone(
        monkeypatch: pytest.MonkeyPatch, module: str, function: str, old: str, new: str, op: str) -> None:
    variant = _of_one(monkeypatch, _handmade(module, function, old, new), ops=(op,))
    assert math.prod(parse(variant.killed_by).around.shape) > 2**15
    assert variant.verdict == "exceeds"


def test_mutants_meet_each_kind_of_surroundings() -> None:
    shipped = [case for case in select(["SGD"], ["float32"]) if case.around]
    chosen = callers._some_of_each_kind(shipped)
    for name in ("size", "tensors", "beside", "memory", "event"):
        values = {case.around.parts.get(name, "").partition(":")[0] for case in shipped}
        met = {case.around.parts.get(name, "").partition(":")[0] for case in chosen}
        assert len(values) > 3 if name != "beside" else len(values) == 3
        assert met == values if name in ("memory", "event", "beside") else met <= values
    assert {"65537", "129x257", "16385x2"} <= {case.around.size for case in chosen}
    assert len(chosen) < len(shipped) / 2


@pytest.mark.parametrize(("function", "old", "new", "note"), [
    ("softplus", "maximum(x, 0) + np.log1p(", "[x for _ in iter(int, 1)] + np.log1p(", "no answer within 0.2"),
    ("_WORDS", "_WORDS = {2: np.int16,", "_WORDS = {2: np.int1,", "int1"),
])
def test_what_never_ends_and_what_does_not_load_is_killed(
        monkeypatch: pytest.MonkeyPatch, function: str, old: str, new: str, note: str) -> None:
    monkeypatch.setattr(planting, "TIMEOUT", 0.2)
    variant = _of_one(monkeypatch, _handmade("numerics", function, old, new))
    assert (variant.verdict, note in variant.note) == ("crashed", True)


def test_ops_and_modules_are_told_by_name() -> None:
    def chosen(*names: str) -> tuple[list[str], list[str]]:
        specs, modules = survivors.chosen(names)
        return [spec.name for spec in specs], modules

    assert chosen("Adam", "numerics") == (["Adam"], ["numerics"])
    assert chosen("losses")[1] == []
    assert chosen("shared") == ([], shared_code.names())
    assert chosen() == (list(registry.specs()), [])
    with pytest.raises(BadCaseError, match=r"unknown op 'numeric'.*numerics, optim\._blocks"):
        chosen("numeric")


def test_processes_find_what_one_does() -> None:
    alone, together = ([dataclasses.replace(v, seconds=0) for v in
                        prove([], (), modules=["losses._logits"], most=3, jobs=jobs).variants] for jobs in (1, 2))
    assert alone == together
    assert len(alone) == survivors.count([], 3, ["losses._logits"]) == 3


def test_prove_takes_modules(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                             tmp_path: Path) -> None:
    monkeypatch.setattr("sys.argv", ["oracle", "prove", "losses._logits", "--max", "4", "-j", "1", "--out",
                                     str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert "mutants of shared modules: 4 of 4, 100.00 % killed" in capsys.readouterr().out
    _, *lines = map(json.loads, (tmp_path / "variants.jsonl").read_text(encoding="utf-8").splitlines())
    assert {line["op"] for line in lines} == {"losses._logits"}

"""The proof of the checker: mutants are one change each, what is wrong is killed, and what survives is said."""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.registry import chosen_specs
from oracle.cli.app import main
from oracle.proving import bench, equivalents, mutation, planting, shared_code, survivors
from oracle.proving.bench import ProvingError
from oracle.proving.equivalents import Equivalent, EquivalentError
from oracle.proving.mutation import Mutant, mutants, planted_in
from oracle.proving.survivors import of_op, prove
from oracle.truth import kept_truths
from reference import numerics
from reference.losses import soft_margin

OPS = ("soft_margin_loss", "mse_loss", "Adam", "trunc_normal_")
SOFT = registry.get("soft_margin_loss")
#: What stands for a mutant that no case can kill: a product the other way round.
TURNED = Equivalent("a test", op="soft_*", function="soft_margin_loss", before="softplus(-y * x)",
                    after="softplus(x * -y)")


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside its own mutants the op has one that survives, in this process."""
    extra = dataclasses.replace(_handmade(TURNED.before, TURNED.after), function=TURNED.function)
    monkeypatch.setattr(survivors, "mutants", lambda spec: (*mutants(spec), *[extra] * (spec is SOFT)))


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _lines(source: str) -> list[str]:
    return [line.strip() for line in ast.unparse(ast.parse(source)).splitlines()]


def _handmade(old: str, new: str) -> Mutant:
    text = Path(soft_margin.__file__).read_text(encoding="utf-8")
    assert old in text
    return Mutant("made by hand", "soft_margin_loss", "soft_margin.py", 1, "", "by hand", old, new,
                  text.replace(old, new))


# --- mutants -------------------------------------------------------------------------------------

@pytest.mark.parametrize("op", OPS)
def test_mutants_are_the_same_each_time_and_have_names_of_their_own(op: str) -> None:
    spec = registry.get(op)
    first, second = (mutants.__wrapped__(spec) for _ in range(2))
    assert first == second
    assert len({m.id for m in first}) == len(first) >= 25
    assert all(m.id.startswith(f"{op}:{m.file}:{m.line}:{m.kind}") for m in first)


@pytest.mark.parametrize("op", OPS)
def test_a_mutant_is_one_change_and_says_which(op: str) -> None:
    spec = registry.get(op)
    text = Path(str(sys.modules[spec.implementation.__module__].__file__)).read_text(encoding="utf-8")
    original = _lines(text)
    for mutant in mutants(spec):
        changed = _lines(mutant.source)
        differing = [(a, b) for a, b in zip(original, changed, strict=True) if a != b]
        assert [(a.removeprefix("el"), b.removeprefix("el")) for a, b in differing] == [(mutant.before, mutant.after)]
        assert text.splitlines()[:mutant.line - 1] == mutant.source.splitlines()[:mutant.line - 1]
        assert text.splitlines()[mutant.line - 1] != mutant.source.splitlines()[mutant.line - 1]


@pytest.mark.parametrize("op", OPS)
def test_only_formulas_are_changed(op: str) -> None:
    made = mutants(registry.get(op))
    assert not {m.function for m in made} & {"_draw", "_sized", "_allowed", "SPEC", "_refuse", "__all__"}
    for mutant in made:
        assert "raise" not in mutant.before
        assert "warn" not in mutant.before
        assert "check" not in mutant.before


def test_every_kind_of_change_is_made() -> None:
    ops = (*OPS, "multi_margin_loss", "LBFGS", "ctc_loss", "cross_entropy", "Adafactor")
    kinds = {m.kind for op in ops for m in mutants(registry.get(op))}
    assert kinds >= {"Add->Sub", "Mult->Div", "Pow->left", "Add->left", "Mult->right", "Lt->LtE", "Eq->NotEq", "1->2",
                     "1->0", "maximum->minimum", "any->all", "Not->", "if->not", "ifexp->not", "And->Or",
                     "True->False", "cast(0<->1)", "zeros->ones", "USub->", "0.5->0.5005", "moveaxis(0<->1)",
                     "sum->mean"}


def test_an_axis_is_left_out_and_what_is_symmetric_is_not_swapped() -> None:
    call, symmetric = (ast.parse(text, mode="eval").body for text in ("np.sum(x, y, axis=1)", "np.maximum(x, y)"))
    assert [(kind, ast.unparse(new)) for kind, new in mutation._replacements(call, {})] == [
        ("sum(0<->1)", "np.sum(y, x, axis=1)"), ("axis->", "np.sum(x, y)")]
    assert list(mutation._replacements(symmetric, {})) == []
    x, y = np.random.default_rng(0).standard_normal((2, 5, 300), np.float32)
    assert (numerics.vecdot(x, y) == numerics.vecdot(y, x)).all()


def test_a_counter_is_changed_as_it_is_said() -> None:
    (mutant,) = (m for m in mutants(registry.get("Adam")) if m.kind == "Add->Sub" and "step" in m.before)
    assert (mutant.before, mutant.after) == ("state['step'] += 1", "state['step'] -= 1")


def test_a_planted_module_is_gone_afterwards() -> None:
    before = set(sys.modules)
    with planted_in(mutants(SOFT)[0], SOFT) as spec:
        assert spec is not SOFT
        assert spec.name == SOFT.name
    assert set(sys.modules) == before
    assert registry.get("soft_margin_loss") is SOFT


# --- what becomes of them ------------------------------------------------------------------------

@pytest.mark.usefixtures("turned")
def test_a_known_mistake_is_killed_and_a_known_equivalent_survives() -> None:
    proof = prove([SOFT], ())
    by_change = {(v.function, v.after): v for v in proof.mutants}
    lost_sign = by_change["soft_margin_loss", "return reduce_blocks(lambda x, y: cast(softplus(y * x), input.dtype), "
                                              "[x, y], reduction)"]
    assert lost_sign.killed_by.startswith("soft_margin_loss/float32/")
    assert lost_sign.verdict == "exceeds"
    assert [(v.function, v.before, v.after) for v in proof.survivors] == [
        (TURNED.function, TURNED.before, TURNED.after)]
    assert not proof.holds
    killed = len(mutants(SOFT))
    assert f"mutants: {killed} of {killed + 1}, " in str(proof)
    assert f"before: {TURNED.before}\n  after:  {TURNED.after}" in str(proof)


@pytest.mark.usefixtures("turned")
def test_a_record_is_honoured_and_counted() -> None:
    explained, killed = prove([SOFT], [TURNED]), len(mutants(SOFT))
    assert explained.holds
    assert f"mutants: {killed} of {killed + 1}, " in str(explained)
    assert f"recorded with a reason: 1; of the others {killed} of {killed}" in str(explained)


@pytest.mark.parametrize(("change", "why"), [
    ({"after": "reduction = 'mean'"}, "there is no such mutant"),
    ({"before": "g = cast(grad_output, x.dtype)", "after": "g = cast(x.dtype, grad_output)", "function": "*"},
     "a case kills soft_margin_loss:"),
])
@pytest.mark.usefixtures("turned")
def test_a_stale_record_is_reported(change: dict[str, str], why: str) -> None:
    found = prove([SOFT], [TURNED, dataclasses.replace(TURNED, **change)])
    assert len(found.stale) == 1
    assert why in found.stale[0]
    assert not found.holds
    assert "STALE equivalent" in str(found)


@pytest.mark.usefixtures("turned")
def test_a_record_of_another_op_is_not_stale() -> None:
    """Nor is one that may be for an op that was not run."""
    others = [Equivalent("a test", id="Adam:adam.py:1:Gone"), Equivalent("a test", op="*_loss", before="a", after="b")]
    assert prove([SOFT], [*others, TURNED], most=0).stale == []


@pytest.mark.parametrize(("old", "new", "killed_by", "note"), [
    ("x, y = _prepare(input, target)", "\n    while True:\n        pass", "soft_margin_loss/", "no answer within 0.2"),
    ('module_class("SoftMarginLoss"', 'module_class(nonsense=1, "SoftMarginLoss"', "import", "SyntaxError"),
    ("SoftMarginLoss = module", "while True:\n    pass\nSoftMarginLoss = module", "import", "TimeIsUp"),
])
def test_what_never_ends_and_what_does_not_load_is_killed(
        monkeypatch: pytest.MonkeyPatch, old: str, new: str, killed_by: str, note: str) -> None:
    monkeypatch.setattr(planting, "TIMEOUT", 0.2)
    monkeypatch.setattr(survivors, "mutants", lambda spec: (_handmade(old, new),))
    *_, variant = of_op("soft_margin_loss", ())
    assert variant.killed_by.startswith(killed_by)
    assert (variant.verdict, note in variant.note) == ("crashed", True)


def test_a_module_that_is_as_it_was_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survivors, "mutants", lambda spec: (_handmade("-y * x", "x * -y"),))
    *_, variant = of_op("soft_margin_loss", ())
    assert variant.survives


def test_nothing_is_proven_where_the_reference_itself_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = kept_truths.truth_of(parse("soft_margin_loss/float32/regime=zero"))
    monkeypatch.setattr(bench.kept_truths, "truth_of", lambda case: wrong)
    with pytest.raises(ProvingError, match="the reference itself fails soft_margin_loss/float32/"):
        list(of_op("soft_margin_loss", ()))


def test_mutants_are_taken_from_all_over_the_source() -> None:
    found = prove([SOFT], (), most=4)
    lines = [v.line for v in found.mutants]
    assert len(lines) == 4
    assert lines == sorted(lines)
    assert len(found.variants) == survivors.count([SOFT], 4)
    assert {v.function for v in found.mutants} == {"soft_margin_loss", "soft_margin_loss_backward"}


@pytest.mark.usefixtures("shared_truths")  # a dialect is planted in a spec, and in no module
def test_every_dialect_is_killed() -> None:
    found = prove(chosen_specs(), (), most=0)
    assert found.mutants == []
    assert len(found.dialects) >= 40
    assert found.survivors == []


# --- records -------------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "message"), [
    ('op = "a"\nbefore = "b"\nafter = "c"', "'a' lacks reason"),
    ('id = "a:b"\nreason = " "', "'a:b' lacks reason"),
    ('op = "a"\nreason = "r"', "'a' lacks before, after"),
    ('id = "a:b"\nreason = "r"\nwhy = "r"', "'a:b' has unknown keys: why"),
    ('id = "a:b"\nreason = "r"\nbefore = "c"', "by its id and by its change"),
    ('id = "a:b"\nreason = "r"\n[[equivalent]]\nid = "a:b"\nreason = "r"', "two equivalents are 'a:b'"),
])
def test_a_bad_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "equivalents.toml"
    path.write_text(f"[[equivalent]]\n{text}\n")
    with pytest.raises(EquivalentError, match=message):
        equivalents.load(path)


def test_shipped_records_are_of_mutants_that_there_are() -> None:
    shipped = equivalents.load()
    specs = [spec for spec in chosen_specs() if any(record.is_for(spec.name) for record in shipped)]
    modules = [name for name in shared_code.names() if any(record.is_for(name) for record in shipped)]
    names = [*(spec.name for spec in specs), *modules]
    made = [mutant for spec in specs for mutant in mutants(spec)]
    made += [mutant for name in modules for mutant in shared_code.shared_mutants(name)]
    assert [record.name for record, _ in equivalents.stale(shipped, names, made, [])] == []
    assert all(any(map(record.is_for, names)) for record in shipped)


def test_one_reason_may_be_for_several_changes(tmp_path: Path) -> None:
    path = tmp_path / "equivalents.toml"
    path.write_text('[[equivalent]]\nop = "a"\nbefore = "b"\nafter = ["c", "d"]\nreason = "r"\n')
    records = [(record.name, record.reason) for record in equivalents.load(path)]
    assert records == [("a: b -> c", "r"), ("a: b -> d", "r")]
    path.write_text('[[equivalent]]\nop = "a"\nbefore = "b"\nafter = []\nreason = "r"\n')
    with pytest.raises(EquivalentError, match="'a' lacks after"):
        equivalents.load(path)


# --- command -------------------------------------------------------------------------------------

@pytest.mark.usefixtures("turned")
def test_prove_says_the_score_and_writes_lines(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(equivalents, "load", lambda: [TURNED])
    assert _run(monkeypatch, "prove", "soft_margin_loss", "-j", "1", "--out", str(tmp_path)) == 0
    out, killed = capsys.readouterr().out, len(mutants(SOFT))
    assert "dialects: 1 of 1, 100.00 % killed" in out
    assert f"mutants: {killed} of {killed + 1}, " in out
    head, *lines = map(json.loads, (tmp_path / "variants.jsonl").read_text(encoding="utf-8").splitlines())
    assert head["format"] == "torch-oracle variants 1"
    assert len(lines) == killed + 2
    assert sum(bool(line["equivalent"]) for line in lines) == 1
    assert {"id", "file", "line", "before", "after", "killed_by", "verdict"} <= set(lines[0])


@pytest.mark.usefixtures("turned")
def test_prove_ends_with_1_where_something_survives(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(equivalents, "load", list)
    assert _run(monkeypatch, "prove", "soft_margin_loss", "-j", "1", "--out", str(tmp_path)) == 1
    assert "SURVIVES made by hand" in capsys.readouterr().out
    assert _run(monkeypatch, "prove", "soft_margin_los", "--out", str(tmp_path)) == 2


def test_processes_find_what_one_does() -> None:
    specs = chosen_specs(["soft_margin_loss", "ones_"])
    alone, together = ([dataclasses.replace(v, seconds=0) for v in prove(specs, [TURNED], most=3, jobs=jobs).variants]
                       for jobs in (1, 2))
    assert alone == together

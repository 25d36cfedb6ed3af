"""The court of right variants: an unsound one is accused, and so is a right one where a bound is too small."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cli.app import main
from oracle.proving import factors, innocence, ways
from oracle.proving.bench import ProvingError
from oracle.proving.innocence import Court, Factored, Innocence, Trial, count, of_op, prove_right
from oracle.proving.planting import Planted
from oracle.proving.rewriting import Right, everywhere, planted_right
from oracle.truth import kept_truths, orders, proof

#: Cases of broadcasting targets warn, as torch does.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SMOOTH = registry.get("smooth_l1_loss")
#: An order of factors is beyond what the reference's own order loses.
TINY = "smooth_l1_loss/float32/target=row,beta=0.25,regime=tiny"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _every(name: str) -> Right:
    return next(one for one in everywhere(SMOOTH) if one.id.endswith(name))


def _tried(case_id: str, variant: Right) -> Trial:
    trial = Trial(variant.id, variant.op, variant.kind)
    court = Court("smooth_l1_loss", [parse(case_id)])
    return court.tried(trial, Planted(SMOOTH, partial(planted_right, variant)))


@pytest.mark.parametrize("op", ["l1_loss", "SGD"])
def test_right_variants_are_not_accused(op: str) -> None:
    trials = list(of_op(op, 25, 12))
    assert len(trials) == 25
    assert [str(trial) for trial in trials if trial.accused] == []
    assert any(trial.differing for trial in trials)


def test_an_unsound_variant_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum that forgets its last term, which no contract allows."""
    monkeypatch.setitem(ways.SUMS, "running", lambda x: np.add.reduce(x[..., :-1], -1))
    trial = _tried("smooth_l1_loss/float32/default", _every("every sum running"))
    assert "exceeds" in trial.accused["smooth_l1_loss/float32/default"]
    assert not Innocence([trial]).holds
    assert "ACCUSED smooth_l1_loss:every sum running" in str(Innocence([trial]))


def test_operations_of_several_units_are_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = ways.operated
    monkeypatch.setattr(ways, "operated", lambda *given: sound(*given) * np.float32(1 + 2.0**-19))
    assert _tried("smooth_l1_loss/float32/default", _every("every operation up")).accused


def test_a_crash_is_an_accusation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "operated", lambda *given: 1 / 0)
    accused = _tried("smooth_l1_loss/float32/default", _every("every operation up")).accused
    assert "crashed" in accused["smooth_l1_loss/float32/default"]


def _worst(way: tuple[str, bool, bool]) -> Trial:
    court = Court("smooth_l1_loss", [parse(TINY)])
    return court.tried(Trial("an order", "smooth_l1_loss", "factors"), Factored(way, court.plain))


def _orders() -> Sequence[Trial]:
    return [_worst(way) for way in innocence.ORDERS]


def test_a_right_variant_is_accused_where_a_bound_knows_one_order_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(trial.accused for trial in _orders())
    monkeypatch.setattr(orders, "half_quanta", lambda product, tiny: 0.0)
    monkeypatch.setattr(kept_truths, "truth_of", proof.prove)
    assert any(trial.accused for trial in _orders())


def test_what_occurs_twice_is_computed_once_however_often_it_is_met() -> None:
    """In float16 4.7e-5 squared is 0; but 67 times that is a number that was rounded before it is squared."""
    for order in ("last", "smallest", "1"):
        with factors.multiplied(factors.Way("float16", order)) as lift:
            given = lift.array(np.array([67.0]))
            d = np.sqrt(given * 0 + 1e-6) / np.sqrt(given * 0 + 449.0) * given
            assert factors.plain(16 * d * d * d) > 0


def test_nothing_is_proven_where_the_reference_itself_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    truths = {name: dataclasses.replace(truth, hi=truth.hi + 1) for name, truth in proof.prove(parse(TINY)).items()}
    monkeypatch.setattr(kept_truths, "truth_of", lambda case: truths)
    with pytest.raises(ProvingError, match="the reference itself fails"):
        _worst(("first", False, False))


def test_factors_that_leave_the_range_of_their_type_are_counted_apart() -> None:
    """|x|³ is 0 in float16, each operation rounded to it, where the truth is a number."""
    case = parse("triplet_margin_loss/float16/shape=5,reduction=reduce=False,p=3.0,swap=True,margin=0.25,regime=tiny")
    court = Court(case.spec.name, [case])
    trial = court.tried(Trial("an order", case.spec.name, "factors"), Factored(("first", False, False), court.plain))
    assert (trial.out_of_range, trial.accused) == (1, {})
    assert "1 runs on factors left the range" in str(Innocence([trial]))


def test_a_reference_that_takes_no_factors_is_no_accusation() -> None:
    trials = [one for one in of_op("Muon", 40, 1, ["float32"]) if one.kind == "factors"]
    assert trials
    assert not any(one.accused or one.differing for one in trials)


def test_processes_find_what_one_does() -> None:
    specs = [registry.get("l1_loss"), registry.get("margin_ranking_loss")]
    asked: dict[str, Any] = {"most": 4, "most_cases": 4, "dtypes": ["float32"]}
    one, two = (prove_right(specs, jobs=jobs, **asked) for jobs in (1, 2))
    strip = [[(t.id, t.cases, t.differing, t.share) for t in found.trials] for found in (one, two)]
    assert strip[0] == strip[1]
    assert len(strip[0]) == count(specs, 4) == 8


def test_prove_right_says_the_score_and_writes_lines(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("prove", "--right", "l1_loss", "--max", "6", "--max-cases", "5", "-j", "1", "--out", str(tmp_path))
    assert _run(monkeypatch, *asked) == 0
    assert "right variants: 6 of 6 not accused" in capsys.readouterr().out
    head, *lines = (tmp_path / "right-variants.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(head)["format"] == "torch-oracle right variants 1"
    assert [json.loads(line)["op"] for line in lines] == ["l1_loss"] * 6


def test_prove_right_ends_with_1_where_one_is_accused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    accused = Trial("l1_loss:a way", "l1_loss", "sum", cases=3, accused={"l1_loss/float32/default": "exceeds output 2"})
    monkeypatch.setattr(innocence, "of_op", lambda *given: iter([accused]))
    assert _run(monkeypatch, "prove", "--right", "l1_loss", "-j", "1", "--out", str(tmp_path)) == 1
    assert "ACCUSED l1_loss:a way" in capsys.readouterr().out


def test_an_interrupted_proof_keeps_what_was_decided(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> Any:
        yield Trial("l1_loss:a way", "l1_loss", "sum")
        raise KeyboardInterrupt

    monkeypatch.setattr(innocence, "of_op", interrupted)
    assert _run(monkeypatch, "prove", "--right", "l1_loss", "-j", "1", "--out", str(tmp_path)) == 130
    assert "right-variants.jsonl" in capsys.readouterr().err
    assert len((tmp_path / "right-variants.jsonl").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(("asked", "said"), [(("--right", "numerics"), "takes ops, not modules"),
                                             (("l1_loss", "--max-cases", "3"), "needs --right")])
def test_bad_use_is_said(asked: Sequence[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                         capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "prove", *asked, "--out", str(tmp_path)) == 2
    assert said in " ".join(capsys.readouterr().err.split())

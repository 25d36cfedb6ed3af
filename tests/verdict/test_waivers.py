"""Waivers: read strictly, matched narrowly, and missed when nothing needs them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from oracle.auditing import judge
from oracle.cases.case import Case, parse
from oracle.cases.selection import select, select_sweeps
from oracle.cases.spec import Spec
from oracle.targets import loading
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.verdict import waivers
from oracle.verdict.waivers import Waiver, WaiverError, load, stale

GOOD = """
[[waiver]]
name = "a"
case = "mse_loss/float32/*"
target = "torch:*"
output = "grad.*"
verdict = "exceeds"
reason = "a test"
"""


def _load(tmp_path: Path, text: str) -> list[Waiver]:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    return load(path)


def test_a_waiver_accepts_only_what_it_names(tmp_path: Path) -> None:
    (waiver,) = _load(tmp_path, GOOD)
    assert waiver.accepts("mse_loss/float32/default", "torch:eager", "grad.input", "exceeds")
    for other in [("mse_loss/float64/default", "torch:eager", "grad.input", "exceeds"),
                  ("mse_loss/float32/default", "reference", "grad.input", "exceeds"),
                  ("mse_loss/float32/default", "torch:eager", "output", "exceeds"),
                  ("mse_loss/float32/default", "torch:eager", "grad.input", "crashed")]:
        assert not waiver.accepts(*other)


@pytest.mark.parametrize(("change", "message"), [
    (('reason = "a test"', ""), "waiver 'a' lacks reason"),
    (('reason = "a test"', 'reason = " "'), "waiver 'a' lacks reason"),
    (('name = "a"', ""), "lacks name"),
    (('reason = "a test"', 'reason = "a test"\nresaon = "b"'), "waiver 'a' has unknown keys: resaon"),
    (('reason = "a test"', 'reason = "a test"\ndialect = "klingon"'), "no dialect is called 'klingon'"),
    (('reason = "a test"', 'reason = "a test"\ntorch = "2.14"'), "given as >=2.14 or <2.14, not '2.14'"),
    (("", ""), "two waivers are called 'a'"),
])
def test_a_bad_waiver_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = GOOD + GOOD if change == ("", "") else GOOD.replace(*change)
    with pytest.raises(WaiverError, match=message):
        _load(tmp_path, text)


@pytest.mark.parametrize(("versions", "torch", "is_for"), [
    (">=2.14", "2.14.0", True), (">=2.14", "2.14.1+cu130", True), (">=2.14", "2.13.0+cpu", False),
    (">=2.14", "3.0.0a0+git1234", True), ("<2.14", "2.13.0", True), ("<2.14", "2.14.0", False),
    (">=2.9", "2.14.0", True), (">=2.14", "", False), ("<2.14", "", False),
])
def test_a_waiver_can_be_for_versions_of_torch(tmp_path: Path, versions: str, torch: str, is_for: bool) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(GOOD + f'torch = "{versions}"\n')
    assert len(load(path, torch)) == is_for


@pytest.mark.parametrize(("case_id", "dialect"), [
    ("hinge_embedding_loss/float32/reduction=none,regime=kink", "hinge-open"),
    ("margin_ranking_loss/float32/reduction=none,regime=kink", "ranking-open"),
    ("cosine_embedding_loss/float32/reduction=none,regime=kink", "cosine-open"),
    ("triplet_margin_loss/float32/reduction=none,eps=0.0,regime=kink", "triplet-open"),
    ("triplet_margin_with_distance_loss/float32/distance=manhattan,reduction=none,regime=kink",
     "triplet-distance-open"),
])
def test_clamps_without_a_gradient_at_the_kink_are_known_from_torch_2_14_on(case_id: str, dialect: str) -> None:
    """What torch 2.14 gives: the full gradient but at kinks, where there is none."""
    from oracle.dialects.table import DIALECTS

    case = parse(case_id)
    changed = Case(DIALECTS[dialect](case.spec), case.dtype, case.options, case.draw)

    class Newer(_Cancelling):
        def run(self, case: Case) -> Outputs:
            return evaluate(changed, FLOATS)

    record = judge.run_case(case, Newer(1.0), load(torch="2.14.1"))
    assert (record.verdict, record.waiver) == ("exceeds", dialect)
    assert record.got is not None
    assert float.fromhex(record.got) == 0, "where the reference has the gradient of one side"
    assert judge.run_case(case, Newer(1.0), load(torch="2.13.0")).fails


def test_the_shipped_waivers_have_links_and_reasons() -> None:
    assert {w.name for w in load()} >= {"bce-cancels", "ce-ignored-nan", "adam-float16-eps"}
    for waiver in load():
        assert len(waiver.reason) > 80
        assert not waiver.link or waiver.link.startswith("https://")


def test_every_shipped_waiver_is_of_some_case() -> None:
    ids = [case.id for case in (*select(), *select_sweeps())]
    for waiver in load():
        assert waiver.among(ids), waiver.name


def test_a_waiver_may_have_several_patterns(tmp_path: Path) -> None:
    (waiver,) = _load(tmp_path, GOOD.replace("mse_loss/float32/*", "mse_loss/float32/* huber_loss/*@size=1?"))
    assert waiver.among(["mse_loss/float32/a", "mse_loss/float64/a", "huber_loss/float64/default@size=16",
                         "huber_loss/float64/default"]) == {"mse_loss/float32/a", "huber_loss/float64/default@size=16"}
    assert waiver.concerns("mse_loss")
    assert waiver.concerns("huber_loss")
    assert not waiver.concerns("l1_loss")


@pytest.mark.parametrize(("case_id", "target"), [
    ("SGD/float32/start=zero,steps=2,momentum=0.9@size=1025", "torch:fused"),
    ("SGD/bfloat16/start=zero,steps=2,momentum=0.9@event=load", "torch:fused"),
    ("SGD/bfloat16/start=zero,steps=2,momentum=0.9@size=16", "torch:foreach"),
    ("Adam/bfloat16/start=zero,steps=2@size=1025", "torch:fused"),
    ("Adam/float32/start=zero,steps=2@size=33x17,memory=transposed", "torch:fused"),
    ("Adam/float32/start=zero,steps=2@size=33x17,memory=offset", "torch:fused"),
    ("Adam/float32/start=zero,steps=2@size=33x17,memory=strided", "torch:foreach"),
    ("Adam/float32/start=zero,steps=2@event=load", "torch:eager"),
    ("SGD/float32/start=zero,steps=2,momentum=0.9@event=reused", "torch:foreach"),
    ("ASGD/float32/start=zero,steps=2,t0=0@event=file", "torch:eager"),
    ("LBFGS/float32/start=zero,grad=constant,steps=2@event=load", "torch:eager"),
])
def test_what_is_beside_a_defect_in_surroundings_is_not_waived(case_id: str, target: str) -> None:
    assert parse(case_id).id == case_id
    for output in ("param[0]", "gradient[0]", "overwritten", ""):
        for verdict in ("exceeds", "crashed"):
            assert not any(w.accepts(case_id, target, output, verdict) for w in load() if not w.dialect)


def test_a_waiver_for_surroundings_is_not_stale_where_only_bare_cases_ran() -> None:
    ids = [case.id for case in select(["SGD", "Adam"], ["float32", "bfloat16"])]
    bare = {case_id for case_id in ids if "@" not in case_id}
    of_surroundings = [w for w in load() if w.name in ("fused-strides", "sgd-foreach-nesterov-gradient")]
    assert stale(of_surroundings, set(), ids, bare, ["torch:foreach", "torch:fused"]) == []
    assert stale(of_surroundings, set(), ids, set(ids), ["torch:foreach", "torch:fused"]) == of_surroundings


def test_a_waiver_that_nothing_needed_is_stale(tmp_path: Path) -> None:
    waivers_ = _load(tmp_path, GOOD)
    shipped = ["mse_loss/float32/a", "mse_loss/float32/b", "mse_loss/float64/a"]
    everything = set(shipped)
    assert stale(waivers_, set(), shipped, everything, ["torch:eager"]) == waivers_
    assert stale(waivers_, {"a"}, shipped, everything, ["torch:eager"]) == []
    assert stale(waivers_, set(), shipped, everything, ["reference"]) == [], "its target did not run"
    assert stale(waivers_, set(), shipped, {shipped[0]}, ["torch:eager"]) == [], "one of its cases did not run"
    assert stale(waivers_, set(), shipped[2:], everything, ["torch:eager"]) == [], "it is of no case of this kind"
    both = ["torch:eager", "torch:module"]
    some = [dataclasses.replace(w, target="torch:*") for w in waivers_]
    assert stale(some, set(), shipped, everything, both, unasked=both) == some
    assert stale(some, set(), shipped, everything, both[:1], unasked=both) == [], "the other may need it"
    one = [dataclasses.replace(w, target="torch:eager") for w in waivers_]
    assert stale(one, set(), shipped, everything, both[:1], unasked=both) == one, "it is not for the other"


class _Cancelling:
    """torch's rule for binary cross-entropy, and a mistake besides."""

    name = "torch:planted"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        (eager,) = loading.load(["torch:eager"])
        outputs = dict(eager.run(case))
        outputs["output"] = outputs["output"] * np.float32(self.factor)
        return outputs

    def script(self, case: Case) -> str:
        return ""


@pytest.mark.parametrize(("factor", "fails"), [(1.0, False), (1.01, True)])
def test_a_waiver_with_a_dialect_does_not_hide_another_mistake(factor: float, fails: bool) -> None:
    case = parse("binary_cross_entropy_with_logits/float32/target=hard,reduction=sum,regime=moderate")
    record = judge.run_case(case, _Cancelling(factor), load())
    assert record.fails is fails


def test_dialects_belong_to_their_op() -> None:
    from oracle.dialects.table import DIALECTS

    with pytest.raises(ValueError, match="dialect 'ce-unmasked' is one of cross_entropy, not of mse_loss"):
        DIALECTS["ce-unmasked"](parse("mse_loss/float32/default").spec)
    assert waivers.DIALECTS is DIALECTS

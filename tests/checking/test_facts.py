"""What is told of code without a call; what another process tells is parsed strictly."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.checking import facts
from oracle.checking.checker import Checker
from oracle.checking.facts import facts_of
from oracle.checking.implementation import implementation_of
from oracle.checking.signature import Signature

SPEC = registry.get("mse_loss")
WHOLE = Signature.of(lambda input, target, **more: 0).to_json()


class _Stepping:
    def __init__(self, params: Any, lr: float = 1.0) -> None: ...

    def step(self) -> None: ...


class _Pair:
    def init(self) -> None: ...

    def update(self) -> None: ...


@pytest.mark.parametrize("code", [
    lambda input, target, reduction="mean": 0, lambda input, target, **more: 0, _Stepping, _Pair(), _Pair,
    (len, len), len, np.add, np.zeros])
def test_a_signature_comes_back_as_it_was_told(code: Any) -> None:
    signature = Signature.of(code)
    assert Signature.from_json(signature.to_json()) == signature


def test_a_signature_tells_what_may_be_passed_and_how_an_optimizer_is_called() -> None:
    loss = Signature.of(lambda input, target, *, reduction, beta=1.0: 0)
    assert (loss.accepts("beta"), loss.accepts("gamma"), loss.requires("reduction"), loss.requires("beta")) == (
        True, False, True, False)
    assert Signature.of(lambda input, **more: 0).accepts("gamma")
    assert Signature(None).accepts("gamma"), "where nothing is known"
    forms = [_Stepping, lambda params, lr=1.0: 0, _Pair(), (len, len), lambda lr=1.0: 0]
    assert [Signature.of(code).takes_params for code in forms] == [True, True, False, False, False]


@pytest.mark.parametrize("told", [
    None, [], 3, {}, {"parameters": None}, {**WHOLE, "parameters": "input"}, {**WHOLE, "parameters": [1]},
    {**WHOLE, "required": None}, {**WHOLE, "required": [[]]}, {**WHOLE, "is_pair": 1}, {**WHOLE, "has_step": "yes"}])
def test_what_is_no_signature_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Signature.from_json(told)
    assert facts._parse_facts({"signature": told, "differing": told}, SPEC).signature is None


def test_defaults_are_told_of_arguments_that_there_are_and_as_text_alone() -> None:
    told = {"signature": WHOLE, "differing": {"reduction": "'sum'\x1b[31m", "weight": 3, "strange": "1"}}
    found = facts._parse_facts(told, SPEC)
    assert found.signature == Signature.from_json(WHOLE)
    assert {name: (repr(own), torchs) for name, (own, torchs) in found.differing.items()} == {
        "reduction": ("'sum'\\x1b[31m", "mean")}


@pytest.mark.parametrize("told", ["", "{", "[" * 10**5, "3", '{"signature": 3}'])
def test_what_is_told_of_code_at_a_place_is_nothing_where_it_is_no_facts(told: str) -> None:
    assert facts_of("mse_loss", implementation_of("math:exp", framework="numpy"), told) == facts.Facts(None, {})


def test_another_process_tells_the_same_as_the_object(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def mse(input, target, reduction='sum', *, more):\n    pass\n")
    asked = implementation_of(f"{tmp_path / 'mine.py'}:mse", framework="numpy")
    with contextlib.closing(Checker("mse_loss", asked)) as checker:
        there = facts_of("mse_loss", asked, checker.target.told)
    here = facts_of("mse_loss", implementation_of(lambda input, target, reduction="sum", *, more: 0))
    assert there.signature == here.signature
    assert repr(there.differing) == repr(here.differing) == "{'reduction': ('sum', 'mean')}"

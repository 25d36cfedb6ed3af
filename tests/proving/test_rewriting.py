"""Right variants are the references' source with operations done in sound ways; nothing is left of them afterwards."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.proving import rewriting
from oracle.proving.bench import alike
from oracle.proving.planting import Planted
from oracle.proving.rewriting import KINDS, everywhere, planted_right, right_variants, single
from oracle.proving.shared_code import functions_of

#: Ten steps of Adam, with means of which neither factor is a power of two.
STEPS = "Adam/float32/start=zero,grad=alternating,steps=10,layout=groups,lr=0.1,beta1=0.0,decoupled_weight_decay=True"

OPS = ("smooth_l1_loss", "Adam", "cross_entropy", "linear_cross_entropy")


@pytest.mark.parametrize("op", OPS)
def test_variants_are_the_same_each_time_and_have_names_of_their_own(op: str) -> None:
    spec = registry.get(op)
    first, second = (single.__wrapped__(spec) for _ in range(2))
    assert first == second
    every = right_variants(spec)
    assert Counter(one.id for one in every).most_common(1)[0][1] == 1
    assert len(every) > 100


def test_every_kind_of_way_is_made() -> None:
    assert {one.kind for op in OPS for one in single(registry.get(op))} == set(KINDS)


def test_all_that_a_variant_says_is_a_change_of_the_source() -> None:
    for one in single(registry.get("smooth_l1_loss")):
        assert one.before != one.after
        assert "oracle_ways." in one.after
        ast.parse(one.after)


@pytest.mark.parametrize(("kind", "case_id"), [
    ("product", "Adam/float32/default"), ("fused", STEPS), ("reciprocal", STEPS),
    ("operation", "smooth_l1_loss/float32/default"), ("function", "cross_entropy/float32/default"),
    ("terms", "cross_entropy/float32/default"), ("sum", "cross_entropy/float32/default"),
    ("matmul", "cross_entropy/float32/default")])
def test_some_variant_of_each_kind_gives_other_numbers(kind: str, case_id: str) -> None:
    case = parse(case_id)
    plain = Planted(case.spec).run(case)
    variants = [one for one in right_variants(case.spec) if one.kind == kind or f"every {kind}" in one.id]
    differing = [one for one in variants if not alike(Planted(case.spec, partial(planted_right, one)).run(case), plain)]
    assert differing


def test_a_variant_is_gone_afterwards_even_where_it_fails() -> None:
    spec = registry.get("smooth_l1_loss")
    modules = [module for name, module in sys.modules.items() if name.startswith("reference.")]
    codes = {id(function): function.__code__ for module in modules for function in functions_of(module)}
    for one in everywhere(spec)[:3]:
        with planted_right(one):
            assert {id(f): f.__code__ for module in modules for f in functions_of(module)} != codes
        with pytest.raises(ZeroDivisionError), planted_right(one):
            _ = 1 / 0
    assert {id(f): f.__code__ for module in modules for f in functions_of(module)} == codes
    assert not any("oracle_ways" in vars(module) for module in modules)


def test_no_reference_knows_of_the_ways() -> None:
    root = Path(str(sys.modules["reference"].__file__)).parent
    assert not any(rewriting._WAYS in path.read_text(encoding="utf-8") for path in root.rglob("*.py"))

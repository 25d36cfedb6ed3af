"""The bound holds for each order in which given factors are multiplied, and is what it was above the subnormals."""

from __future__ import annotations

import functools
import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

import oracle.truth.arithmetic
from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec, Spec
from oracle.formats import FORMATS
from oracle.proving.factors import Way, multiplied, plain
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import BallArray, balls, radius
from oracle.truth.evaluate import evaluate
from oracle.truth.orders import Product, Products, half_quanta
from oracle.truth.proof import prove
from oracle.truth.scalar import Double

#: Cases of the older arguments and of broadcasting targets warn, as torch does.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

WAYS = [(order, reciprocals, distributed) for order in ("written", "first", "last", "smallest", "largest", "1", "2")
        for reciprocals in (False, True) for distributed in (False, True)]

#: Cases, and what gradients from above are multiplied by, of which some order was beyond the bound while that charged
#: only what the reference's own order loses.
BEYOND = [
    ("smooth_l1_loss/float32/target=row,beta=0.25,regime=tiny", 1.0),
    ("smooth_l1_loss/float32/target=row,reduction=size_average=False,beta=0.25,regime=tiny", 2.0**-20),
    ("smooth_l1_loss/float16/beta=0.25,regime=close", 2.0**-9),
    ("huber_loss/float16/weight=random,delta=2.5,regime=tiny", 2.0**-9),
    ("mse_loss/float16/reduction=none,weight=random,regime=close", 2.0**-9),
    ("binary_cross_entropy/float32/target=right,shape=2x2x3,reduction=size_average=False,weight=full,regime=tiny",
     2.0**-20),
    ("binary_cross_entropy/float16/target=hard,shape=2x2x3,weight=row,regime=tiny", 2.0**-9),
    ("binary_cross_entropy_with_logits/float16/target=hard,weight=column,regime=tails", 1.0),
    ("binary_cross_entropy_with_logits/float16/shape=2x2x3,weight=full,regime=tiny", 2.0**-9),
    ("multilabel_soft_margin_loss/float32/target=any,shape=2x3x2,reduction=reduce=False,weight=column,regime=tiny",
     2.0**-20),
]


def scaled(case: Case, upstream: float) -> Case:
    """The case with gradients from above that are larger or smaller."""
    changed = Case(case.spec, case.dtype, case.options, case.draw)
    if upstream != 1:
        g = case.grad_output
        changed.__dict__["grad_output"] = np.asarray((g.astype(np.float64) * upstream), np.float64).astype(g.dtype)
    return changed


def beyond(case: Case, ways: list[tuple[str, bool, bool]]) -> list[tuple[Any, ...]]:
    """The outputs of which an order exceeds the bound, with the order and the share."""
    truths, found = prove(case), []
    for way in ways:
        with multiplied(Way(case.dtype, *way)) as lift:
            answers = {name: plain(value) for name, value in evaluate(case, lift).items() if name in truths}
        for name, got in answers.items():
            truth = truths[name]
            if truth.discrete:
                continue
            with np.errstate(all="ignore"):
                share = np.abs((got - truth.hi) - truth.lo) / truth.bound
            share = share[np.isfinite(got) & ~truth.special & (truth.bound > 0)]
            if share.max(initial=0) > 1:
                found.append((name, *way, float(share.max())))
    return found


@pytest.mark.parametrize(("case_id", "upstream"), BEYOND)
def test_no_order_of_given_factors_is_accused(case_id: str, upstream: float) -> None:
    assert beyond(scaled(parse(case_id), upstream), WAYS) == []


#: Ops that decide on scalars, or take matrices apart, which these arrays do not follow.
UNSUITED = ("LBFGS", "Muon", "Adafactor")


def small(spec: Spec, dtype: str) -> list[Case]:
    """The first case of tiny numbers, and the first of all."""
    every = cases(spec, dtype, around=False)
    tiny = [case for case in every if "tiny" in (case.options.get("regime"), case.options.get("grad"))]
    return [*tiny[:1], *every[:1]]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", [name for name, spec in registry.specs().items()
                                  if spec.kind != "init" and name not in UNSUITED])
def test_no_order_exceeds_in_any_op(name: str, dtype: str) -> None:
    spec = registry.get(name)
    if dtype not in spec.dtypes:
        pytest.skip("the op does not have the type")
    for case in small(spec, dtype):
        several = isinstance(spec, LossSpec) and isinstance(case.grad_output, tuple)
        for upstream in (1.0, 2.0**-9) if isinstance(spec, LossSpec) and not several else (1.0,):
            assert beyond(scaled(case, upstream), WAYS[::3]) == [], case.id


def worst_order(computed: list[float], given: list[float], tiny: float) -> float:
    """Half quanta lost by the worst order: each given number at a computed one, or after some of their products.

    Or else some of the given numbers are multiplied first, and then stand where one does.
    """
    everything, worst = sum(computed) + sum(given), 0.0
    for first in range(len(given) + 1):
        bundles = [sum(given[:first]), *given[first:]] if first > 1 else given
        before = [sum(given[:n]) for n in range(2, first + 1)]
        for places in itertools.product(range(max(2 * len(computed) - 1, 1)), repeat=len(bundles)):
            at = [sorted([g for g, place in zip(bundles, places, strict=True) if place == i])
                  for i in range(max(2 * len(computed) - 1, 1))]
            sizes, total = list(before), 0.0
            for i, factor in enumerate(computed or [None]):
                inside = list(itertools.accumulate(at[i], initial=factor or 0.0))
                sizes += inside[1 if computed else 2:]
                total += inside[-1]
                if i:  # what came before, times this; then what stands after the product
                    sizes += itertools.accumulate(at[len(computed) + i - 1], initial=total)
                    total = sizes[-1]
            worst = max(worst, sum([2.0 ** (everything - size) for size in sizes if size < tiny]))
    return worst


def test_half_quanta_are_those_of_the_worst_order_or_more() -> None:
    """And no more than that for each multiplication."""
    chance = random.Random(1)
    for _ in range(200):
        computed = [chance.uniform(-90, 60) for _ in range(chance.randrange(3))]
        given = sorted([chance.uniform(-60, 60) for _ in range(chance.randrange(1, 4))])
        product = functools.reduce(lambda a, b: a * b, [
            *(Product((), (c, c), single=((c, c),)) for c in computed), Product(tuple((g, g) for g in given))])
        charged, worst = half_quanta(product, -126), worst_order(computed, given, -126)
        assert worst <= charged * (1 + 1e-9), (computed, given)
        assert charged <= (len(computed) + len(given)) * worst * (1 + 1e-9), (computed, given)


def test_two_factors_are_charged_once_and_a_third_for_what_it_enlarges() -> None:
    tiny = balls(np.array([1.5 * 2.0**-126], np.float32))
    with arithmetic(Arithmetic.of("float32")):
        x = tiny - 2.0**-128
        once, twice = x * 0.25, x * 0.25 * Double(64.0)
        unlimited = Arithmetic.of("float32", limited=False)
    with arithmetic(unlimited):
        y = tiny - 2.0**-128
        bare, bare_twice = y * 0.25, y * 0.25 * Double(64.0)
    half = FORMATS["float32"].quantum / 2
    assert half <= (radius(once) - radius(bare)).item() < 2 * half
    assert 64 * half <= (radius(twice) - radius(bare_twice)).item() < 67 * half


def test_a_factor_that_is_a_sum_s_may_be_its_terms() -> None:
    """(x₁ + x₂)/N in one order, x₁/N + x₂/N in the other, which loses two half quanta."""
    x = balls(np.array([3.0, 5.0], np.float32) * np.float32(2.0**-149))
    with arithmetic(Arithmetic.of("float32")):
        mean = np.add.reduce(x) / 2
    assert radius(mean).item() >= 3 * 2.0**-150
    assert isinstance(mean, BallArray)


#: Of numbers about 1, nothing is subnormal on the way.
ORDINARY = ["cross_entropy/float32/default", "smooth_l1_loss/float32/beta=0.25", "huber_loss/float64/delta=0.25",
            "gaussian_nll_loss/float32/default", "binary_cross_entropy/bfloat16/weight=full", "kl_div/float32/default",
            "triplet_margin_loss/float32/p=3.0", "Adam/float32/default", "AdamW/bfloat16/default",
            "NAdam/float64/default", "SGD/float16/default", "Adagrad/float32/default"]


@pytest.mark.parametrize("case_id", ORDINARY)
def test_bounds_above_the_subnormals_are_the_same_to_the_bit(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    charged = prove(parse(case_id))
    monkeypatch.setattr(oracle.truth.arithmetic, "Products", lambda tiny: None)
    for name, truth in prove(parse(case_id)).items():
        assert np.array_equal(charged[name].bound, truth.bound), name


@pytest.mark.parametrize("case_id", [*ORDINARY, *[case_id for case_id, _ in BEYOND],
                                     "AdamW/float32/start=zero,grad=tiny,steps=10,lr=0.1,beta1=0.0,weight_decay=0,amsgrad=True",
                                     "Adamax/float16/grad=tiny,steps=10,layout=matrix,beta1=0.8",
                                     "Adafactor/float64/grad=huge,steps=10,layout=scalar,beta2_decay=0.0,eps2=10.0"])
def test_a_rough_reach_hides_no_loss(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds are the same to the bit where each product is looked at by itself."""
    quick = prove(parse(case_id))
    monkeypatch.setattr(Products, "_safe", lambda self, batch: False)
    for name, truth in prove(parse(case_id)).items():
        assert np.array_equal(quick[name].bound, truth.bound), name
        assert np.array_equal(quick[name].precise, truth.precise), name


def test_no_bound_becomes_vacuous_by_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that loses a tenth of the result is no sound one: then the bound is that of the formula's own order."""
    ids = ("Adadelta/float16/start=zero,grad=subnormal,steps=2", "Adamax/float16/start=zero,grad=subnormal,steps=2",
           "huber_loss/bfloat16/delta=0.25,regime=tiny")
    charged = [prove(parse(case_id)) for case_id in ids]
    monkeypatch.setattr(oracle.truth.arithmetic, "Products", lambda tiny: None)
    for case_id, truths in zip(ids, charged, strict=True):
        for name, truth in prove(parse(case_id)).items():
            assert not (truths[name].vacuous & ~truth.vacuous).any(), (case_id, name)
            assert (truths[name].bound >= truth.bound * (1 - 1e-6)).all(), (case_id, name)


def test_a_dropped_factor_still_shows_among_subnormals() -> None:
    """The bound is wider there, and not so wide that a mistake is hidden: β left out, or a mean that is a sum."""
    case = parse("smooth_l1_loss/float32/target=row,beta=0.25,regime=tiny")
    truth = prove(case)["grad.input"]
    assert not truth.vacuous.any()
    for factor in (0.25, 12.0, 1 + 1e-4):
        assert (np.abs(truth.hi * factor - truth.hi) > truth.bound).any(), factor
    assert math.isclose(truth.bound.min() / FORMATS["float32"].quantum, 7.27, rel_tol=0.01)

"""Few elements laid out over many: neighbours differ, and nothing but elements of the base stands anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.cases.case import parse
from oracle.cases.spec import Trajectory
from oracle.cases.surroundings.shipped import SIZES
from oracle.cases.surroundings.sizes import positions


@pytest.mark.parametrize("count", [2, 3, 5, 12])
@pytest.mark.parametrize("n", SIZES)
def test_neighbours_are_never_the_same(n: int, count: int) -> None:
    at = positions(count, (n,), np.random.default_rng(n))
    assert (np.diff(at) != 0).all()
    assert set(at) <= set(range(count))
    assert n < 255 or set(at) == set(range(count))


def test_blocks_are_not_alike() -> None:
    at = positions(5, (1024,), np.random.default_rng(0))
    for block in (8, 16, 32, 64):
        blocks = at.reshape(-1, block)
        assert len(np.unique(blocks, axis=0)) == len(blocks)


def test_neighbours_differ_in_memory_along_the_last_axis() -> None:
    at = positions(4, (3, 5, 7), np.random.default_rng(0))
    assert at.shape == (3, 5, 7)
    assert (np.diff(at.reshape(-1)) != 0).all()


def test_one_element_is_all_there_is() -> None:
    assert positions(1, (33,), np.random.default_rng(0)).tolist() == [0] * 33


@pytest.mark.parametrize("n", [1, 2, 3, 15, 33, 1025])
@pytest.mark.parametrize("idle", [[0], [1, 3], [0, 1, 2]])
def test_idle_elements_stand_alone_and_at_no_end(n: int, idle: list[int]) -> None:
    mask = np.isin(np.arange(5), idle)
    for seed in range(20):
        at = positions(5, (n,), np.random.default_rng(seed), idle=mask)
        assert (np.diff(at) != 0).all()
        assert not (mask[at[1:]] & mask[at[:-1]]).any()
        assert not mask[at[[0, -1]]].any()
    assert n < 1025 or set(at) == set(range(5))


def test_idle_elements_stand_anywhere_where_nothing_else_does() -> None:
    at = positions(3, (33,), np.random.default_rng(0), idle=np.array([True, True, False]))
    assert set(at) == {0, 1, 2}


def test_lines_are_equal_where_one_is_broadcast() -> None:
    at = positions(5, (33, 17), np.random.default_rng(0), repeated=True)
    assert (at == at[:1]).all()
    assert (np.diff(at[0]) != 0).all()


def test_arguments_of_an_element_stay_together() -> None:
    case = parse("mse_loss/float32/weight=random,reduction=none@size=33")
    base, many = case.base.inputs, case.inputs
    rows = {tuple(float(base[name].flat[i]) for name in ("input", "target", "weight")) for i in range(12)}
    found = {tuple(float(many[name][i]) for name in ("input", "target", "weight")) for i in range(33)}
    assert found <= rows
    assert not many["input"].flags.writeable


def test_classes_of_a_row_and_their_weights_stay_as_they_are() -> None:
    case = parse("cross_entropy/float32/reduction=none,weight=random@size=33")
    assert case.inputs["input"].shape == (33, 5)
    assert (case.inputs["weight"] == case.base.inputs["weight"]).all()


@pytest.mark.parametrize("n", [1, 2, 3, 33])
def test_parameters_are_as_many_as_are_asked_for(n: int) -> None:
    case = parse(f"SGD/float32/start=zero,steps=2@tensors={n}")
    drawn = case.inputs
    assert isinstance(drawn, Trajectory)
    params = [p for group in drawn.groups for p in group.params]
    assert len(params) == n
    assert all(len(now) == n for now in drawn.gradients)
    assert n < 3 or len({p.shape for p in params}) > 1


def test_a_step_that_comes_again_has_the_same_gradients() -> None:
    drawn = parse("SGD/float32/start=zero,steps=2@size=33,event=again").inputs
    assert drawn.gradients[0] is drawn.gradients[1]

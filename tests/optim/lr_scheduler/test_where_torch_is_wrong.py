"""What torch does wrong, or not alike in two places, and what is right: a line here for each line in a docstring."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from reference.optim import SGD, Parameter
from reference.optim.lr_scheduler import LambdaLR
from tests.optim.lr_scheduler import rules
from tests.optim.lr_scheduler.test_resume import NESTED, _by_last_epoch
from tests.optim.lr_scheduler.twin_schedules import made, optimizer, play


def _lrs(side, name, steps=12, **setting):
    return [row[0][0] for row in play(side, name, setting, steps=steps)]


def _both(name, steps=12, **setting):
    return _lrs("reference", name, steps, **setting), _lrs("torch", name, steps, **setting)


def test_a_linear_schedule_to_zero_ends_at_zero():
    mine, theirs = _both("LinearLR", end_factor=0.0)
    assert mine[5:] == [0.0] * 7
    assert theirs[5:] == [-1.480297366166875e-18] * 7
    assert mine[:5] == theirs[:5]


@pytest.mark.parametrize(("name", "setting", "end"), [
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.5}, 0.05), ("ConstantLR", {}, 0.1), ("PolynomialLR", {}, 0.0)])
def test_without_iterations_the_end_is_there_at_once(name, setting, end):
    mine, theirs = _both(name, total_iters=0, **setting)
    assert mine == [end] * 12
    assert end not in theirs


@pytest.mark.parametrize(("name", "end"), [("LinearLR", 0.1), ("PolynomialLR", 0.0)])
def test_iterations_that_are_not_whole_end_as_the_closed_form_does(name, end):
    mine, theirs = _both(name, total_iters=2.5)
    assert mine[:3] == theirs[:3]
    assert abs(mine[3] - end) <= 0.1 * 12 * 2.0**-53  # 12 roundings
    assert theirs[3:] == [theirs[2]] * 9


@pytest.mark.parametrize(("name", "setting", "rule"), [
    ("StepLR", {"step_size": 2.5}, rules.step_lr), ("MultiStepLR", {"milestones": [2.5, 4]}, rules.multi_step_lr),
    ("MultiStepLR", {"milestones": [-1, 4]}, rules.multi_step_lr)])
def test_decays_are_where_the_closed_form_has_them(name, setting, rule):
    mine, theirs = _both(name, gamma=0.5, **setting)
    closed = [rule(t, 0.1, **setting, gamma=0.5) for t in range(12)]
    assert mine == closed  # halving is exact
    assert theirs != closed


def test_there_is_a_way_back_from_a_factor_of_zero():
    assert _lrs("reference", "ConstantLR", 4, factor=0.0, total_iters=2) == [0.0, 0.0, 0.1, 0.1]
    with pytest.raises(ZeroDivisionError):
        _lrs("torch", "ConstantLR", 4, factor=0.0, total_iters=2)


@pytest.mark.parametrize(("T_0", "T_mult", "start"), [(1, 3, 121), (1, 10, 111), (2, 3, 242), (3, 10, 333)])
def test_no_restart_is_missed(T_0, T_mult, start):
    ours, theirs = (made(side, "CosineAnnealingWarmRestarts", {"T_0": T_0, "T_mult": T_mult}, optimizer(side))
                    for side in ("reference", "torch"))
    for schedule in (ours, theirs):
        schedule.optimizer.step()
        schedule.step(start)
    assert ours.T_cur == 0
    assert ours.get_last_lr()[0] == 0.1
    assert theirs.T_cur == theirs.T_i
    assert theirs.get_last_lr()[0] == 0.0


def test_a_cycle_that_only_falls_begins_at_its_top():
    setting = {"base_lr": 0.25, "max_lr": 0.75, "step_size_up": 0, "step_size_down": 2}
    assert _lrs("reference", "CyclicLR", 5, **setting) == [0.75, 0.5, 0.75, 0.5, 0.75]
    with pytest.raises(ZeroDivisionError):
        _lrs("torch", "CyclicLR", 5, **setting)


def test_one_cycle_may_begin_at_its_top():
    mine = _lrs("reference", "OneCycleLR", 10, max_lr=1.0, total_steps=10, pct_start=0.1)
    assert mine[0] == 1.0
    assert mine == sorted(mine, reverse=True)
    with pytest.raises(ZeroDivisionError):
        _lrs("torch", "OneCycleLR", 10, max_lr=1.0, total_steps=10, pct_start=0.1)


def test_one_cycle_stays_at_its_end():
    mine, theirs = _both("OneCycleLR", 11, max_lr=1.0, total_steps=10, anneal_strategy="linear")
    assert mine[:10] == theirs[:10]
    assert mine[10] == mine[9] > 0
    assert theirs[10] < -0.1
    assert _lrs("reference", "OneCycleLR", 9, max_lr=1.0, total_steps=8, pct_start=1.0)[7:] == [1.0, 4e-6]
    with pytest.raises(ZeroDivisionError):
        _lrs("torch", "OneCycleLR", 9, max_lr=1.0, total_steps=8, pct_start=1.0)


def test_the_first_metric_is_the_best_so_far_whatever_the_threshold():
    for side, best in (("reference", 3.0), ("torch", float("inf"))):
        schedule = made(side, "ReduceLROnPlateau", {"threshold": 1.0}, optimizer(side))
        schedule.step(3.0)
        assert schedule.best == best


def _groups_that_share(module, parameter, number, cls):
    on = module.SGD([{"params": [parameter()]}, {"params": [parameter()]}], lr=number)
    cls(on, [lambda epoch: 0.5, lambda epoch: 0.25])
    return [float(group["lr"]) for group in on.param_groups]


def test_groups_that_share_an_array_have_learning_rates_of_their_own():
    shared = np.array(0.5)
    import reference.optim as module
    assert _groups_that_share(module, lambda: Parameter(np.zeros(1)), shared, LambdaLR) == [0.25, 0.125]
    assert shared == 0.5
    theirs = _groups_that_share(torch.optim, lambda: torch.nn.Parameter(torch.zeros(1)), torch.tensor(0.5),
                                torch.optim.lr_scheduler.LambdaLR)
    assert theirs == [0.125, 0.125]


def test_a_sequence_begins_from_the_base_of_its_first_part():
    parts = [("ConstantLR", {}), ("OneCycleLR", {"max_lr": 0.4, "total_steps": 9})]
    mine, theirs = _both("SequentialLR", 4, schedulers=parts, milestones=[3])
    assert mine == [0.1 * (1 / 3)] * 3 + [theirs[3]]
    assert theirs[:3] == [0.4 / 25 / 3] * 3


def _part(name, setting, epochs):
    return _lrs("reference", name, epochs, **setting)


@pytest.mark.parametrize("title", [title for title in NESTED if title.startswith("a sequence")])
def test_parts_of_a_sequence_are_what_they_are_alone(title):
    name, setting = NESTED[title]
    (first, then), (milestone,) = setting["schedulers"], setting["milestones"]
    right = _part(*first, milestone) + _part(*then, 12 - milestone)
    assert _lrs("reference", name, 12, **setting) == right
    try:
        theirs = _lrs("torch", name, 12, **setting)
    except NotImplementedError:
        assert "ends with" in title
    else:
        assert "begins with" in title
        assert theirs != right


@pytest.mark.parametrize(("name", "setting", "wrong"), [
    ("StepLR", {"step_size": 3}, [3, 6, 9, 12, 15, 18, 21]),
    ("MultiStepLR", {"milestones": [3, 8]}, [3, 8]),
    ("ConstantLR", {}, [5]),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2}, list(range(10, 24))),
    ("SequentialLR", {"schedulers": [("ExponentialLR", {"gamma": 0.5}), ("LinearLR", {})], "milestones": [30]},
     list(range(1, 24))),
])
def test_a_resume_by_last_epoch_does_nothing_twice(name, setting, wrong):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert _by_last_epoch("reference", name, setting) == []
        assert _by_last_epoch("torch", name, setting) == wrong


def test_a_base_that_is_there_already_is_not_that_of_a_cycle():
    for side, first in (("reference", [0.25, 0.25]), ("torch", [0.1, 0.5])):
        on = optimizer(side)
        made(side, "StepLR", {"step_size": 9}, on)
        cycle = made(side, "CyclicLR", {"base_lr": 0.25, "max_lr": 0.5}, on)
        assert cycle.base_lrs == [0.25, 0.25]
        assert cycle.get_last_lr() == [group["lr"] for group in on.param_groups] == first


def test_a_replaced_step_is_told_not_an_attribute_error():
    on = SGD([Parameter(np.zeros(1))], lr=0.5)
    on.step = lambda: None
    schedule = LambdaLR(on, lambda epoch: 1.0)
    with pytest.warns(UserWarning, match="step was replaced"):
        schedule.step()
    theirs = optimizer("torch")
    theirs.step = lambda: None
    with pytest.raises(AttributeError, match="__func__"):
        made("torch", "LambdaLR", {"lr_lambda": lambda epoch: 1.0}, theirs)

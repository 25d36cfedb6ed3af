"""Refusals and warnings: torch's kind of error, and a message with the argument, what was needed and what came."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from reference.optim import SGD, Adagrad, Parameter
from reference.optim.lr_scheduler import LRScheduler, StepLR
from tests.optim.lr_scheduler.settings import SIMPLE
from tests.optim.lr_scheduler.twin_schedules import SIDES, made, optimizer

CYCLE, ONE = {"base_lr": 0.1, "max_lr": 0.4}, {"max_lr": 0.4}
PART = ("ConstantLR", {})

#: Refused by both: class, arguments, error, message.
REFUSED = [
    ("LambdaLR", {"lr_lambda": [abs]}, ValueError, "lr_lambda needs .* 2 groups, got 1"),
    ("MultiplicativeLR", {"lr_lambda": (abs,)}, ValueError, "lr_lambda needs .* 2 groups, got 1"),
    ("MultiStepLR", {"milestones": 5}, TypeError, "milestones needs .* got int"),
    ("ConstantLR", {"factor": 1.5}, ValueError, r"factor needs .*\[0, 1\], got 1.5"),
    ("ConstantLR", {"factor": -0.1}, ValueError, r"factor needs .*\[0, 1\], got -0.1"),
    ("LinearLR", {"start_factor": 0}, ValueError, r"start_factor needs .*\(0, 1\], got 0"),
    ("LinearLR", {"start_factor": 1.1}, ValueError, "start_factor needs .* got 1.1"),
    ("LinearLR", {"end_factor": 1.5}, ValueError, "end_factor needs .* got 1.5"),
    ("LinearLR", {"end_factor": -0.1}, ValueError, "end_factor needs .* got -0.1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, ValueError, "T_0 needs .* got 0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 10.0}, ValueError, "T_0 needs .* got 10.0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 0}, ValueError, "T_mult needs .* got 0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 1.5}, ValueError, "T_mult needs .* got 1.5"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "eta_min": "a"}, ValueError, "eta_min needs .* got 'a' of type str"),
    ("CyclicLR", {**CYCLE, "mode": "x"}, ValueError, "mode needs .* got 'x'"),
    ("CyclicLR", {**CYCLE, "base_lr": [0.1]}, ValueError, "base_lr needs .* 2 groups, got 1"),
    ("CyclicLR", {**CYCLE, "max_lr": [0.1]}, ValueError, "max_lr needs .* 2 groups, got 1"),
    ("CyclicLR", {**CYCLE, "base_momentum": [0.1]}, ValueError, "base_momentum needs .* 2 groups, got 1"),
    ("OneCycleLR", ONE, ValueError, "total_steps, or epochs and steps_per_epoch, need"),
    ("OneCycleLR", {**ONE, "epochs": 2}, ValueError, "got None, 2 and None"),
    ("OneCycleLR", {**ONE, "total_steps": 0}, ValueError, "total_steps needs .* got 0"),
    ("OneCycleLR", {**ONE, "total_steps": 5.0}, ValueError, "total_steps needs .* got 5.0"),
    ("OneCycleLR", {**ONE, "epochs": 0, "steps_per_epoch": 2}, ValueError, "epochs needs .* got 0"),
    ("OneCycleLR", {**ONE, "epochs": 2, "steps_per_epoch": 1.5}, ValueError, "steps_per_epoch needs .* got 1.5"),
    ("OneCycleLR", {**ONE, "total_steps": 8, "pct_start": 1}, ValueError, "pct_start needs .* got 1"),
    ("OneCycleLR", {**ONE, "total_steps": 8, "pct_start": 1.5}, ValueError, "pct_start needs .* got 1.5"),
    ("OneCycleLR", {**ONE, "total_steps": 8, "anneal_strategy": "x"}, ValueError, "anneal_strategy needs .* got 'x'"),
    ("OneCycleLR", {"max_lr": [0.4], "total_steps": 8}, ValueError, "max_lr needs .* 2 groups, got 1"),
    ("OneCycleLR", {**ONE, "total_steps": 8, "max_momentum": [0.1]}, ValueError, "max_momentum needs .* got 1"),
    ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, "factor needs .* got 1.0"),
    ("ReduceLROnPlateau", {"mode": "x"}, ValueError, "mode needs .* got 'x'"),
    ("ReduceLROnPlateau", {"threshold_mode": "x"}, ValueError, "threshold_mode needs .* got 'x'"),
    ("ReduceLROnPlateau", {"min_lr": [0.1]}, ValueError, "min_lr needs .* 2 groups, got 1"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, ValueError, "at least one scheduler, got none"),
    ("SequentialLR", {"schedulers": [PART, PART], "milestones": [3, 4]}, ValueError, "milestones needs .* got 2"),
    ("SequentialLR", {"schedulers": [PART, ("ReduceLROnPlateau", {})], "milestones": [3]}, ValueError, "at index 1"),
    ("ChainedScheduler", {"schedulers": []}, ValueError, "at least one scheduler, got none"),
    ("ChainedScheduler", {"schedulers": [("ReduceLROnPlateau", {})]}, ValueError, "ReduceLROnPlateau at index 0"),
]


@pytest.mark.parametrize(("name", "arguments", "raises", "match"), REFUSED)
def test_refused_here_and_by_torch(name, arguments, raises, match):
    with pytest.raises(raises, match=match):
        made("reference", name, arguments, optimizer("reference"))
    with pytest.raises(raises):
        made("torch", name, arguments, optimizer("torch"))


@pytest.mark.parametrize(("name", "arguments", "match"), [
    ("StepLR", {"step_size": 0}, "step_size needs .* got 0"),
    ("StepLR", {"step_size": -2}, "step_size needs .* got -2"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max needs .* got 0"),
    ("PolynomialLR", {"power": -1}, "power needs .* got -1"),
    ("CyclicLR", {**CYCLE, "scale_fn": abs, "scale_mode": "x"}, "scale_mode needs .* got 'x'"),
    ("CyclicLR", {**CYCLE, "step_size_up": -1}, "step_size_up needs .* got -1"),
    ("CyclicLR", {**CYCLE, "step_size_up": 0}, "step_size_up and step_size_down need .* got 0 and None"),
    ("OneCycleLR", {**ONE, "total_steps": 8, "div_factor": 0}, "div_factor .* got 0"),
    ("SequentialLR", {"schedulers": [PART] * 3, "milestones": [4, 2]}, "milestones needs .* got .4, 2"),
])
def test_refused_here_where_torch_divides_by_zero_or_goes_astray(name, arguments, match):
    with pytest.raises(ValueError, match=match):
        made("reference", name, arguments, optimizer("reference"))


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("side", SIDES)
def test_what_is_no_optimizer_is_refused(side, name):
    error = AttributeError if side == "torch" and name in ("LambdaLR", "MultiplicativeLR") else TypeError
    with pytest.raises(error):
        made(side, name, SIMPLE[name][3], 3)


@pytest.mark.parametrize("name", sorted(SIMPLE.keys() - {"ReduceLROnPlateau", "CyclicLR"}))
@pytest.mark.parametrize("side", SIDES)
def test_a_resume_without_a_base_is_refused(side, name):
    with pytest.raises(KeyError, match="initial_lr"):
        made(side, name, {**SIMPLE[name][3], "last_epoch": 2}, optimizer(side))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("name", "arguments"), [("CyclicLR", CYCLE), ("OneCycleLR", {**ONE, "total_steps": 9})])
def test_momentum_needs_an_optimizer_that_has_it(side, name, arguments):
    _, module, parameter = SIDES[side]
    on = module.Adagrad([parameter()])
    with pytest.raises(ValueError, match="momentum"):
        made(side, name, arguments, on)
    made(side, name, {**arguments, "cycle_momentum": False}, on)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["SequentialLR", "ChainedScheduler"])
def test_parts_of_another_optimizer_are_refused(side, name):
    schedules = SIDES[side][0]
    first, other = (schedules.ConstantLR(optimizer(side)) for _ in range(2))
    arguments = [first.optimizer] if name == "SequentialLR" else []
    with pytest.raises(ValueError, match="at index 1"):
        getattr(schedules, name)(*arguments, [first, other], *([[3]] if arguments else []))


@pytest.mark.parametrize("side", SIDES)
def test_refused_in_a_step(side):
    on = optimizer(side)
    restarts = made(side, "CosineAnnealingWarmRestarts", {"T_0": 2}, on)
    cycle = made(side, "OneCycleLR", {**ONE, "total_steps": 3}, on)
    on.step()
    with pytest.raises(ValueError, match=r"epoch.*-1"):
        restarts.step(-1)
    for _ in range(3):
        cycle.step()
    with pytest.raises(ValueError, match=r"total.steps.* 3"):
        cycle.step()
    plateau = made(side, "ReduceLROnPlateau", {"patience": 0, "min_lr": [0.0, 0.0]}, on)
    with pytest.raises(ValueError, match="'a'"):
        plateau.step("a")
    with pytest.raises(TypeError):
        plateau.step(None)
    _, _, parameter = SIDES[side]
    on.add_param_group({"params": [parameter()]})
    plateau.step(1.0)
    with pytest.raises(RuntimeError, match="min_lrs"):
        plateau.step(2.0)


@pytest.mark.parametrize("side", SIDES)
def test_a_group_that_comes_later(side):
    _, _, parameter = SIDES[side]
    on = optimizer(side)
    step, factor, plateau = (made(side, name, arguments, on) for name, arguments in (
        ("StepLR", {"step_size": 1}), ("LambdaLR", {"lr_lambda": lambda epoch: 1.0}),
        ("ReduceLROnPlateau", {"patience": 0, "min_lr": 0.02})))
    on.step()
    on.add_param_group({"params": [parameter()], "lr": 1.0})
    step.step()
    assert on.param_groups[2]["lr"] == 0.1
    with pytest.raises(ValueError, match=r"groups|zip"):
        factor.step()
    plateau.step(1.0)
    plateau.step(2.0)
    assert on.param_groups[2]["lr"] == 0.02


# Warnings


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", sorted(SIMPLE.keys() - {"ReduceLROnPlateau"}))
def test_a_step_before_the_optimizers_is_warned_of(side, name):
    schedule = made(side, name, SIMPLE[name][3], optimizer(side))
    if (side, name) == ("torch", "CosineAnnealingWarmRestarts"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            schedule.step()  # which it never warns of
        return
    with pytest.warns(UserWarning, match=r"optimizer.step\(\)") as caught:
        schedule.step()
    assert caught[0].filename == __file__  # the line that is to be changed
    schedule.step()  # warns once


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", sorted(SIMPLE.keys() - {"ReduceLROnPlateau"}))
def test_a_step_after_the_optimizers_is_not(side, name):
    on = optimizer(side)
    on.step()
    schedule = made(side, name, SIMPLE[name][3], on)
    on.step()
    schedule.step()


@pytest.mark.parametrize("side", SIDES)
def test_a_step_of_the_optimizer_before_the_first_schedule_does_not_count(side):
    on = optimizer(side)
    on.step()
    with pytest.warns(UserWarning, match=r"optimizer.step\(\)"):
        made(side, "StepLR", {"step_size": 3}, on).step()


@pytest.mark.parametrize("side", SIDES)
def test_a_step_replaced_after_the_schedule_was_made_is_warned_of(side):
    on = optimizer(side)
    schedule = made(side, "StepLR", {"step_size": 3}, on)
    on.step = lambda: None
    with pytest.warns(UserWarning, match=r"optimizer.*step"):
        schedule.step()


@pytest.mark.parametrize("side", SIDES)
def test_epochs_by_number_and_get_lr_from_outside_are_warned_of(side):
    on = optimizer(side)
    schedule, plateau = made(side, "StepLR", {"step_size": 3}, on), made(side, "ReduceLROnPlateau", {}, on)
    on.step()
    for step in (lambda: schedule.step(3), lambda: plateau.step(1.0, 3)):
        with pytest.warns(UserWarning, match="epoch") as caught:
            step()
        assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"get_last_lr\(\)") as caught:
        schedule.get_lr()
    assert caught[0].filename == __file__ or side == "torch"  # which names a line of its own


# Subclasses of users


@pytest.mark.parametrize("side", SIDES)
def test_users_subclass(side):
    schedules = SIDES[side][0]

    class Warmup(schedules.LRScheduler):
        def __init__(self, optimizer, n, last_epoch=-1):
            self.n = n
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            return [base * min(1, (self.last_epoch + 1) / self.n) for base in self.base_lrs]

    on = optimizer(side)
    schedule = Warmup(on, 4)
    on.step()
    found = [schedule.get_last_lr()]
    for _ in range(5):
        schedule.step()
        found.append(schedule.get_last_lr())
    assert found == [[0.1 * k / 4 if k < 4 else 0.1, 0.5 * k / 4] for k in (1, 2, 3, 4, 4, 4)]
    assert schedule.state_dict()["n"] == 4
    other = Warmup(optimizer(side), 9)
    other.load_state_dict(schedule.state_dict())
    assert (other.n, other.last_epoch) == (4, 5)
    assert isinstance(made(side, "ReduceLROnPlateau", {}, on), schedules.LRScheduler)
    with pytest.raises(NotImplementedError):
        schedules.LRScheduler(on)


def test_a_subclass_that_forgets_a_group_is_told():
    class Short(LRScheduler):
        def get_lr(self):
            return self.base_lrs[:1]

    with pytest.raises(ValueError, match="each of the 2 groups, got 1"):
        Short(optimizer("reference"))


def test_a_state_brings_its_hyperparameters():
    for side in SIDES:
        saved = made(side, "StepLR", {"step_size": 3, "gamma": 0.5}, optimizer(side)).state_dict()
        schedule = made(side, "StepLR", {"step_size": 9}, optimizer(side))
        schedule.load_state_dict(saved)
        assert (schedule.step_size, schedule.gamma) == (3, 0.5)


def test_callable_objects_are_saved_by_their_attributes():
    class Halves:
        def __init__(self, base=2):
            self.base = base

        def __call__(self, epoch):
            return self.base**-epoch

    def constant(epoch):
        return 1.0

    for side in SIDES:
        for name in ("LambdaLR", "MultiplicativeLR"):
            saved = made(side, name, {"lr_lambda": [Halves(3), constant]}, optimizer(side)).state_dict()
            assert saved["lr_lambdas"] == [{"base": 3}, None]
            mine = Halves()
            made("reference", name, {"lr_lambda": [mine, constant]}, optimizer("reference")).load_state_dict(saved)
            assert mine.base == 3
        saved = made(side, "CyclicLR", {**CYCLE, "scale_fn": Halves(3)}, optimizer(side)).state_dict()
        assert saved["_scale_fn_custom"] == {"base": 3}
        mine = Halves()
        made("reference", "CyclicLR", {**CYCLE, "scale_fn": mine}, optimizer("reference")).load_state_dict(saved)
        assert mine.base == 3


def test_an_array_of_one_element_is_a_learning_rate_and_stays_as_it_is():
    lr = np.array(0.5)
    on = SGD([Parameter(np.zeros(1))], lr=lr)
    schedule = StepLR(on, 1, gamma=0.5)
    on.step()
    schedule.step()
    assert (lr, schedule.base_lrs, on.param_groups[0]["lr"], schedule.get_last_lr()) == (0.5, [0.5], 0.25, [0.25])
    assert Adagrad([Parameter(np.zeros(1))], lr=lr).param_groups[0]["lr"] is lr


def test_a_function_of_python_is_saved_as_one():
    arguments = {"lr_lambda": abs}  # torch looks for its attributes
    assert made("reference", "LambdaLR", arguments, optimizer("reference")).state_dict()["lr_lambdas"] == [None, None]
    with pytest.raises(AttributeError):
        made("torch", "LambdaLR", arguments, optimizer("torch")).state_dict()

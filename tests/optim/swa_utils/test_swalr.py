"""The learning rate of stochastic weight averaging: torch's bit for bit, its closed form, and how it is resumed."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from torch.optim import swa_utils as torch_utils

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius
from reference.optim import SGD, Parameter, lr_scheduler, swa_utils
from reference.optim.swa_utils import SWALR
from reference.optim.swa_utils import swalr as module
from reference.optim.swa_utils.swalr import swalr, swalr_next

#: Arguments of SWALR.
SETTINGS = [{"swa_lr": lr, "anneal_epochs": n, "anneal_strategy": how} for lr, n, how in itertools.product(
    (0.05, 0.7, 0.0, -1.0, [0.05, 1e-3], (2.0, 0.25)), (0, 1, 2, 4, 10, 33, 150), ("cos", "linear"))]


def _schedules(settings, library, groups=(0.1, 0.003)):
    """An optimizer of either library, and the schedule."""
    make = Parameter if library is swa_utils else lambda a: torch.nn.Parameter(torch.from_numpy(a))
    optimizer = (SGD if library is swa_utils else torch.optim.SGD)(
        [{"params": [make(np.zeros(1))], "lr": lr} for lr in groups], lr=0.1)
    return optimizer, library.SWALR(optimizer, **settings)


def _play(settings, library, steps=200, outside=(), epochs=()):
    optimizer, lr = _schedules(settings, library)
    seen = []
    for step in range(steps):
        seen.append(([group["lr"] for group in optimizer.param_groups], lr.get_last_lr(), lr.last_epoch))
        optimizer.step()
        if step in outside:
            optimizer.param_groups[0]["lr"] *= 1.5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            lr.step(*[step // 2] * (step in epochs))
    return seen


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_learning_rates_are_torchs_bit_for_bit(settings):
    assert _play(settings, swa_utils) == _play(settings, torch_utils)


@pytest.mark.parametrize("settings", SETTINGS[::3], ids=str)
def test_changes_from_outside_and_steps_to_an_epoch_are_torchs(settings):
    options = {"steps": 40, "outside": (1, 4, 5, 20), "epochs": (3, 7, 21)}
    assert _play(settings, swa_utils, **options) == _play(settings, torch_utils, **options)


def test_it_starts_from_the_learning_rate_that_another_schedule_leaves():
    paths = []
    for library, schedulers in ((swa_utils, lr_scheduler), (torch_utils, torch.optim.lr_scheduler)):
        optimizer, lr = _schedules({"swa_lr": 0.05, "anneal_epochs": 4}, library)
        before = schedulers.ExponentialLR(optimizer, 0.5)
        path = []
        for step in range(12):
            optimizer.step()
            (before if step < 4 else lr).step()
            path.append(optimizer.param_groups[0]["lr"])
        paths.append(path)
    assert paths[0] == paths[1]
    assert paths[0][3] == 0.1 * 0.5**4
    assert paths[0][-1] == 0.05


@pytest.mark.parametrize("milestones", [[5, 12], [0, 3], [4, 4]])
def test_it_is_part_of_sequences_and_of_chains(milestones):
    paths = []
    for library, schedulers in ((swa_utils, lr_scheduler), (torch_utils, torch.optim.lr_scheduler)):
        optimizer, lr = _schedules({"swa_lr": 0.05, "anneal_epochs": 4}, library)
        parts = [schedulers.ExponentialLR(optimizer, 0.9), lr]
        if milestones[0]:
            whole = schedulers.SequentialLR(optimizer, [*parts, schedulers.StepLR(optimizer, 3)], milestones)
        else:
            whole = schedulers.ChainedScheduler(parts)
        path = []
        for _ in range(20):
            optimizer.step()
            whole.step()
            path.append([group["lr"] for group in optimizer.param_groups])
        paths.append(path)
    assert paths[0] == paths[1]


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize("anneal_epochs", [0, 1, 3, 10])
def test_the_recurrence_is_the_closed_form_within_what_its_roundings_add_up_to(anneal_epochs, anneal_strategy):
    arguments = (0.05, anneal_epochs, anneal_strategy)
    base = lr = balls(np.array(0.1))
    number = 0.1
    for epoch in range(14):
        number = swalr_next(epoch, number, *arguments)
        with arithmetic(Arithmetic.of("float64")):
            lr = swalr_next(epoch, lr, *arguments)
        with arithmetic(Arithmetic.exact(300)):
            right = swalr(epoch, base, *arguments) + 0 * base
            for found in (lr + 0 * base, 0 * base + swalr(epoch, 0.1, *arguments), 0 * base + number):
                assert abs(centre(found - right)) <= radius(lr + 0 * base) + radius(found - right)


def test_the_closed_form_ends_at_the_constant_and_passes_the_middle():
    assert [swalr(t, 0.5, 0.25, 2, "linear") for t in (0, 1, 2, 9)] == [0.5, 0.375, 0.25, 0.25]
    x = balls(np.array(0.5))
    for how in ("cos", "linear"):
        assert abs(centre(swalr(5, x, 0.25, 10, how)) - 0.375) <= radius(swalr(5, x, 0.25, 10, how))


def test_states_of_the_schedule_go_to_torch_and_back():
    settings = {"swa_lr": 0.05, "anneal_epochs": 7}
    for first, second in ((swa_utils, torch_utils), (torch_utils, swa_utils)):
        for stop in range(10):
            optimizer, lr = _schedules(settings, first)
            other, after = _schedules({"swa_lr": 0.9, "anneal_epochs": 2, "anneal_strategy": "linear"}, second)
            for _ in range(stop):
                optimizer.step(), lr.step()
            for group, saved in zip(other.param_groups, optimizer.param_groups, strict=True):
                group.update({key: saved[key] for key in ("lr", "initial_lr", "swa_lr")})
            after.load_state_dict(lr.state_dict())
            for _ in range(10):
                optimizer.step(), other.step(), lr.step(), after.step()
            assert after.get_last_lr() == lr.get_last_lr()
            assert after.state_dict() == lr.state_dict()


def test_resumed_by_last_epoch_it_goes_on_where_torchs_begins_anew():
    settings = {"swa_lr": 0.5, "anneal_epochs": 8}
    for stop in range(1, 12):
        lrs = []
        for library in (swa_utils, torch_utils):
            optimizer, lr = _schedules(settings, library)
            for _ in range(stop):
                optimizer.step(), lr.step()
            resumed = library.SWALR(optimizer, last_epoch=lr.last_epoch - 1, **settings)
            assert resumed.last_epoch == stop
            for _ in range(4):
                optimizer.step(), resumed.step()
            lrs.append(optimizer.param_groups[0]["lr"])
        uninterrupted = _play(settings, swa_utils, steps=stop + 5)[-1][0][0]
        assert lrs[0] == uninterrupted
        assert (lrs[1] == uninterrupted) == (stop >= 8)


#: What is refused: why, the arguments, kind of error and message.
SCHEDULE_REFUSALS = [
    ("an unknown strategy", {"swa_lr": 0.1, "anneal_strategy": "x"}, ValueError, "anneal_strategy .* '?x'?"),
    ("a negative number of epochs", {"swa_lr": 0.1, "anneal_epochs": -1}, ValueError, "anneal_epochs .* -1"),
    ("half an epoch", {"swa_lr": 0.1, "anneal_epochs": 1.5}, ValueError, r"anneal_epochs .* 1\.5"),
    ("a string of epochs", {"swa_lr": 0.1, "anneal_epochs": "3"}, ValueError, "anneal_epochs .* '?3'?"),
    ("three learning rates for two groups", {"swa_lr": [1.0, 2.0, 3.0]}, ValueError, "swa_lr .* 3"),
    ("a learning rate that is no number", {"swa_lr": "x"}, TypeError, "."),
    ("no learning rate", {"swa_lr": None}, TypeError, "."),
    ("resumed without a base", {"swa_lr": 0.1, "last_epoch": 3}, KeyError, "initial_lr"),
]


@pytest.mark.parametrize(("why", "settings", "raises", "match"), SCHEDULE_REFUSALS)
def test_refusals_of_the_schedule(why, settings, raises, match):
    for library in (swa_utils, torch_utils):
        with pytest.raises(raises, match=match):
            _schedules(settings, library)
    with pytest.raises(TypeError):
        SWALR(None, 0.1)


def test_a_group_that_comes_later_has_no_constant_learning_rate():
    for library, parameter in ((swa_utils, Parameter(np.zeros(1))), (torch_utils, torch.nn.Parameter(torch.zeros(1)))):
        optimizer, lr = _schedules({"swa_lr": 0.1}, library)
        optimizer.step()
        optimizer.add_param_group({"params": [parameter]})
        with pytest.raises(KeyError, match="swa_lr"):
            lr.step()


#: Mistakes in the schedule: the name that one stands for, and it.
SCHEDULE_MISTAKES = {
    "one step early": lambda epoch, *a: swalr_next(epoch + 1 if epoch else 0, *a),
    "one step late": lambda epoch, *a: swalr_next(max(epoch - 1, 0), *a),
    "always linear": lambda epoch, lr, swa, n, how: swalr_next(epoch, lr, swa, n, "linear"),
    "the shares exchanged": lambda epoch, lr, swa, n, how: swalr_next(epoch, swa, lr, n, how),
    "no recurrence": lambda epoch, lr, swa, n, how: swalr(epoch, lr, swa, n, how),
}


@pytest.mark.parametrize("mistake", SCHEDULE_MISTAKES)
def test_mistakes_in_the_schedule_are_found(mistake, monkeypatch):
    monkeypatch.setattr(module, "swalr_next", SCHEDULE_MISTAKES[mistake])
    assert any(_play(settings, swa_utils, 12) != _play(settings, torch_utils, 12) for settings in SETTINGS)

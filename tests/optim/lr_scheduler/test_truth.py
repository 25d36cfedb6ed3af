"""Closed forms and recurrences on balls: one is the truth of the other, within what its roundings add up to."""

from __future__ import annotations

import inspect
import random
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from flint import arb

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius
from tests.optim.lr_scheduler import rules
from tests.optim.lr_scheduler.settings import SETTINGS
from tests.optim.lr_scheduler.twin_schedules import LRS, play

EPOCHS = 40

#: By class: the closed form, the recurrence, and whether the recurrence needs the base too.
RECURRENT = {
    "StepLR": (rules.step_lr, rules.step_lr_next, False),
    "MultiStepLR": (rules.multi_step_lr, rules.multi_step_lr_next, False),
    "ConstantLR": (rules.constant_lr, rules.constant_lr_next, True),
    "LinearLR": (rules.linear_lr, rules.linear_lr_next, False),
    "ExponentialLR": (rules.exponential_lr, rules.exponential_lr_next, False),
    "PolynomialLR": (rules.polynomial_lr, rules.polynomial_lr_next, False),
    "CosineAnnealingLR": (rules.cosine_annealing_lr, rules.cosine_annealing_lr_next, True),
}
#: Numbers that rules compute with, and not choose by.
NUMBERS = {"gamma", "factor", "start_factor", "end_factor", "eta_min", "max_lr", "div_factor", "final_div_factor"}


def _on_balls(setting, rule):
    """The arguments, defaults too, with all that is computed with as balls."""
    defaults = {name: p.default for name, p in inspect.signature(rule).parameters.items() if p.default is not p.empty}
    return {key: balls(np.array(float(value))) if key in NUMBERS else value
            for key, value in {**defaults, **setting}.items()}


def _distance(a, b):
    """The largest distance of two arrays of balls, and the sum of their radii."""
    with arithmetic(Arithmetic.exact(300)):
        d = balls(np.zeros(2)) + a - b
    return abs(centre(d)), radius(d)


def _recurrences(name, setting, arithmetics):
    """The recurrence's balls at each epoch, in an arithmetic."""
    closed, following, with_base = RECURRENT[name]
    with arithmetic(arithmetics):
        base = lr = balls(np.array(LRS[:2]))
        options = _on_balls(setting, closed)
        for t in range(EPOCHS):
            lr = following(t, lr, *([base] if with_base else []), **options)
            yield lr


def _settings(name):
    # from 0 there is no way on by a quotient, and none is taken: see the settings of their own
    return random.Random(name).sample(SETTINGS[name], 4)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_recurrence_is_the_closed_form(name):
    """In real arithmetic: their distance is within the radii, which are those of 200 bits."""
    for setting in _settings(name):
        closed = RECURRENT[name][0]
        for t, lr in enumerate(_recurrences(name, setting, Arithmetic.exact(300))):
            with arithmetic(Arithmetic.exact(300)):
                truth = closed(t, balls(np.array(LRS[:2])), **_on_balls(setting, closed))
            distance, width = _distance(lr, truth)
            if name == "CosineAnnealingLR" and not np.all(np.isfinite(width)):
                assert t > setting["T_max"]  # 0 / 0 of balls, where the minimum was hit
                break
            assert np.all(distance <= width), (setting, t)
            assert np.all(width < 1e-60), (setting, t)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_class_is_within_its_roundings_of_the_truth(name):
    """The bound is the radius of the recurrence at 53 bits, hence follows from the setting and the epoch."""
    for setting in _settings(name):
        floats = play("reference", name, setting, steps=EPOCHS)
        for t, (lr, row) in enumerate(zip(_recurrences(name, setting, Arithmetic.of("float64")), floats, strict=True)):
            value = balls(np.array([row[0][0], row[1][0]]))
            distance, width = _distance(lr, value)
            if name == "CosineAnnealingLR" and not np.all(np.isfinite(width)):
                assert t >= setting["T_max"]
                break
            assert np.all(distance <= width), (setting, t)
            assert np.all(width <= np.array(LRS[:2]) / 10), (setting, t)  # else it says nothing


def test_a_recurrence_of_one_rounding_more_than_derived_is_seen():
    """A gamma that is one unit away leaves the balls, after a few epochs: they are narrow."""
    setting = {"gamma": 0.99}
    wrong = play("reference", "ExponentialLR", {"gamma": 0.99 * (1 + 2.0**-49)}, steps=EPOCHS)
    apart = [np.any(distance > width) for distance, width in
             (_distance(lr, balls(np.array([row[0][0], row[1][0]]))) for lr, row in
              zip(_recurrences("ExponentialLR", setting, Arithmetic.of("float64")), wrong, strict=True))]
    assert any(apart)


# Truths from a second origin: mpmath and fractions


def _mp(x):
    return mpmath.mpf(x)


@pytest.mark.parametrize(("rule", "arguments", "truth"), [
    (rules.cosine_annealing_lr, {"T_max": 7, "eta_min": 0.25},
     lambda t, base: (_mp(base) + _mp(0.25)) / 2 + (_mp(base) - _mp(0.25)) / 2 * mpmath.cos(mpmath.pi * t / 7)),
    (rules.cosine_annealing_warm_restarts, {"T_0": 100},
     lambda t, base: _mp(base) * mpmath.cos(mpmath.pi * t / 200) ** 2),
    (rules.polynomial_lr, {"total_iters": 31, "power": 2}, lambda t, base: _mp(base) * (_mp(31 - t) / 31) ** 2
     if t < 31 else _mp(0)),
    (rules.linear_lr, {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 29},
     lambda t, base: _mp(base) * (_mp(1) / 4 + _mp(min(t, 29)) / 58)),
    (rules.exponential_lr, {"gamma": 0.7}, lambda t, base: _mp(base) * mpmath.exp(t * mpmath.log(_mp(0.7)))),
    (rules.cyclic_lr, {"max_lr": 0.75, "step_size_up": 3, "step_size_down": 5},
     lambda t, base: _mp(base) + (_mp(0.75) - _mp(base)) * min(_mp(t % 8) / 3, _mp(8 - t % 8) / 5)),
    (rules.one_cycle_lr, {"total_steps": 40, "pct_start": 0.25},
     lambda t, top: _mp(top) * (_mp(1) / 25 + _mp(24) / 25 * mpmath.sin(mpmath.pi * t / 18) ** 2 if t <= 9 else
                                _mp(1) / 250000 + (1 - _mp(1) / 250000) * mpmath.cos(mpmath.pi * (t - 9) / 60) ** 2)),
])
def test_closed_forms_on_balls_hold_what_mpmath_says(rule, arguments, truth):
    with mpmath.workprec(400), arithmetic(Arithmetic.exact(200)):
        for t in range(40):
            lr = rule(t, balls(np.array([0.1])), **_on_balls(arguments, rule))
            exact = truth(t, 0.1)
            ball = lr.view(np.ndarray).item()
            assert ball.overlaps(arb(mpmath.nstr(exact, 100)))
            assert ball.rad() < 1e-55


@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_in_fractions(three_phase):
    """Linear annealing is rational: the floats are within three units of it, each of the roundings counted."""
    top, steps, p = Fraction(1), 40, Fraction(1, 4)
    initial, least = top / 25, top / 25 / 10000
    ends = [(0, initial), (p * steps - 1, top), *([(2 * p * steps - 2, initial)] if three_phase else []),
            (steps - 1, least)]
    for t in range(steps):
        (a, low), (b, high) = next((x, y) for x, y in pairwise(ends) if t <= y[0])
        exact = low + (high - low) * (t - a) / (b - a)
        found = rules.one_cycle_lr(t, 1.0, steps, 0.25, "linear", three_phase=three_phase)
        # a quotient, a difference, a product and a sum of terms of at most `top`, and two divisions of the ends
        assert abs(Fraction(found) - exact) <= 6 * top * Fraction(1, 2**53)


def test_restarts_are_counted_in_whole_numbers():
    for T_0, T_mult in ((1, 2), (1, 3), (3, 10), (7, 5)):
        start, length = 0, T_0
        for _ in range(12):
            assert rules.warm_restart(start, T_0, T_mult) == (0, length)
            assert rules.warm_restart(start + length - 1, T_0, T_mult) == (length - 1, length)
            start, length = start + length, length * T_mult


# What can be plotted is what the classes do


def _of_cycles(setting):
    shape = {key: setting[key] for key in ("step_size_up", "step_size_down", "mode", "gamma") if key in setting}
    lr = [rules.cyclic_lr(t, setting["base_lr"], setting["max_lr"], **shape) for t in range(EPOCHS)]
    low, high = setting.get("base_momentum", 0.8), setting.get("max_momentum", 0.9)
    return lr, [rules.cyclic_momentum(t, low, high, **shape) for t in range(EPOCHS)]


def _of_one_cycle(setting):
    setting = dict(setting)
    low, high = setting.pop("base_momentum", 0.85), setting.pop("max_momentum", 0.95)
    del setting["cycle_momentum"]
    lr = [rules.one_cycle_lr(t, **setting) for t in range(EPOCHS)]
    shape = {key: setting[key] for key in ("total_steps", "pct_start", "anneal_strategy", "three_phase")}
    return lr, [rules.one_cycle_momentum(t, low, high, **shape) for t in range(EPOCHS)]


@pytest.mark.parametrize(("name", "function"), [("CyclicLR", _of_cycles), ("OneCycleLR", _of_one_cycle)])
def test_cycles_are_what_their_functions_are(name, function):
    settings = [s for s in SETTINGS[name] if s.get("cycle_momentum") and "scale_fn" not in s]
    assert len(settings) > 10
    for setting in settings:
        rows = play("reference", name, setting, steps=EPOCHS)
        assert function(setting) == ([row[0][0] for row in rows], [row[0][1] for row in rows])


@pytest.mark.parametrize(("name", "function"), [
    ("LambdaLR", rules.lambda_lr), ("MultiplicativeLR", rules.multiplicative_lr),
    ("CosineAnnealingWarmRestarts", rules.cosine_annealing_warm_restarts)])
def test_other_schedules_are_what_their_functions_are(name, function):
    for setting in SETTINGS[name][:10]:
        rows = play("reference", name, setting, steps=EPOCHS)
        assert [row[0][0] for row in rows] == [function(t, LRS[0], **setting) for t in range(EPOCHS)]

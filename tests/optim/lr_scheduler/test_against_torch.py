"""Every schedule has torch's values bit for bit, over at least 40 settings and 200 steps; and mistakes are seen."""

from __future__ import annotations

import importlib
import math

import pytest

from reference.optim import lr_scheduler
from tests.optim.lr_scheduler import rules
from tests.optim.lr_scheduler.compare import different, plays
from tests.optim.lr_scheduler.settings import SETTINGS
from tests.optim.lr_scheduler.twin_schedules import STEPS


@pytest.mark.parametrize("name", SETTINGS)
def test_values_are_torchs_bit_for_bit(name):
    assert len(SETTINGS[name]) >= 40
    assert STEPS >= 200
    assert [line for setting, way in plays(name) for line in different(name, setting, **way)] == []


def test_all_classes_are_compared():
    assert SETTINGS.keys() == {name for name in lr_scheduler.__all__ if name[0].isupper()} - {"LRScheduler"}


def _cosine_in_epochs_of(shift):
    def wrong(epoch, lr, base_lr, T_max, eta_min=0.0):
        return rules.cosine_annealing_lr(epoch, base_lr, T_max + shift, eta_min)
    return wrong


def _not_clipped(epoch, T_0, T_mult=1):
    """The cycle by a logarithm of what is not shifted by one."""
    n = int(math.log(epoch / T_0 + 1, T_mult + 1)) if epoch else 0
    return epoch - T_0 * n, T_0 * T_mult**n


def _backwards(self):
    for part in reversed(self._schedulers):
        part.step()
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


#: By class: the module, the name in it, and the mistake that takes its place.
PLANTED = [
    ("LambdaLR", "lambda_lr", "lambda_lr", lambda epoch, base, f: base * f(epoch + 1)),
    ("MultiplicativeLR", "multiplicative_lr", "multiplicative_lr_next", lambda epoch, lr, f: lr * f(epoch - 1)),
    ("StepLR", "step_lr", "step_lr_next", lambda epoch, lr, size, gamma: lr * gamma ** ((epoch + 1) % size == 0)),
    ("StepLR", "step_lr", "step_lr", lambda epoch, base, size, gamma: base * gamma ** ((epoch + 1) // size)),
    ("MultiStepLR", "multi_step_lr", "multi_step_lr_next",
     lambda epoch, lr, stones, gamma: lr * gamma if epoch in set(stones) else lr),
    ("MultiStepLR", "multi_step_lr", "multi_step_lr",
     lambda epoch, base, stones, gamma: base * gamma ** sum(m < epoch for m in stones)),
    ("ConstantLR", "constant_lr", "constant_lr_next",
     lambda epoch, lr, base, factor, n: lr * factor if epoch == 0 else lr / factor if epoch == n else lr),
    ("ConstantLR", "constant_lr", "constant_lr", lambda epoch, base, factor, n: base * factor if epoch <= n else base),
    ("LinearLR", "linear_lr", "linear_lr_next",
     lambda epoch, lr, a, b, n: lr * a if epoch == 0 else lr * (a + (b - a) * min(epoch, n) / n)),
    ("LinearLR", "linear_lr", "linear_lr", lambda epoch, base, a, b, n: base * (a + (b - a) * min(epoch + 1, n) / n)),
    ("ExponentialLR", "exponential_lr", "exponential_lr_next", lambda epoch, lr, gamma: lr * gamma),
    ("ExponentialLR", "exponential_lr", "exponential_lr", lambda epoch, base, gamma: base * math.exp(-gamma * epoch)),
    ("PolynomialLR", "polynomial_lr", "polynomial_lr_next",
     lambda epoch, lr, n, power: lr if epoch == 0 or epoch > n else lr * (1 - epoch / n) ** power),
    ("PolynomialLR", "polynomial_lr", "polynomial_lr",
     lambda epoch, base, n, power: base * (1 - min(n, epoch) / n) ** (1 / power if power else 0)),
    ("CosineAnnealingLR", "cosine_annealing_lr", "cosine_annealing_lr_next", _cosine_in_epochs_of(0)),
    ("CosineAnnealingLR", "cosine_annealing_lr", "cosine_annealing_lr",
     lambda epoch, base, T, eta_min: rules.cosine_annealing_lr(min(epoch, T), base, T, eta_min)),
    ("CosineAnnealingWarmRestarts", "cosine_annealing_warm_restarts", "warm_restart", _not_clipped),
    ("CosineAnnealingWarmRestarts", "cosine_annealing_warm_restarts", "_cosine",
     lambda T_cur, T_i, base, eta_min: rules.cosine_annealing_lr(T_cur, base, T_i)),
    ("CyclicLR", "_triangle", "cycle_at", lambda epoch, total: math.floor(epoch / total)),
    ("CyclicLR", "cyclic_lr", "rises_at", lambda epoch, total, ratio: True),
    ("OneCycleLR", "one_cycle_lr", "cos_pi", lambda t, period, like: math.cos(math.pi * t / period / 2)),
    ("ReduceLROnPlateau", "reduce_lr_on_plateau", "is_better",
     lambda metric, best, mode, threshold, kind: metric <= best if mode == "min" else metric >= best),
    ("ReduceLROnPlateau", "reduce_lr_on_plateau", "reduced_lr", lambda lr, factor, least, eps: max(lr * factor, least)),
    ("SequentialLR", "sequential_lr", "restart", lambda part: part._update_lr()),
    ("SequentialLR", "sequential_lr", "bisect_right", lambda stones, t: sum(m < t for m in stones)),
    ("ChainedScheduler", "chained_scheduler", "ChainedScheduler.step", _backwards),
]


@pytest.mark.parametrize(("name", "module", "function", "wrong"), PLANTED,
                         ids=[f"{p[0]}-{p[2]}-{i}" for i, p in enumerate(PLANTED)])
def test_a_mistake_is_seen(monkeypatch, name, module, function, wrong):
    place = importlib.import_module(f"reference.optim.lr_scheduler.{module}")
    *classes, last = function.split(".")
    monkeypatch.setattr(getattr(place, classes[0]) if classes else place, last, wrong)
    assert any(_fails(name, setting, way) for setting, way in plays(name))


def _fails(name, setting, way):
    try:
        return different(name, setting, **way) != []
    except (ZeroDivisionError, ValueError, OverflowError):
        return True


def test_a_mistake_is_planted_in_every_class():
    assert {plant[0] for plant in PLANTED} == set(SETTINGS)

"""A schedule and its twin of torch, made alike and driven alike; what is seen of them at each step."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as theirs

import reference.optim
from reference.optim import lr_scheduler as ours

__all__ = ["SIDES", "made", "metrics", "optimizer", "play", "seen"]

STEPS = 200
LRS = (0.1, 0.5, 0.003)

#: The modules of schedules and of optimizers, and what makes a parameter.
SIDES: Mapping[str, tuple[ModuleType, Any, Any]] = {
    "reference": (ours, reference.optim, lambda: reference.optim.Parameter(np.zeros(1))),
    "torch": (theirs, torch.optim, lambda: torch.nn.Parameter(torch.zeros(1)))}


def optimizer(side: str, kind: str = "SGD", groups: int = 2) -> Any:
    """An optimizer with momentum or betas, of groups with learning rates of their own, that has made no step."""
    _, module, parameter = SIDES[side]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(module, kind)([{"params": [parameter()], "lr": lr} for lr in LRS[:groups]], lr=0.1, **options)


def made(side: str, name: str, arguments: Mapping[str, Any], on: Any) -> Any:
    """A schedule by the name of its class; of composed ones the parts first."""
    cls = getattr(SIDES[side][0], name)
    if "schedulers" in arguments:
        parts = [made(side, part, options, on) for part, options in arguments["schedulers"]]
        rest = {key: value for key, value in arguments.items() if key != "schedulers"}
        return cls(parts, **rest) if name == "ChainedScheduler" else cls(on, parts, **rest)
    return cls(on, **arguments)


def metrics(seed: int) -> Iterator[float]:
    """Losses that improve, stall, repeat and worsen, with a NaN and an infinity among them."""
    rng, x = random.Random(seed), 1.0
    while True:
        x *= rng.choice([0.9, 1.0, 1.0, 1.05, 0.99995])
        yield rng.choice([x, x, x, x, x, x, -x, float("nan"), float("inf")])


def seen(schedule: Any, on: Any) -> list[Any]:
    """Learning rates, momenta or betas, and counters."""
    groups = [(group["lr"], group.get("momentum"), group.get("betas")) for group in on.param_groups]
    counters = [getattr(schedule, name, None) for name in ("last_epoch", "T_cur", "T_i", "best", "num_bad_epochs",
                                                           "cooldown_counter")]
    return [*groups, *counters, *schedule.get_last_lr()]


def play(side: str, name: str, arguments: Mapping[str, Any], scenario: str = "plain", kind: str = "SGD",
         steps: int = STEPS, groups: int = 2, seed: int = 0) -> list[list[Any]]:
    """What is seen after the constructor and after each step.

    Scenarios: "plain"; "outside", where the learning rate is changed from outside now and then; "epochs", where some
    steps are ``step(epoch)``.
    """
    on = optimizer(side, kind, groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        schedule = made(side, name, arguments, on)
        on.step()
        rng, losses = random.Random(seed), metrics(seed)
        found = [seen(schedule, on)]
        for t in range(1, steps):
            if scenario == "outside" and rng.random() < 0.1:
                on.param_groups[rng.randrange(groups)]["lr"] *= rng.choice([0.5, 1.5])
            metric = [next(losses)] if name == "ReduceLROnPlateau" else []
            epoch = [_epoch(rng, name, t)] if scenario == "epochs" and rng.random() < 0.3 else []
            schedule.step(*metric, *epoch)
            found.append(seen(schedule, on))
    return found


def _epoch(rng: random.Random, name: str, t: int) -> float:
    return rng.randrange(t) + (rng.choice([0, 0.25, 0.3]) if name == "CosineAnnealingWarmRestarts" else 0)

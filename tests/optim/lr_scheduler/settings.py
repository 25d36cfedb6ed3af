"""Settings of every scheduler, for the reference and for torch alike: at least 40 of each class.

All are drawn from one seed, in the ranges where torch is right; ``test_where_torch_is_wrong`` has the others, one by
one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["COMPOSED", "SETTINGS", "SIMPLE", "Setting"]

Setting = Mapping[str, Any]

#: Settings of a class.
COUNT = 44


def _chosen(draw: Callable[[random.Random], dict[str, Any]], *fixed: dict[str, Any]) -> list[dict[str, Any]]:
    rng = random.Random(19)
    return [*fixed, *(draw(rng) for _ in range(COUNT - len(fixed)))]


def _inverse(a: float) -> Callable[[int], float]:
    return lambda epoch: 1 / (1 + a * epoch)


def _factor(a: float) -> Callable[[int], float]:
    return lambda epoch: 1 - a / (1 + epoch)


def _cyclic(rng: random.Random) -> dict[str, Any]:
    low, mode = rng.uniform(0, 0.5), rng.choice(["triangular", "triangular2", "exp_range"])
    setting = {"base_lr": low, "max_lr": low + rng.random(), "step_size_up": rng.choice([1, 2, 7, 30, 2.5]),
               "step_size_down": rng.choice([None, 1, 3, 20, 0.5]), "mode": mode, "gamma": rng.choice([1.0, 0.9, 0.99]),
               "cycle_momentum": rng.random() < 0.8, "base_momentum": rng.uniform(0.1, 0.8), "max_momentum": 0.9}
    if rng.random() < 0.3:
        setting |= {"scale_fn": _inverse(0.1), "scale_mode": rng.choice(["cycle", "iterations"]), "mode": "ignored"}
    return setting


def _one_cycle(rng: random.Random) -> dict[str, Any]:
    # 199 steps behind the first; the phase must not end at step 0, and the step behind the last is not taken
    steps = rng.choice([200, 201, 250, 1000])
    return {"max_lr": rng.uniform(0.1, 2), "total_steps": steps, "pct_start": rng.uniform(0, 0.5),
            "anneal_strategy": rng.choice(["cos", "linear"]), "cycle_momentum": rng.random() < 0.8,
            "base_momentum": rng.uniform(0, 0.85), "max_momentum": 0.95, "div_factor": rng.choice([25.0, 1.0, 7]),
            "final_div_factor": rng.choice([1e4, 3.0, 1]), "three_phase": rng.random() < 0.5}


def _plateau(rng: random.Random) -> dict[str, Any]:
    return {"mode": rng.choice(["min", "max"]), "factor": rng.choice([0.1, 0.5, 0.9]),
            "patience": rng.choice([0, 1, 4]), "threshold": rng.choice([1e-4, 0.0, 0.1]),
            "threshold_mode": rng.choice(["rel", "abs"]), "cooldown": rng.choice([0, 1, 5]),
            "min_lr": rng.choice([0, 1e-3]), "eps": rng.choice([1e-8, 1e-2])}


#: By class: the arguments behind the optimizer.
SIMPLE: Mapping[str, list[dict[str, Any]]] = {
    "LambdaLR": _chosen(lambda rng: {"lr_lambda": _inverse(rng.random())}),
    "MultiplicativeLR": _chosen(lambda rng: {"lr_lambda": _factor(rng.random())}),
    "StepLR": _chosen(lambda rng: {"step_size": rng.choice([1, 2, 3, 7, 30, 4.0]),
                                   "gamma": rng.choice([0.1, 0.5, 1.1, 0, rng.random()])}, {"step_size": 30}),
    "MultiStepLR": _chosen(lambda rng: {"milestones": rng.choices(range(200), k=rng.randint(0, 8)),
                                        "gamma": rng.choice([0.1, 0.5, rng.random()])},
                           {"milestones": [3, 3, 8]}, {"milestones": (0, 5)}, {"milestones": [8, 3, 3], "gamma": 0.5}),
    "ConstantLR": _chosen(lambda rng: {"factor": rng.uniform(0.01, 1), "total_iters": rng.randint(1, 250)}, {}),
    "LinearLR": _chosen(lambda rng: {"start_factor": rng.uniform(0.01, 1), "end_factor": rng.uniform(0.01, 1),
                                     "total_iters": rng.randint(1, 250)}, {}, {"end_factor": 0.5, "start_factor": 0.5}),
    "ExponentialLR": _chosen(lambda rng: {"gamma": rng.choice([0.5, 0.99, 1.01, 1.0, 0.0, rng.random()])}),
    "PolynomialLR": _chosen(lambda rng: {"total_iters": rng.randint(1, 250),
                                         "power": rng.choice([1.0, 0.9, 2, 0.0, rng.uniform(0, 3)])}, {}),
    "CosineAnnealingLR": _chosen(lambda rng: {"T_max": rng.choice([1, 2, 3, 10, 50, 100, 250, 7.5]),
                                              "eta_min": rng.choice([0.0, 0.01, 0.5])}),
    "CosineAnnealingWarmRestarts": _chosen(lambda rng: {"T_0": rng.choice([1, 2, 5, 10, 50]),
                                                        "T_mult": rng.choice([1, 2, 3]),
                                                        "eta_min": rng.choice([0.0, 0.01, 1])}),
    "CyclicLR": _chosen(_cyclic, {"base_lr": 0.1, "max_lr": 0.5}),
    "OneCycleLR": _chosen(_one_cycle, {"max_lr": 0.1, "epochs": 25, "steps_per_epoch": 8}),
    "ReduceLROnPlateau": _chosen(_plateau, {}),
}

#: What chains are made of, and sequences where torch is right: parts that multiply, not overwrite, and begin as such.
PARTS = ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")
LATER = (*PARTS, "LambdaLR", "MultiplicativeLR", "CosineAnnealingWarmRestarts", "CyclicLR")


def _parts(rng: random.Random, names: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, rng.choice(SIMPLE[name])) for name in rng.choices(names, k=rng.randint(1, 4))]


def _sequence(rng: random.Random) -> dict[str, Any]:
    parts = _parts(rng, LATER)
    return {"schedulers": parts, "milestones": sorted(rng.choices(range(0, 150), k=len(parts) - 1))}


def _chain_of_sequences(rng: random.Random) -> dict[str, Any]:
    return {"schedulers": [("SequentialLR", _sequence(rng)), *_parts(rng, PARTS)]}


#: The same, with the parts as (class, arguments).
COMPOSED: Mapping[str, list[dict[str, Any]]] = {
    "SequentialLR": _chosen(_sequence),
    "ChainedScheduler": [*_chosen(lambda rng: {"schedulers": _parts(rng, PARTS)}), *_chosen(_chain_of_sequences)[:10]],
}

SETTINGS = {**SIMPLE, **COMPOSED}

"""What is asked of ``ASGD``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.asgd import ASGD

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, EDGES, FULL_DECAY, VERY_LONG, short_enough, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "lambd", "alpha", "t0", "weight_decay", "maximize")
    return trajectory(options, rng, limits, {name: options[name] for name in names},
                      {"lr": 5e-3, "weight_decay": 0.05, "t0": 3})


SPEC = OptimSpec(
    name="ASGD", torch_names=("torch.optim.ASGD",), optimizer=ASGD, draw=_draw, allowed=short_enough,
    strength=3, long=VERY_LONG,
    extra=(*FULL_DECAY, *EDGES, {"t0": -3, "steps": 2},  # the average starts at once
           {"steps": 300, "lr": 0.1, "alpha": 0.5, "t0": 5}),  # a rate that float32 has to round at each step
    surrounded=({"t0": 0}, {"start": "one", "lambd": 0.1, "t0": 0, "weight_decay": 0.1}),
    axes=(*AXES, Axis("lr", (1e-2, 0.1)), Axis("lambd", (1e-4, 0.1)), Axis("alpha", (0.75, 0.5)),
          Axis("t0", (1e6, 5, 0)), Axis("weight_decay", (0, 0.1)), Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("lr is not a number", {"lr": float("nan")}, ValueError, r"lr .* got nan"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("no lr", {"lr": None}, TypeError, "NoneType"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

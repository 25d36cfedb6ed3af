"""What is asked of ``AdamW``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.adamw import AdamW

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "eps", "weight_decay", "amsgrad", "maximize")
    defaults = {name: options[name] for name in names} | {"betas": (options["beta1"], options["beta2"])}
    return trajectory(options, rng, limits, defaults, {"lr": 5e-4, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="AdamW", torch_names=("torch.optim.AdamW",), optimizer=AdamW, draw=_draw, allowed=decidable,
    strength=3, long=VERY_LONG, extra=EDGES,
    fixed=("amsgrad",),
    scales=True, in_arrays=("lr", "beta1", "beta2"),
    surrounded=({}, {"start": "one", "lr": 0.1, "weight_decay": 0.5, "amsgrad": True, "maximize": True}),
    axes=(*AXES, Axis("lr", (1e-3, 0.1)), Axis("beta1", (0.9, 0.8, 0.0)), Axis("beta2", (0.999, 0.9)),
          Axis("eps", (1e-8, 1e-3)), Axis("weight_decay", (1e-2, 0, 0.5)), Axis("amsgrad", (False, True)),
          Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("beta1 of one", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] .* got 1\.0"),
        Refusal("negative beta2", {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\] .* got -0\.1"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("decoupled decay cannot be chosen", {"decoupled_weight_decay": False}, TypeError,
                "decoupled_weight_decay"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

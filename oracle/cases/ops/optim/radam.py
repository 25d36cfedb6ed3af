"""What is asked of ``RAdam``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.radam import RAdam

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "eps", "weight_decay", "maximize", "decoupled_weight_decay")
    defaults = {name: options[name] for name in names} | {"betas": (options["beta1"], options["beta2"])}
    return trajectory(options, rng, limits, defaults, {"lr": 5e-4, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="RAdam", torch_names=("torch.optim.RAdam",), optimizer=RAdam, draw=_draw, allowed=decidable,
    surrounded=({}, {"start": "one", "lr": 0.1, "weight_decay": 0.1}),
    long=VERY_LONG, extra=(*DECAYS, *EDGES),
    strength=3,  # a mistake in decay shows where decay, its kind and start are all as they need to be
    axes=(*AXES[:2], Axis("steps", (1, 2, 10, 300, 6, 5), "rectified from the 6th on, or not at all", (300,)), AXES[3],
          Axis("lr", (1e-3, 0.1)), Axis("beta1", (0.9, 0.8, 0.0)),
          Axis("beta2", (0.999, 0.9, 0.5), "with 0.5 never rectified"), Axis("eps", (1e-8, 1e-3)),
          Axis("weight_decay", (0, 0.1)), Axis("decoupled_weight_decay", (False, True)),
          Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("beta1 of one", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] .* got 1\.0"),
        Refusal("negative beta2", {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\] .* got -0\.1"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("betas is one number", {"betas": 0.9}, TypeError, "float"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

"""What is asked of ``Adamax``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.adamax import Adamax

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    defaults = {name: options[name] for name in ("lr", "eps", "weight_decay", "maximize")}
    return trajectory(options, rng, limits, defaults | {"betas": (options["beta1"], options["beta2"])},
                      {"lr": 5e-4, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="Adamax", torch_names=("torch.optim.Adamax",), optimizer=Adamax, draw=_draw, allowed=decidable,
    strength=3, long=VERY_LONG, extra=(*DECAYS, *EDGES),
    surrounded=({}, {"start": "one", "lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    axes=(*AXES, Axis("lr", (2e-3, 0.1)), Axis("beta1", (0.9, 0.8, 0.5)), Axis("beta2", (0.999, 0.5)),
          Axis("eps", (1e-8, 1e-3)), Axis("weight_decay", (0, 0.1)), Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("beta1 of one", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] .* got 1\.0"),
        Refusal("beta2 of one", {"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] .* got 1\.0"),
        Refusal("betas is one number", {"betas": 0.9}, TypeError, "float"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

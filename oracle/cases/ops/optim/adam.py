"""What is asked of ``Adam``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.adam import Adam

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, VERY_LONG, short_enough, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay")
    defaults = {name: options[name] for name in names} | {"betas": (options["beta1"], options["beta2"])}
    return trajectory(options, rng, limits, defaults, {"lr": 5e-4, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="Adam", torch_names=("torch.optim.Adam",), optimizer=Adam, draw=_draw, allowed=short_enough,
    long=VERY_LONG, extra=(*DECAYS, *EDGES),
    strength=3,  # a mistake in decay shows where decay, its kind and start are all as they need to be
    fixed=("amsgrad",),
    scales=True, in_arrays=("lr", "beta1", "beta2"),
    surrounded=({}, {"start": "one", "lr": 0.1, "weight_decay": 0.1, "amsgrad": True, "maximize": True}),
    axes=(*AXES, Axis("lr", (1e-3, 0.1)), Axis("beta1", (0.9, 0.8, 0.0)), Axis("beta2", (0.999, 0.9)),
          Axis("eps", (1e-8, 1e-3)), Axis("weight_decay", (0, 0.1)), Axis("amsgrad", (False, True)),
          Axis("maximize", (False, True)), Axis("decoupled_weight_decay", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("lr is not a number", {"lr": float("nan")}, ValueError, r"lr .* got nan"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("beta1 of one", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] .* got 1\.0"),
        Refusal("negative beta1", {"betas": (-0.1, 0.9)}, ValueError, r"betas\[0\] .* got -0\.1"),
        Refusal("beta2 of one", {"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] .* got 1\.0"),
        Refusal("betas is one number", {"betas": 0.9}, TypeError, "float"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
        Refusal("an array for an iterable", {"params": np.ones(2)}, TypeError, "params .* float64"),
        Refusal("numbers for parameters", {"params": [1]}, TypeError, "params .* int"),
        Refusal("a group without parameters", {"params": [{"lr": 0.1}]}, KeyError, "params"),
    ),
)

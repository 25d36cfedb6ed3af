"""What is asked of ``RMSprop``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.rmsprop import RMSprop

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    """Without :func:`short_enough`'s cases, and without more that settle: the steps are larger here, 0.01 and up.

    Where a centred one's gradient is all decay it hardly changes, and its variance is lost in rounding.
    """
    steps, decay = options["steps"], options["weight_decay"] != 0
    in_group = options["layout"] == "groups"
    settles = (decay and steps > (2 if options["lr"] > 0.01 else 10)) or (
        in_group and options["momentum"] > 0 and steps > 10)
    steady = (decay or in_group) and options["grad"] in ("zero", "tiny", "eps") and (
        dtype == "bfloat16" or (options["centered"] and steps > 2))
    return decidable(options, dtype) and not settles and not steady


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize")
    return trajectory(options, rng, limits, {name: options[name] for name in names},
                      {"lr": 5e-4, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="RMSprop", torch_names=("torch.optim.RMSprop",), optimizer=RMSprop, draw=_draw, allowed=_allowed,
    fixed=("momentum", "centered"),
    surrounded=({}, {"start": "one", "lr": 0.1, "weight_decay": 0.1, "momentum": 0.9, "centered": True}),
    strength=3,
    long=VERY_LONG,
    extra=(*DECAYS, *EDGES,
           {"grad": "subnormal", "steps": 10, "layout": "matrix", "lr": 0.1, "alpha": 0.5, "eps": 0.001,
            "momentum": 0.9, "centered": True}),  # the variance is lost in rounding
    axes=(*AXES, Axis("lr", (1e-2, 0.1)), Axis("alpha", (0.99, 0.9, 0.5)), Axis("eps", (1e-8, 1e-3)),
          Axis("weight_decay", (0, 0.1)), Axis("momentum", (0, 0.9)), Axis("centered", (False, True)),
          Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative alpha", {"alpha": -0.1}, ValueError, r"alpha .* got -0\.1"),
        Refusal("alpha is not a number", {"alpha": float("nan")}, ValueError, r"alpha .* got nan"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative momentum", {"momentum": -0.9}, ValueError, r"momentum .* got -0\.9"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

"""What is asked of ``Adadelta``: its axes, draws and refusals."""

from __future__ import annotations

import numpy as np

from reference.optim.adadelta import Adadelta

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    """A mean of squared quotients of roots has a wide bound: with 8 bits two steps' says nothing.

    Nor does one step's where decay is all that the gradient is, and elsewhere that of many steps.
    """
    decays = options["weight_decay"] != 0 or options["layout"] == "groups"
    steady = decays and options["grad"] in ("zero", "tiny", "eps")
    wide = (steady and options["steps"] > 10) or (dtype == "bfloat16" and (options["steps"] > 1 or steady))
    return decidable(options, dtype) and not wide


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "rho", "eps", "weight_decay", "maximize")
    inside = {**options, "eps": options["eps"] ** 0.5}  # eps is beside the square
    return trajectory(inside, rng, limits, {name: options[name] for name in names},
                      {"lr": 0.5, "weight_decay": 0.05})


SPEC = OptimSpec(
    name="Adadelta", torch_names=("torch.optim.Adadelta",), optimizer=Adadelta, draw=_draw, allowed=_allowed,
    strength=3, long=VERY_LONG,
    extra=(*DECAYS, *EDGES, {"start": "zero", "grad": "eps", "steps": 10}),  # squares that float16 cannot hold
    surrounded=({}, {"start": "one", "weight_decay": 0.1, "maximize": True}),
    axes=(*AXES, Axis("lr", (1.0, 1e-2)), Axis("rho", (0.9, 0.5, 0.99)), Axis("eps", (1e-6, 1e-3)),
          Axis("weight_decay", (0, 0.1)), Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative rho", {"rho": -0.1}, ValueError, r"rho .* got -0\.1"),
        Refusal("rho above one", {"rho": 1.1}, ValueError, r"rho .* got 1\.1"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

"""What is asked of ``Muon``: its axes, draws and refusals.

Parameters are matrices.
"""

from __future__ import annotations

import numpy as np

from reference.optim._optimizer import Parameter
from reference.optim.muon import Muon

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]

_SHAPES = {"wide": ((2, 3), (1, 2)), "tall": ((3, 2), (3, 1)), "square": ((2, 2), (1, 1)),
           "empty": ((2, 3), (0, 2)), "groups": ((1, 3), (2, 2))}

_COEFFICIENTS = {"quintic": (3.4445, -4.775, 2.0315), "gentle": (1.7, -0.8, 0.1)}


def _allowed(options: Options, dtype: str) -> bool:
    """What is huge in float64 is infinite in bfloat16."""
    beyond = options["grad"] == "huge" and dtype == "float64"
    return not beyond and decidable(options, dtype)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "weight_decay", "momentum", "nesterov", "eps", "ns_steps", "adjust_lr_fn")
    defaults = {name: options[name] for name in names} | {
        "ns_coefficients": _COEFFICIENTS[options["ns_coefficients"]]}
    return trajectory(options, rng, limits, defaults, {"lr": 5e-4, "weight_decay": 0.05}, _SHAPES)


SPEC = OptimSpec(
    name="Muon", torch_names=("torch.optim.Muon",), optimizer=Muon, draw=_draw, allowed=_allowed,
    # Five iterations on so many elements prove nothing in the type.
    elementwise=False, sizes={"15x16": {"ns_steps": 1}, "17x3": {"ns_steps": 1}},
    in_arrays=(),
    surrounded=({}, {"start": "one", "lr": 0.1}),
    strength=3, long=VERY_LONG,
    axes=(*AXES[:3], Axis("layout", tuple(_SHAPES), "matrices all", early=True), Axis("lr", (1e-3, 0.1)),
          Axis("weight_decay", (0.1, 0)), Axis("momentum", (0.95, 0.6, 0)), Axis("nesterov", (True, False)),
          Axis("ns_coefficients", ("quintic", "gentle"), "none is a short binary fraction: those make ties"),
          Axis("eps", (1e-7, 1e-3)), Axis("ns_steps", (5, 1, 0)),
          Axis("adjust_lr_fn", (None, "original", "match_rms_adamw"))),
    slower="matrices of 1,000 rows take 5 times as long: nearly all of it is fifteen products, which NumPy's BLAS does "
           "in float32 at some 100 GFlop/s, and torch in bfloat16 by the processor's matrix unit (AMX)",
    refusals=(
        Refusal("negative lr", {"params": [Parameter(np.ones((2, 2)))], "lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"params": [Parameter(np.ones((2, 2)))], "lr": np.array([0.1, 0.1])}, ValueError,
                r"lr .* shape \(2,\)"),
        Refusal("negative momentum", {"params": [Parameter(np.ones((2, 2)))], "momentum": -0.1}, ValueError,
                r"momentum .* got -0\.1"),
        Refusal("negative weight decay", {"params": [Parameter(np.ones((2, 2)))], "weight_decay": -1.0}, ValueError,
                r"weight_decay .* got -1\.0"),
        Refusal("an unknown adjustment", {"params": [Parameter(np.ones((2, 2)))], "adjust_lr_fn": "rms"}, ValueError,
                "adjust_lr_fn .* got 'rms'"),
        Refusal("a vector", {"params": [Parameter(np.ones(2))]}, ValueError, r"matrices, got one of shape \(2,\)"),
        Refusal("a stack of matrices", {"params": [Parameter(np.ones((2, 2, 2)))]}, ValueError,
                r"shape \(2, 2, 2\)"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

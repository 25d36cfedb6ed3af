"""What is asked of ``Adagrad``: its axes, draws and refusals.

Gradients may be sparse.
"""

from __future__ import annotations

import numpy as np

from reference.optim.adagrad import Adagrad

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, SPARSITY, VERY_LONG, decidable, sparsified, trajectory

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    """Huge gradients have a square a seventh of the largest number: the sum of ten is none any more.

    Nor is the sum of two, where an element is in each gradient twice.

    Sparse ones take no decay, and the layout with groups has some.
    """
    if options["sparsity"] != "dense" and (options["weight_decay"] != 0 or options["layout"] == "groups"):
        return False
    overflows = options["grad"] == "huge" and options["steps"] > (1 if options["sparsity"] == "twice" else 2)
    return decidable(options, dtype) and not overflows


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps", "maximize")
    tau = {"initial_accumulator_value": 0.25} if options["initial_accumulator_value"] else {}
    drawn = trajectory(options, rng, limits, {name: options[name] for name in names},
                       {"lr": 5e-3, "weight_decay": 0.05, **tau})
    return sparsified(drawn, options["sparsity"], rng)


SPEC = OptimSpec(
    name="Adagrad", torch_names=("torch.optim.Adagrad",), optimizer=Adagrad, draw=_draw, allowed=_allowed,
    strength=3, long=VERY_LONG,
    extra=(*DECAYS, *EDGES, {"grad": "eps", "steps": 10, "layout": "groups"}),  # squares that float16 cannot hold
    fixed=("initial_accumulator_value",),
    scales=True,
    surrounded=({}, {"start": "one", "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    axes=(*AXES, Axis("lr", (1e-2, 0.1)), Axis("lr_decay", (0, 0.1)), Axis("weight_decay", (0, 0.1)),
          Axis("initial_accumulator_value", (0, 0.5)), Axis("eps", (1e-10, 1e-3)),
          Axis("maximize", (False, True)), SPARSITY),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative lr decay", {"lr_decay": -0.5}, ValueError, r"lr_decay .* got -0\.5"),
        Refusal("negative start of the sum", {"initial_accumulator_value": -1.0}, ValueError,
                r"initial_accumulator_value .* got -1\.0"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

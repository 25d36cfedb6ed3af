"""What is asked of ``SGD``: its axes, draws and refusals.

Gradients may be sparse.
"""

from __future__ import annotations

import numpy as np

from reference.optim.sgd import SGD

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, DECAYS, EDGES, SPARSITY, VERY_LONG, short_enough, sparsified, trajectory

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    """Nesterov's momentum has to have a momentum and no dampening, a sparse gradient no decay."""
    if options["sparsity"] != "dense" and (options["weight_decay"] != 0 or options["layout"] == "groups"):
        return False
    sound = not options["nesterov"] or (options["momentum"] > 0 and options["dampening"] == 0)
    return bool(sound and short_enough(options, dtype))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
    drawn = trajectory(options, rng, limits, {name: options[name] for name in names},
                       {"lr": 5e-4, "weight_decay": 0.05})
    return sparsified(drawn, options["sparsity"], rng)


SPEC = OptimSpec(
    name="SGD", torch_names=("torch.optim.SGD",), optimizer=SGD, draw=_draw, allowed=_allowed,
    scales=True, in_arrays=("lr", "weight_decay"),
    surrounded=({"momentum": 0.9}, {"start": "one", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
                {"momentum": 0.9, "dampening": 0.5, "maximize": True}, {}),
    long=VERY_LONG, extra=(*DECAYS, *EDGES),
    strength=3,  # a mistake in dampening shows where momentum, dampening and steps are all as they need to be
    axes=(*AXES, Axis("lr", (1e-3, 0.1)), Axis("momentum", (0, 0.9)), Axis("dampening", (0, 0.5)),
          Axis("weight_decay", (0, 0.1)), Axis("nesterov", (False, True)), Axis("maximize", (False, True)),
          SPARSITY),
    sized={"momentum": 0.9},
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative momentum", {"momentum": -0.9}, ValueError, r"momentum .* got -0\.9"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("Nesterov's momentum without one", {"nesterov": True}, ValueError, "nesterov .* got 0 and 0"),
        Refusal("Nesterov's momentum with dampening", {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
                ValueError, r"nesterov .* got 0\.9 and 0\.1"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("no lr", {"lr": None}, TypeError, "NoneType"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
        Refusal("an array for an iterable", {"params": np.ones(2)}, TypeError, "params .* float64"),
        Refusal("numbers for parameters", {"params": [1]}, TypeError, "params .* int"),
        Refusal("a group without parameters", {"params": [{"lr": 0.1}]}, KeyError, "params"),
    ),
)

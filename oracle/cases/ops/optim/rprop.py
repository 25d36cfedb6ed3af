"""What is asked of ``Rprop``: its axes, draws and refusals.

Gradients may turn by chance.
"""

from __future__ import annotations

import numpy as np

from reference.optim.rprop import Rprop

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, EDGES, VERY_LONG, short_enough, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    defaults = {"lr": options["lr"], "etas": (options["eta_minus"], options["eta_plus"]),
                "step_sizes": (options["smallest"], options["largest"]), "maximize": options["maximize"]}
    drawn = trajectory(options, rng, limits, defaults, {"lr": 0.5, "step_sizes": (1e-6, 1.0)})
    if not options["turns"]:
        return drawn
    turned = tuple(tuple(g if g is None else np.asarray(g * rng.choice((-1.0, 1.0, 1.0), g.shape), order="F")
                         for g in step) for step in drawn.gradients)
    return Trajectory(drawn.groups, drawn.defaults, turned)


SPEC = OptimSpec(
    name="Rprop", torch_names=("torch.optim.Rprop",), optimizer=Rprop, draw=_draw, allowed=short_enough,
    fixed=("lr",),
    surrounded=({}, {"turns": True, "eta_plus": 1.5}),
    strength=3, long=VERY_LONG, extra=EDGES,
    axes=(*AXES, Axis("turns", (False, True), "gradients keep their sign, or turn it by chance"),
          Axis("lr", (1e-2, 0.5)), Axis("eta_minus", (0.5, 0.3)), Axis("eta_plus", (1.2, 1.5)),
          Axis("smallest", (1e-6, 0.1), "the larger one is above the smaller lr"),
          Axis("largest", (50, 0.2), "the smaller one is below the larger lr"),
          Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("eta_minus of zero", {"etas": (0.0, 1.2)}, ValueError, r"etas .* got \(0\.0, 1\.2\)"),
        Refusal("eta_minus of one", {"etas": (1.0, 1.2)}, ValueError, r"etas .* got \(1\.0, 1\.2\)"),
        Refusal("eta_plus of one", {"etas": (0.5, 1.0)}, ValueError, r"etas .* got \(0\.5, 1\.0\)"),
        Refusal("etas the other way round", {"etas": (1.2, 0.5)}, ValueError, r"etas .* got \(1\.2, 0\.5\)"),
        Refusal("etas is one number", {"etas": 0.5}, TypeError, "float"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

"""What is asked of ``Adafactor``: its axes, draws and refusals.

The last gradient may be a spike, which the clipping threshold has to limit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reference.optim.adafactor import Adafactor

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, EDGES, VERY_LONG, decidable, trajectory

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    """Squares that underflow are lost unless eps1 is larger; float16 has no such small eps1 at all."""
    lost = options["eps1"] == 1e-30 and (options["grad"] == "tiny" or dtype == "float16")
    return not lost and decidable(options, dtype)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "beta2_decay", "d", "weight_decay", "maximize")
    defaults = {name: options[name] for name in names} | {"eps": (options["eps1"], options["eps2"])}
    drawn = trajectory({**options, "eps": limits.eps}, rng, limits, defaults, {"lr": 5e-4, "weight_decay": 0.05})
    if options["grad"] != "spike":
        return drawn
    *calm, last = drawn.gradients
    return replace(drawn, gradients=(*calm, tuple(np.asarray(100 * np.asarray(g), order="F") for g in last)))


SPEC = OptimSpec(
    name="Adafactor", torch_names=("torch.optim.Adafactor",), optimizer=Adafactor, draw=_draw,
    allowed=_allowed,
    long=VERY_LONG,
    extra=(*EDGES, {"layout": "stack", "steps": 2},
           {"grad": "spike", "steps": 10, "d": 2.0},  # an update that d has to limit
           {"start": "zero", "grad": "eps", "steps": 10, "layout": "vector", "lr": 0.4,
            "maximize": True}),  # squares that float16 cannot hold, of a vector
    strength=3,  # a mistake in a size shows where start, shape and limit are all as they need to be
    elementwise=False, sizes={size: {} for size in ("15x16", "33x17", "32x31", "129", "3x5x7")},
    surrounded=({"layout": "vector"}, {"layout": "vector", "start": "one", "weight_decay": 0.1}),
    axes=(AXES[0], Axis("grad", (*AXES[1].values, "spike"), "as for all; a hundred times as large in the last step",
                         early=True), AXES[2],
          Axis("layout", ("matrix", "vector", "scalar", "groups"), "no empty one: torch divides by zero there",
               early=True),
          Axis("lr", (1e-2, 0.4), "0.4 is above 1/sqrt(t) from the seventh step on"),
          Axis("beta2_decay", (-0.8, -0.5, 0.0)), Axis("eps1", (None, 1e-2, 1e-30)), Axis("eps2", (1e-3, 10.0)),
          Axis("d", (1.0, 2.0)), Axis("weight_decay", (0.0, 0.1)), Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("lr is not a number", {"lr": float("nan")}, ValueError, r"lr .* got nan"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("a growing beta2", {"beta2_decay": 0.1}, ValueError, r"beta2_decay .* got 0\.1"),
        Refusal("negative eps1", {"eps": (-1.0, 1e-3)}, ValueError, r"eps1 .* got -1\.0"),
        Refusal("negative eps2", {"eps": (None, -1e-3)}, ValueError, r"eps2 .* got -0\.001"),
        Refusal("eps is one number", {"eps": 1e-3}, TypeError, "float"),
        Refusal("one eps, where torch looks for the second", {"eps": (None,)}, ValueError, "eps needs .* 2 numbers",
                IndexError),
        Refusal("a threshold below one", {"d": 0.5}, ValueError, r"d .* got 0\.5"),
        Refusal("negative weight decay", {"weight_decay": -1.0}, ValueError, r"weight_decay .* got -1\.0"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

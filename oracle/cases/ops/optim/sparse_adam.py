"""What is asked of ``SparseAdam``: its axes, draws and refusals.

Gradients are always sparse.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reference.optim._optimizer import Parameter
from reference.optim.sparse_adam import SparseAdam

from ...spec import Axis, Limits, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, EDGES, SPARSITY, VERY_LONG, decidable, sparsified, trajectory

__all__ = ["SPEC"]


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    defaults = {name: options[name] for name in ("lr", "eps", "maximize")}
    drawn = trajectory(options, rng, limits, defaults | {"betas": (options["beta1"], options["beta2"])}, {"lr": 5e-4})
    return sparsified(drawn, options["sparsity"], rng)


SPEC = OptimSpec(
    name="SparseAdam", torch_names=("torch.optim.SparseAdam",), optimizer=SparseAdam, draw=_draw, allowed=decidable,
    surrounded=({},),
    strength=3, long=VERY_LONG, extra=EDGES,
    axes=(*AXES, replace(SPARSITY, values=SPARSITY.values[1:]), Axis("lr", (1e-3, 0.1)),
          Axis("beta1", (0.9, 0.8, 0.0)), Axis("beta2", (0.999, 0.9)), Axis("eps", (1e-8, 1e-3)),
          Axis("maximize", (False, True))),
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("lr of zero", {"lr": 0}, ValueError, "lr .* above 0, got 0"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("negative eps", {"eps": -1e-8}, ValueError, r"eps .* got -1e-08"),
        Refusal("eps of zero", {"eps": 0.0}, ValueError, r"eps .* above 0, got .* 0\.0"),
        Refusal("beta1 of one", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] .* got 1\.0"),
        Refusal("negative beta2", {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\] .* got -0\.1"),
        Refusal("betas is one number", {"betas": 0.9}, TypeError, "float"),
        Refusal("complex parameters", {"params": [Parameter(np.ones(2, complex))]}, ValueError, "params .* complex128"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
    ),
)

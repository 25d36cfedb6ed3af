"""Other ways to compute an optimizer's step that are right too: in float64."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_adam import PlainAdam
from tests.meta.plain_optimizer import Array, PlainOptimizer, Stepped
from tests.meta.ways_losses import double, single

__all__ = ["OptimizerInDouble", "SteppedInDouble"]


class OptimizerInDouble(PlainOptimizer):
    """A step in float64, from and to parameters and state in float32."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        wide = SimpleNamespace(data=double(p.data).copy())
        doubles = {name: value if name == "step" else double(value) for name, value in state.items()}
        if not state and isinstance(self, PlainAdam):
            names = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if o.amsgrad else ()))
            doubles = {"step": np.zeros((), np.float32)} | {name: np.zeros_like(wide.data) for name in names}
        super().update(wide, double(g), doubles, o)
        p.data[...] = wide.data
        state.update({name: single(value) for name, value in doubles.items()})


class SteppedInDouble(Stepped):
    """A step in float64, from and to parameters and state in float32."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        doubles = {name: value.astype(np.float64) for name, value in state.items()}
        new = super().stepped(theta.astype(np.float64), g.astype(np.float64), doubles, o)
        state.update({name: np.asarray(value).astype(np.float32) for name, value in doubles.items()})
        return new

"""L-BFGS, right and written in another way."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optim import LBFGS
from tests.meta.harness import Sound, kept_in
from tests.meta.plain_optimizer import Array

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)


@sound("LBFGS")
class FullMatrix(LBFGS):
    """The direction by the matrix H itself, updated pair by pair."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._set_direction(memory, g, first, o)
        if not first:
            one = np.eye(g.size, dtype=g.dtype)
            h = memory["H_diag"] * one
            for y, s, rho in zip(memory["old_dirs"], memory["old_stps"], memory["ro"], strict=True):
                turn = one - rho * np.outer(s, y)
                h = turn @ h @ turn.T + rho * np.outer(s, s)
            memory["d"] = -(h @ g).astype(g.dtype)
        return t

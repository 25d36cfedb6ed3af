"""Adafactor and Muon, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_matrices import PlainAdafactor, PlainMuon, to_bfloat16
from tests.meta.plain_optimizer import Array

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

for _op, _plain in (("Adafactor", PlainAdafactor), ("Muon", PlainMuon)):
    sound(_op)(_plain)  # as the mutants have them without their mistakes


@sound("Adafactor")
class AdafactorByNorms(PlainAdafactor):
    """Means of squares as squares of norms, divided."""

    def second_moment(self, g: Array, state: dict[str, Array], fresh: float, o: SimpleNamespace) -> Array:
        if g.ndim < 2:
            return super().second_moment(g, state, fresh, o)
        for name, axis in (("row_var", -1), ("col_var", -2)):
            norm = np.linalg.norm(g, axis=axis, keepdims=True)
            state[name] = state[name] + fresh * (norm**2 / g.shape[axis] - state[name])
        rows, columns = state["row_var"], state["col_var"]
        return (columns / np.maximum(np.mean(rows, -2, keepdims=True), o.eps1)) * rows


@sound("Muon")
class MuonInDouble(PlainMuon):
    """Products and sums of the iteration in float64, rounded to bfloat16 where the rule is."""

    def rounded(self, x: Array) -> Array:
        return to_bfloat16(x).astype(np.float64)

    def moved(self, theta: Array, o_t: Array, o: SimpleNamespace) -> Array:
        return super().moved(theta, o_t.astype(np.float32), o)

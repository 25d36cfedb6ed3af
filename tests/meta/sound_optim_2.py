"""NAdam, RAdam, Adafactor, SparseAdam, Muon and L-BFGS, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import LBFGS
from tests.meta.harness import Sound
from tests.meta.plain_optim import Array
from tests.meta.plain_optim_2 import PlainAdafactor, PlainMuon, PlainNAdam, PlainRAdam, PlainSparseAdam, to_bfloat16

__all__ = ["SOUND"]

SOUND: list[Sound] = []


def sound(op: str) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        SOUND.append(Sound(op, code.__name__, str(code.__doc__), code))
        return code

    return keep


for _op, _plain in (("NAdam", PlainNAdam), ("RAdam", PlainRAdam), ("Adafactor", PlainAdafactor),
                    ("SparseAdam", PlainSparseAdam), ("Muon", PlainMuon)):
    sound(_op)(_plain)  # as the mutants have them without their mistakes


@sound("NAdam")
class NadamTwoSteps(PlainNAdam):
    """The parts of gradient and moment are subtracted one after the other, as in torch."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        below, ahead, product = self.denominator(v, t, o), self.mu(t + 1, o), float(self.product)
        theta = theta - (o.lr * (1 - self.mu(t, o)) / (1 - product)) * self.g / below
        return theta - (o.lr * ahead / (1 - product * ahead)) * m / below


@sound("RAdam")
class RadamReciprocal(PlainRAdam):
    """All factors in one number, times the reciprocal of √v + eps."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        rho = self.rho(t, o)
        if not self.settled(rho):
            return super().moved(theta, m, v, t, o)
        size = o.lr / (1 - o.beta1**t) * (1 - o.beta2**t) ** 0.5 * self.rectifier(rho, o)
        return theta - size * (m * (1 / (np.sqrt(v) + o.eps)))


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


@sound("SparseAdam")
class SparseAdamLerp(PlainSparseAdam):
    """The divisor's root of the correction, not the step's."""

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return (o.lr / (1 - o.beta1**t)) * (m * ((1 - o.beta2**t) ** 0.5 / (np.sqrt(v) + o.eps)))


@sound("Muon")
class MuonInDouble(PlainMuon):
    """Products and sums of the iteration in float64, rounded to bfloat16 where the rule is."""

    def rounded(self, x: Array) -> Array:
        return to_bfloat16(x).astype(np.float64)

    def moved(self, theta: Array, o_t: Array, o: SimpleNamespace) -> Array:
        return super().moved(theta, o_t.astype(np.float32), o)


@sound("LBFGS")
class FullMatrix(LBFGS):
    """The direction by the matrix H itself, updated pair by pair."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._direct(memory, g, first, o)
        if not first:
            one = np.eye(g.size, dtype=g.dtype)
            h = memory["H_diag"] * one
            for y, s, rho in zip(memory["old_dirs"], memory["old_stps"], memory["ro"], strict=True):
                turn = one - rho * np.outer(s, y)
                h = turn @ h @ turn.T + rho * np.outer(s, s)
            memory["d"] = -(h @ g).astype(g.dtype)
        return t

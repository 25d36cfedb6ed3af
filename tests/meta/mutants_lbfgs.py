"""Mistakes in L-BFGS: the reference with one of its steps replaced. A class's docstring says which one."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optim import LBFGS
from reference.optim import lbfgs as lbfgs_module
from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_optimizer import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


@plant("LBFGS")
class FirstStepFull(LBFGS):
    """The very first step is lr times the gradient, whatever its size."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        return type(LBFGS._set_direction(memory, g, first, o))(o["lr"])


@plant("LBFGS")
class FirstStepEuclidean(LBFGS):
    """min(1, 1/‖g‖₂) for 1/‖g‖₁."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._set_direction(memory, g, first, o)
        return min(1.0, 1.0 / np.sqrt(np.sum(g * g))) * o["lr"] if first else t


@plant("LBFGS")
class UnscaledHessian(LBFGS):
    """H starts from the identity."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._set_direction(memory, g, first, o)
        if not first:
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"], 1)
        return t


@plant("LBFGS")
class ScaleOfFirstPair(LBFGS):
    """H starts from s·s / y·s, the other of Barzilai and Borwein's."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._set_direction(memory, g, first, o)
        if memory["ro"]:
            s = memory["old_stps"][-1]
            memory["H_diag"] = np.sum(s * s) * memory["ro"][-1]
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"],
                                                    memory["H_diag"])
        return t


@plant("LBFGS")
class OldestKept(LBFGS):
    """A full history drops its newest pair."""

    @staticmethod
    def _set_direction(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        full = not first and len(memory["ro"]) == o["history_size"]
        if full:
            o = {**o, "history_size": o["history_size"] + 1}
        t = LBFGS._set_direction(memory, g, first, o)
        if full and len(memory["ro"]) == o["history_size"]:
            for name in ("old_dirs", "old_stps", "ro"):
                memory[name].pop(1)
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"],
                                                    memory["H_diag"])
        memory["al"] = memory.get("al", [None])[:1] if full else memory.get("al", [])
        if not memory["al"]:
            del memory["al"]
        return t


@plant("LBFGS", note="shape|missing|equal")
class FreshEveryCall(LBFGS):
    """Each call of step starts without a history."""

    def _iterate(self, closure: Any, o: dict[str, Any]) -> Any:
        self.state[self.param_groups[0]["params"][0]].clear()
        return super()._iterate(closure, o)


@plant("LBFGS")
class TolerancesSwapped(LBFGS):
    """tolerance_grad and tolerance_change for each other."""

    def _iterate(self, closure: Any, o: dict[str, Any]) -> Any:
        return super()._iterate(closure, {**o, "tolerance_grad": o["tolerance_change"],
                                       "tolerance_change": o["tolerance_grad"]})


@plant("LBFGS")
class ArmijoOnly(LBFGS):
    """The line search takes the first trial that goes down."""

    def _iterate(self, closure: Any, o: dict[str, Any]) -> Any:
        original = lbfgs_module.strong_wolfe
        lbfgs_module.strong_wolfe = lambda *a, **k: original(*a, **{**k, "c2": 1e6})  # type: ignore[assignment]
        try:
            return super()._iterate(closure, o)
        finally:
            lbfgs_module.strong_wolfe = original


@plant("LBFGS", note="equal")
class NoBudget(LBFGS):
    """max_eval is not read."""

    def _iterate(self, closure: Any, o: dict[str, Any]) -> Any:
        return super()._iterate(closure, {**o, "max_eval": 10**6 if o["line_search_fn"] is None else 25})

"""How the dialects of optimizers are made: from a pure rule, or from the reference's with other options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from reference import optim
from reference.numerics import widen
from reference.optim import SparseGrad

from ..cases.spec import OptimSpec

__all__ = ["Array", "Change", "Options", "decayed", "flushed", "rule", "starting_at_zero", "with_options"]

Array = np.ndarray[Any, Any]
Change = Callable[[OptimSpec], OptimSpec]
Options = Mapping[str, Any]


def rule(step: Callable[..., tuple[Array, ...]], states: Callable[[Options], Mapping[str, float]],
         counts: bool = True, numbers: Mapping[str, float] = MappingProxyType({})) -> Change:
    """``theta, *state = step(theta, g, *state, t=t, **options)``; sparse gradients are left to the reference.

    Args:
        step: the rule.
        states: from the options the names of the states that are arrays, and the number that each starts at.
        counts: is there a state ``step`` as well?
        numbers: further states, of one element each; their type is float32, as in torch.
    """

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[misc, name-defined]  # of whatever optimizer the spec has
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                if isinstance(grad, SparseGrad):
                    return super()._update(p, grad, options)
                starts, state = states(options), self.state[p]
                for name, start in starts.items():
                    state.setdefault(name, np.full_like(p.data, start))
                for name, start in numbers.items():
                    state.setdefault(name, np.full_like(p.data, start, np.float32, shape=()))
                self.steps = getattr(self, "steps", {})
                t = self.steps[p] = self.steps.get(p, int(state.get("step", 0))) + 1  # state may have been loaded
                if counts:
                    state["step"] = np.asarray(t, np.float32)
                names = (*starts, *numbers)
                values = step(widen(p.data), widen(grad), *(widen(state[name]) for name in names), t=t, **options)
                for array, value in zip((p.data, *(state[name] for name in names)), values, strict=False):
                    array[...] = value
                return None

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


def with_options(change: Callable[[Options], Options]) -> Change:
    """The reference's rule with other options."""

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[misc, name-defined]  # as above
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                return super()._update(p, grad, {**options, **change(options)})

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


#: The smallest normal number of a storage type.
_TINY = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}


def flushed(x: Array) -> Array:
    """The array with 0 for what is below its type's normal numbers; longdouble is there for NaN and infinity alone."""
    tiny = _TINY.get((getattr(x, "stands_for", None) or x.dtype).name, 0.0)
    return np.asanyarray(np.where(np.abs(x) < tiny, 0, x))


def decayed(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    """Parameters and gradient as every rule begins: turned for ``maximize``, with L2 or decoupled decay."""
    g = -g if options["maximize"] else g
    decay = options["weight_decay"]
    if decay == 0:
        return theta, g
    if options.get("decoupled_weight_decay"):
        return (1 - options["lr"] * decay) * theta, g
    return theta, g + decay * theta


def starting_at_zero(*names: str) -> Callable[[Options], Mapping[str, float]]:
    """States of these names, which start at 0."""
    return lambda options: dict.fromkeys(names, 0)

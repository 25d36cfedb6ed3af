"""One step of an optimizer from a given state: the case that asks for it, and the reference's answer.

A trajectory starts from nothing. Here parameters, gradient and state are what somebody's training has at the moment,
and enter as exact numbers; so truth and bound are those of this step alone, whatever was wrong before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from reference.optim import Parameter, SparseGrad

from ..cases.case import Case
from ..cases.spec import OptimSpec
from .evaluate import Lift, _evaluate
from .history import entries
from .proof import Truth, prove

__all__ = ["PARAM", "Before", "StepCase", "prove_step", "step_case"]

Array = np.ndarray[Any, Any]

PARAM = "param"  #: the output that is the parameter; the others are its state, by torch's names


@dataclass(frozen=True)
class Before:
    """A parameter before a step: what the optimizer finds."""

    data: Array
    grad: Array | SparseGrad
    state: Mapping[str, Any]  #: arrays, and the count ``step``; empty before the first step
    options: Mapping[str, Any]  #: keyword arguments of the reference's class


@dataclass(frozen=True, kw_only=True, eq=False)
class _StepSpec(OptimSpec):
    """An optimizer of which one step is asked."""


@dataclass(frozen=True, eq=False)
class StepCase(Case):
    """The case of one step; it has no id of its own to be rebuilt from."""

    before: Before = None  # type: ignore[assignment]  # a field behind others that have defaults

    @cached_property
    def inputs(self) -> Any:
        """What the optimizer finds."""
        return self.before


def step_case(spec: OptimSpec, dtype: str, before: Before) -> StepCase:
    """The case of one step of an op."""
    made = _StepSpec(**{field.name: getattr(spec, field.name) for field in fields(spec)})
    return StepCase(made, dtype, {}, before=before)


def prove_step(case: StepCase, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of the parameter after the step, and of its state; each has a leading axis of one step.

    >>> from oracle.cases.registry import get
    >>> before = Before(np.float32([1.0]), np.float32([0.5]), {}, {"lr": 0.25})
    >>> truths = prove_step(step_case(get("SGD"), "float32", before))
    >>> truths["param"].hi, bool(truths["param"].bound < 1e-6)
    (array([[0.875]]), True)
    """
    return prove(case, accuracy)


@_evaluate.register
def _(spec: _StepSpec, case: Case, lift: Lift, inputs: Before) -> dict[str, Array]:
    def lifted(value: Any) -> Any:
        return lift(value.copy()) if isinstance(value, np.ndarray) else value

    p = Parameter(lifted(inputs.data))
    optimizer = spec.optimizer([p], **lift.mapping(inputs.options))
    p.grad = lift(inputs.grad)
    if inputs.state:
        optimizer.state[p] = {name: lifted(value) for name, value in inputs.state.items()}
    optimizer.step()
    state = {name: value.to_dense() if isinstance(value, SparseGrad) else value
             for name, value in entries(optimizer.state[p])}
    return {PARAM: p.data[None]} | {name: value[None] if isinstance(value, np.ndarray) else np.asarray([value])
                                    for name, value in state.items()}

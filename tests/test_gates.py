"""Nothing that the installed torch has is missing: every loss, every keyword, at two values at least.

The lists are read from torch, so that a loss that a later torch adds fails here by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from oracle.cases import cases
from reference import losses, registry
from reference.spec import LossSpec, Spec

#: Arguments of torch that choose an implementation or a place, not the value, and so are not in the references.
LEFT_OUT = {"options", "device", "dtype"}


def _parameters(function: Any) -> list[str]:
    """Names of the arguments, in order; none where Python cannot tell."""
    try:
        return [name for name in inspect.signature(function).parameters if name not in LEFT_OUT]
    except (TypeError, ValueError):
        return []


FUNCTIONS = sorted(name for name, f in vars(torch.nn.functional).items()
                   if not name.startswith("_") and inspect.isroutine(f) and "reduction" in _parameters(f))
MODULES = sorted(name for name in dir(torch.nn) if "Loss" in name and inspect.isclass(getattr(torch.nn, name)))


def test_the_lists_are_read_from_torch() -> None:
    assert {"cross_entropy", "ctc_loss"} <= set(FUNCTIONS)
    assert {"CrossEntropyLoss", "AdaptiveLogSoftmaxWithLoss"} <= set(MODULES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_loss_function_has_a_reference_with_the_same_arguments(name: str) -> None:
    assert name in registry.specs(), f"torch.nn.functional.{name} has no reference"
    assert list(registry.get(name).parameters) == _parameters(getattr(torch.nn.functional, name))


@pytest.mark.parametrize("name", MODULES)
def test_every_loss_module_has_a_reference_with_the_same_arguments(name: str) -> None:
    assert hasattr(losses, name), f"torch.nn.{name} has no reference"
    theirs = _constructor(getattr(torch.nn, name))
    ours = inspect.signature(getattr(losses, name)).parameters
    assert [p for p in ours if p not in LEFT_OUT] == [p for p in theirs if p not in LEFT_OUT]
    for key, parameter in ours.items():
        assert (parameter.default, parameter.kind) == (theirs[key].default, theirs[key].kind), key


def _constructor(module: Any) -> Mapping[str, inspect.Parameter]:
    """Its arguments; those of the class that it hands all to, where it says no more than that."""
    parameters = inspect.signature(module).parameters
    passes_on = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    return _constructor(module.__mro__[1]) if passes_on else parameters


def _seen(spec: Spec) -> dict[str, set[str]]:
    """The values that each keyword takes in the cases; arrays by their shape and type."""
    defaults = {k: p.default for k, p in inspect.signature(spec.implementation).parameters.items()}
    seen: dict[str, set[str]] = {k: set() for k in defaults}
    for dtype in ("float64", "float32"):
        for case in cases(spec, dtype):
            for key, default in defaults.items():
                value = case.inputs.get(key, default)
                seen[key].add(f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else repr(value))
    return seen


def test_every_keyword_takes_two_values_at_least(oracle_spec: Spec) -> None:
    if not isinstance(oracle_spec, LossSpec):
        return
    for keyword, values in _seen(oracle_spec).items():
        assert len(values) >= 2, f"{oracle_spec.name}: {keyword} is always {values}"

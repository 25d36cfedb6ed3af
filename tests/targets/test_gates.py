"""Nothing that the installed torch has is missing: every loss, every optimizer, every keyword, at two values at least.

The lists are read from torch, so that a loss or an optimizer that a later torch adds fails here by name.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.case import Case
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec, OptimSpec, Spec, Trajectory
from reference import losses, optim
from reference.optim import Parameter, lr_scheduler

#: Arguments of torch that choose an implementation or a place, not the value, and so are not in the references.
LEFT_OUT = {"options", "device", "dtype", "foreach", "fused", "capturable", "differentiable"}


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


OPTIMIZERS = sorted(name for name, one in vars(torch.optim).items() if not name.startswith("_")
                    and inspect.isclass(one) and issubclass(one, torch.optim.Optimizer)
                    and one is not torch.optim.Optimizer)
OPTIM_SPECS = [spec for spec in registry.specs().values() if isinstance(spec, OptimSpec)]
by_optimizer = pytest.mark.parametrize("spec", OPTIM_SPECS, ids=lambda spec: spec.name)


def _different_arguments(torch_class: Any, ours: Any) -> list[str]:
    """What of torch's arguments ours lacks or has otherwise: name, place, default, keyword alone or not.

    Whatever stands behind one that is left out has another place than in torch, and so none here.
    """
    parameters = inspect.signature(torch_class).parameters.values()
    theirs = [(p.name, p.default, p.KEYWORD_ONLY if any(q.name in LEFT_OUT for q in before) else p.kind)
              for p, before in zip(parameters, itertools.accumulate([[p] for p in parameters]), strict=True)
              if p.name not in LEFT_OUT]
    mine = [(p.name, p.default, p.kind) for p in inspect.signature(ours).parameters.values()]
    return [] if mine == theirs else [f"{needed}, not {found}" for needed, found in
                                      itertools.zip_longest(theirs, mine) if needed != found]


def test_the_list_of_optimizers_is_read_from_torch() -> None:
    assert {"Adam", "LBFGS", "Muon", "SparseAdam"} <= set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_has_a_reference_with_the_same_arguments(name: str) -> None:
    assert name in registry.specs(), f"torch.optim.{name} has no reference"
    assert _different_arguments(getattr(torch.optim, name), registry.get(name).implementation) == []


def test_an_argument_that_torch_adds_is_named() -> None:
    class Later(torch.optim.SGD):
        def __init__(self, params: Any, lr: float = 1e-3, warmup: int = 0, foreach: bool | None = None) -> None: ...

    class Ours:
        def __init__(self, params: Any, lr: float = 1e-3) -> None: ...

    found = _different_arguments(Later, Ours)
    assert len(found) == 1
    assert "'warmup'" in found[0]
    assert _different_arguments(torch.optim.Adagrad, registry.get("Adam").implementation)


#: Methods of torch's optimizers that time steps in torch's profiler, and names of types.
NO_METHODS = {"profile_hook_step", "OptimizerPreHook", "OptimizerPostHook"}


def _public(cls: Any) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")} - NO_METHODS


def _different_methods(torch_class: Any, ours: Any) -> list[str]:
    """Public methods of torch's class that ours lacks, or has with other arguments; the constructor is one of them."""
    found = [f"{name} is missing" for name in sorted(_public(torch_class) - _public(ours))]
    for name in sorted((_public(torch_class) & _public(ours)) | {"__init__"}):
        mine, theirs = getattr(ours, name), getattr(torch_class, name)
        if callable(theirs):
            found += [f"{name}: {line}" for line in _different_arguments(theirs, mine)]
    return found


def test_the_base_of_optimizers_has_torchs_methods() -> None:
    assert _different_methods(torch.optim.Optimizer, optim.Optimizer) == []


SCHEDULES = sorted(name for name, one in vars(torch.optim.lr_scheduler).items() if not name.startswith("_")
                   and inspect.isclass(one) and issubclass(one, torch.optim.lr_scheduler.LRScheduler))


def test_the_list_of_schedules_is_read_from_torch() -> None:
    assert {"LRScheduler", "OneCycleLR", "ReduceLROnPlateau"} <= set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_has_a_reference_with_the_same_arguments_and_methods(name: str) -> None:
    assert name in lr_scheduler.__all__, f"torch.optim.lr_scheduler.{name} has no reference"
    assert _different_methods(getattr(torch.optim.lr_scheduler, name), getattr(lr_scheduler, name)) == []


def test_a_method_and_an_argument_that_torch_adds_to_a_schedule_are_named() -> None:
    class Later(torch.optim.lr_scheduler.StepLR):
        def step(self, epoch: int | None = None, twice: bool = False) -> None: ...

        def rewind(self) -> None: ...

    missing, *other = _different_methods(Later, lr_scheduler.StepLR)
    assert missing == "rewind is missing"
    assert len(other) == 1
    assert "'twice'" in other[0]
    assert _different_methods(torch.optim.lr_scheduler.ConstantLR, lr_scheduler.LinearLR)
    assert "register_step_pre_hook is missing" in _different_methods(torch.optim.Optimizer, object)


def _arguments(case: Case) -> Mapping[str, Any]:
    """The keyword arguments of a case; of an optimizer those of its constructor, parameters by their shapes."""
    if not isinstance(case.spec, OptimSpec):
        return case.inputs  # type: ignore[no-any-return]
    inputs = _first_step(case.spec, case.options)
    return {**inputs.defaults, "params": [[p.shape for p in group.params] for group in inputs.groups]}


def _first_step(spec: OptimSpec, options: Mapping[str, Any]) -> Trajectory:
    """The trajectory of a combination, without the steps behind the first."""
    inputs: Trajectory = Case(spec, "float64", {**options, "steps": 1}).inputs
    return inputs


def _seen(spec: Spec, shipped: Iterable[Case]) -> dict[str, set[str]]:
    """The values that each keyword takes in the cases; arrays by their shape and type."""
    defaults = {k: p.default for k, p in inspect.signature(spec.implementation).parameters.items()}
    seen: dict[str, set[str]] = {k: set() for k in defaults}
    for case in shipped:
        given = _arguments(case)
        for key, default in defaults.items():
            value = given.get(key, default)
            seen[key].add(f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else repr(value))
    return seen


def _constant(spec: Spec, shipped: Iterable[Case]) -> list[str]:
    """Keywords that have one value only."""
    return [f"{spec.name}: {keyword} is always {values}"
            for keyword, values in _seen(spec, shipped).items() if len(values) < 2]


def _shipped(spec: Spec) -> list[Case]:
    return [case for dtype in ("float64", "float32") for case in cases(spec, dtype, around=False)]


def test_every_keyword_takes_two_values_at_least(oracle_spec: Spec) -> None:
    if not isinstance(oracle_spec, LossSpec | OptimSpec):
        return
    assert _constant(oracle_spec, _shipped(oracle_spec)) == []


def test_a_keyword_that_never_changes_is_named() -> None:
    spec = registry.get("Adam")
    without = [case for case in _shipped(spec) if not case.options["amsgrad"]]
    assert _constant(spec, without) == ["Adam: amsgrad is always {'False'}"]


def _defaults(spec: OptimSpec, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The constructor's arguments in a combination."""
    return _first_step(spec, options).defaults


def _modes(spec: OptimSpec) -> list[Any]:
    """The axes that are arguments of the constructor, and not of the trajectory."""
    usual = _defaults(spec, spec.defaults)
    return [axis for axis in spec.axes
            if any(_defaults(spec, {**spec.defaults, axis.name: value}) != usual for value in axis.values)]


def _apart(spec: OptimSpec, shipped: Iterable[Case]) -> list[str]:
    """Pairs of modes that no case has together, but for those that the optimizer refuses."""
    together = {pair for case in shipped for pair in itertools.combinations(case.options.items(), 2)}
    missing = []
    for a, b in itertools.combinations(_modes(spec), 2):
        for x, y in itertools.product(a.values, b.values):
            if ((a.name, x), (b.name, y)) not in together:
                params = _first_step(spec, spec.defaults).groups[0].params
                try:
                    spec.optimizer([Parameter(p) for p in params],
                                   **_defaults(spec, {**spec.defaults, a.name: x, b.name: y}))
                except ValueError:
                    continue
                missing.append(f"{spec.name}: no case has {a.name}={x} with {b.name}={y}")
    return missing


@by_optimizer
def test_every_pair_of_modes_occurs_together(spec: OptimSpec) -> None:
    assert len(_modes(spec)) >= 4
    assert _apart(spec, [case for dtype in spec.dtypes for case in cases(spec, dtype, around=False)]) == []


def test_a_pair_of_modes_that_is_apart_is_named() -> None:
    spec = registry.get("RMSprop")
    assert isinstance(spec, OptimSpec)
    shipped = [case for case in _shipped(spec) if not (case.options["centered"] and case.options["maximize"])]
    assert _apart(spec, shipped) == ["RMSprop: no case has centered=True with maximize=True"]


@by_optimizer
def test_lengths_are_those_that_were_asked_for(spec: OptimSpec) -> None:
    """Of 1, 2, 10 (L-BFGS: 4 calls of up to 20 iterations), several of 300, and of 2,000 where long ones are wanted."""
    lengths = [case.options["steps"] for case in cases(spec, "float32", long=True, around=False)]
    assert {1, 2, 300, 2000} <= set(lengths)
    assert {4, 10} & set(lengths)
    assert lengths.count(300) >= 3

"""How a case is called in torch: which callable, with which arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from ..cases.spec import LossSpec, OptimSpec, Spec
from .loading import Unsupported

__all__ = ["OPTIMIZER_VARIANTS", "has_function", "implementation", "resolve", "split_module_arguments",
           "split_parameters"]

#: Optimizer variants -> the constructor arguments that choose them.
OPTIMIZER_VARIANTS: Mapping[str, Mapping[str, bool]] = {
    "eager": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"fused": True},
    "capturable": {"capturable": True},
    "differentiable": {"foreach": False, "fused": False, "differentiable": True},
    "compile": {"foreach": True},
}


@cache
def resolve(dotted: str) -> Any:
    """The public torch object of a dotted name.

    Raises:
        Unsupported: the installed torch has none.
    """
    found, known = torch, "torch"
    for part in dotted.split(".")[1:]:
        known += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Unsupported(f"torch {torch.__version__} has no {known}") from None
    return found


@cache
def _parameters(dotted: str) -> Mapping[str, inspect.Parameter]:
    """The parameters of a public torch callable."""
    return inspect.signature(resolve(dotted)).parameters


def has_function(spec: Spec) -> bool:
    """Has torch the op as a function? (A loss with parameters may be a module alone.)"""
    return not isinstance(spec, LossSpec) or spec.torch_names[0].startswith("torch.nn.functional.")


def split_parameters(spec: LossSpec,
                     inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """How a module with parameters is called: three mappings.

    * The arguments of its constructor.
    * From the path of an argument that it holds to the name of the parameter that holds it.
    * From the name of an argument of its call to ours.
    """
    assert spec.held is not None
    constructor, held = spec.held(inputs)
    elsewhere = {*constructor, *(path.partition("[")[0] for path in held)}
    call = [k for k, v in inputs.items() if k not in elsewhere and v is not None]
    _, *forward = _parameters(f"torch.nn.{spec.module}.forward")
    return constructor, held, dict(zip(forward, call, strict=True))


def implementation(spec: OptimSpec, variant: str) -> dict[str, bool]:
    """The constructor arguments by which an optimizer takes this variant.

    Raises:
        Unsupported: the optimizer does not have it.
    """
    taken = _parameters(spec.torch_names[0])
    chosen = OPTIMIZER_VARIANTS[variant]
    if missing := [name for name, wanted in chosen.items() if wanted and name not in taken]:
        raise Unsupported(f"torch.optim.{spec.name} has no argument {missing[0]}")
    return {name: wanted for name, wanted in chosen.items() if name in taken}


def split_module_arguments(spec: LossSpec, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the module's constructor, and those of its call, which has names of its own for some.

    ``PoissonNLLLoss`` calls its input ``log_input``, as it does the setting.

    Raises:
        Unsupported: the function takes an argument that the module does not.
    """
    forward, names = _call_names(spec)
    module = {k: v for k, v in arguments.items() if k in spec.module_arguments}
    call = {names.get(k, k): v for k, v in arguments.items() if k not in module and v is not None}
    if extra := [k for k in call if k not in forward]:
        raise Unsupported(f"torch.nn.{spec.module} has no argument {extra[0]}")
    return module, call


@cache
def _call_names(spec: LossSpec) -> tuple[list[str], dict[str, str]]:
    """The arguments of a module's call, and what it calls those of the function that have another name there."""
    _, *forward = _parameters(f"torch.nn.{spec.module}.forward")
    required = [name for name, p in _parameters(spec.torch_names[0]).items() if p.default is p.empty]
    of_call = [name for name in required if name not in spec.module_arguments]
    return forward, dict(zip(of_call, forward, strict=False))

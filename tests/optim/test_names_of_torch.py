"""Whatever the installed torch has beside its optimizers is here, by the same names, arguments and defaults.

The lists are read from torch: what a later one adds fails here by its name.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import swa_utils as torch_averages

from reference.optim import clip_grad, grad_scaler, swa_utils

#: What of torch is not here, and why.
LEFT_OUT = {
    "foreach": "chooses an implementation, not a value",
    "device": "chooses a place, and everything is in one",
    "update_bn": "runs a model over data; there are no models here",
    "clip_grad_norm": "the old name of clip_grad_norm_, deprecated",
    "forward": "of modules, which are called: __call__",
}

#: The references' modules, and where torch has what they have.
MODULES = {
    "clip_grad": (clip_grad, {name: f for name, f in vars(torch.nn.utils).items()
                              if getattr(f, "__module__", "") == "torch.nn.utils.clip_grad"}),
    "swa_utils": (swa_utils, {name: getattr(torch_averages, name) for name in torch_averages.__all__}),
    "grad_scaler": (grad_scaler, {"GradScaler": torch.amp.GradScaler}),
}
PAIRS = [pytest.param(getattr(ours, name, None), theirs, id=f"{module}.{name}") for module, (ours, those) in
         MODULES.items() for name, theirs in sorted(those.items()) if name not in LEFT_OUT]


def arguments(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Name, default and kind of each argument; behind one that is left out, all have another place: none here."""
    parameters = inspect.signature(function).parameters.values()
    behind = itertools.accumulate((p.name in LEFT_OUT for p in parameters), lambda a, b: a or b)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [(p.name, p.default, p.KEYWORD_ONLY if moved and p.kind not in variable else p.kind)
            for p, moved in zip(parameters, behind, strict=True) if p.name not in LEFT_OUT]


def differences(ours: Any, theirs: Any) -> list[str]:
    """What of a function, or of a class and its public methods, is missing or other."""
    if ours is None:
        return [f"{theirs.__qualname__} is missing"]
    found = [f"{theirs.__qualname__}: {needed}, not {here}" for needed, here in
             itertools.zip_longest(arguments(theirs), arguments(ours)) if needed != here]
    if inspect.isclass(theirs):
        for name, method in vars(theirs).items():
            if inspect.isfunction(method) and not name.startswith("_") and name not in LEFT_OUT:
                found += differences(getattr(ours, name, None), method)
    return found


def test_the_lists_are_read_from_torch() -> None:
    names = {name for _, theirs in MODULES.values() for name in theirs}
    assert {"clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "AveragedModel", "SWALR",
            "get_ema_multi_avg_fn", "GradScaler", "update_bn"} <= names


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_names_arguments_and_defaults_are_torchs(ours: Any, theirs: Any) -> None:
    assert differences(ours, theirs) == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_public_that_torch_does_not_have(module: str) -> None:
    ours, theirs = MODULES[module]
    assert set(ours.__all__) == theirs.keys() - LEFT_OUT.keys()


def test_what_is_left_out_is_in_torch() -> None:
    everything = {name for _, theirs in MODULES.values() for name, one in theirs.items()
                  for name in (name, *inspect.signature(one).parameters, *vars(one))}
    assert LEFT_OUT.keys() <= everything


def test_an_argument_a_default_and_a_method_that_differ_are_named() -> None:
    class Later(torch.amp.GradScaler):
        def __init__(self, device: str = "cuda", init_scale: float = 2.0**15, growth_factor: float = 2.0,
                     backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
                     floor: float = 0.0) -> None: ...

        def freeze(self) -> None: ...

        def update(self, new_scale: Any = None, *, again: bool = False) -> None: ...

    found = differences(grad_scaler.GradScaler, Later)
    assert len(found) == 4
    for what in ("32768", "'floor'", "freeze is missing", "'again'"):
        assert sum(what in line for line in found) == 1
    assert differences(clip_grad.clip_grad_value_, torch.nn.utils.clip_grad_norm_)
    assert differences(None, torch.nn.utils.clip_grad_value_) == ["clip_grad_value_ is missing"]

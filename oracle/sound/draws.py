"""What an initializer has filled: exact where it is no chance, judged by its distribution where it is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cases.spec import InitSpec
from ..truth.claims import CLAIMS
from ..verdict.distribution import judge_draws
from .arrays import storage_of
from .soundness import Soundness

__all__ = ["judge_initializer"]

Array = np.ndarray[Any, Any]


def judge_initializer(spec: InitSpec, got: Array, arguments: Mapping[str, Any]) -> tuple[Soundness, str]:
    """What was found of an array that an initializer has filled, and the text of the failure where there is one.

    Raises:
        ValueError: an argument that it does not have, or refuses; or no distribution can be told from one array.
        TypeError: the array has no storage type.
    """
    dtype = storage_of("got", got)
    known = [name for name in inspect.signature(spec.function).parameters if name != "generator"][1:]
    for name in arguments:
        if name not in known:
            raise ValueError(f"{spec.name} has no argument {name!r}; it takes {', '.join(known) or 'none'}")
    told = "".join(f", {name}={value!r}" for name, value in arguments.items())
    label = f"{spec.name}({dtype}{list(got.shape)}{told})"
    sound = Soundness(spec.name, dtype, got.size, got.size, 0.0, 0.0)
    if spec.name not in CLAIMS:
        return sound, _compared(spec, got, arguments, label)
    if spec.name == "orthogonal_":
        raise ValueError(f"{label}: the distribution of matrices cannot be told from one; oracle.judge_draws takes "
                         "several")
    alarms = judge_draws([got], CLAIMS[spec.name](got.shape, **arguments))
    return sound, "\n".join([f"{label} is not distributed as claimed", *(f"  {alarm}" for alarm in alarms)]) * bool(
        alarms)


def _compared(spec: InitSpec, got: Array, arguments: Mapping[str, Any], label: str) -> str:
    """The first element that is not what the reference writes; an empty text where there is none."""
    try:
        wanted = spec.function(np.zeros_like(got), **arguments)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{label}: {error}") from None
    wrong = np.argwhere((got != wanted) & ~((got != got) & (wanted != wanted)))
    if not len(wrong):
        return ""
    index = tuple(map(int, wrong[0]))
    return (f"{label} is not sound\nEXCEEDS tensor: {len(wrong):,} of {got.size:,} elements\n"
            f"  tensor{list(index)}: got {float(got[index]):.9g}, truth {float(wanted[index]):.9g}; has to be equal")

"""Initializers that are called as ``init(key, shape, dtype)``, and give an array instead of filling one.

So JAX and Flax write them, and NumPy code with a generator for a key. They are told by their signature: the first
parameter is called ``key`` or ``rng``, and the second ``shape``. A function of an op's hyperparameters that gives such
an initializer is told by having no other parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..cases.spec import Spec

__all__ = ["form_of", "shaped", "takes_dtype"]


def shaped(code: Callable[..., Any], spec: Spec, chosen: Mapping[str, Any]) -> Callable[[Any, Any, Any], Any] | None:
    """``code`` with some arguments, as a function of key, shape and dtype; None where it fills an array.

    >>> from oracle.cases import registry
    >>> init = shaped(lambda std=1.0: lambda rng, shape: rng.normal(0, std, shape), registry.get("normal_"), {"std": 2})
    >>> import numpy as np
    >>> init(np.random.default_rng(0), (2,), None).shape
    (2,)
    """
    form = form_of(code, spec)
    if form != "factory":
        return _call(code, chosen) if form == "shape" else None
    made = code(**chosen)
    if not _is_one(made):
        raise TypeError(f"needed is a function of key, shape and dtype, or one that fills an array: got {made!r}")
    return _call(made, {})


def form_of(code: Callable[..., Any], spec: Spec) -> Literal["fills", "shape", "factory"]:
    """Does it fill an array, is it called with a shape, or does it give what is?"""
    if _is_one(code):
        return "shape"
    known, hyperparameters = _parameters(code), {*spec.parameters[1:]} - {"generator"}
    return "factory" if known is not None and set(known) <= hyperparameters else "fills"


def takes_dtype(code: Callable[..., Any]) -> bool:
    """Is it told the dtype too?"""
    return "dtype" in (_parameters(code) or ())


def _call(code: Callable[..., Any], chosen: Mapping[str, Any]) -> Callable[[Any, Any, Any], Any]:
    told = takes_dtype(code)

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return code(key, shape, **chosen, **({"dtype": dtype} if told else {}))

    return init


def _is_one(code: Any) -> bool:
    first, second, *_ = [*list(_parameters(code) or {}), "", ""]
    return first in ("key", "rng") and second == "shape"


def _parameters(code: Any) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(code).parameters
    except (TypeError, ValueError):  # built in, or nothing to call
        return None

"""Initializers that are called as ``init(key, shape, dtype)``, and give an array instead of filling one.

JAX and Flax write initializers so, and so does NumPy code with a generator for a key. Their signature tells them: the
first parameter is called ``key`` or ``rng``, and the second ``shape``. A function of an op's hyperparameters alone is
taken for one that gives such an initializer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..cases.spec import Spec
from .signature import Signature

__all__ = ["form_of", "shaped", "takes_dtype"]


def shaped(code: Callable[..., Any], spec: Spec, chosen: Mapping[str, Any]) -> Callable[[Any, Any, Any], Any] | None:
    """``code`` with some arguments, as a function of key, shape and dtype; None where it fills an array.

    >>> from oracle.cases import registry
    >>> init = shaped(lambda std=1.0: lambda rng, shape: rng.normal(0, std, shape), registry.get("normal_"), {"std": 2})
    >>> import numpy as np
    >>> init(np.random.default_rng(0), (2,), None).shape
    (2,)
    """
    form = form_of(Signature.of(code), spec)
    if form == "fills":
        return None
    if form == "shape":
        return _pass_dtype(code, chosen)
    made = code(**chosen)
    if not _takes_shape(Signature.of(made)):
        raise TypeError(f"needed is a function of key, shape and dtype, or one that fills an array: got {made!r}")
    return _pass_dtype(made, {})


def form_of(signature: Signature, spec: Spec) -> Literal["fills", "shape", "factory"]:
    """Does an initializer fill an array, is it called with a shape, or does it give one that is?"""
    if _takes_shape(signature):
        return "shape"
    hyperparameters = {*spec.parameters[1:]} - {"generator"}
    if signature.parameters is not None and set(signature.parameters) <= hyperparameters:
        return "factory"
    return "fills"


def takes_dtype(signature: Signature) -> bool:
    """Is a dtype passed to an initializer that is called with a shape?"""
    return "dtype" in (signature.parameters or ())


def _takes_shape(signature: Signature) -> bool:
    first, second, *_ = [*(signature.parameters or ()), "", ""]
    return first in ("key", "rng") and second == "shape"


def _pass_dtype(code: Callable[..., Any], chosen: Mapping[str, Any]) -> Callable[[Any, Any, Any], Any]:
    """A function of key, shape and dtype that passes the dtype on where the code takes one."""
    passes = takes_dtype(Signature.of(code))

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return code(key, shape, **chosen, **({"dtype": dtype} if passes else {}))

    return init

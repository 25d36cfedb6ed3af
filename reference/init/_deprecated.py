"""The names without an underscore, which torch keeps with a warning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .constant_init import constant_
from .dirac_init import dirac_
from .eye_init import eye_
from .kaiming_normal_init import kaiming_normal_
from .kaiming_uniform_init import kaiming_uniform_
from .normal_init import normal_
from .orthogonal_init import orthogonal_
from .sparse_init import sparse_
from .uniform_init import uniform_
from .xavier_normal_init import xavier_normal_
from .xavier_uniform_init import xavier_uniform_

__all__ = ["constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal", "sparse",
           "uniform", "xavier_normal", "xavier_uniform"]

P = ParamSpec("P")
R = TypeVar("R")


def _deprecated(function: Callable[P, R]) -> Callable[P, R]:
    new = function.__name__

    @functools.wraps(function)
    def old(*args: P.args, **kwargs: P.kwargs) -> R:
        warnings.warn(f"{new[:-1]} is deprecated; use {new}", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    old.__name__ = old.__qualname__ = new[:-1]
    old.__doc__ = f"{new}, by its deprecated name."
    return old


constant = _deprecated(constant_)
dirac = _deprecated(dirac_)
eye = _deprecated(eye_)
kaiming_normal = _deprecated(kaiming_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
normal = _deprecated(normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
uniform = _deprecated(uniform_)
xavier_normal = _deprecated(xavier_normal_)
xavier_uniform = _deprecated(xavier_uniform_)

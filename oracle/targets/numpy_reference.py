"""The references themselves, in the storage type of the case: judged like any other implementation."""

from __future__ import annotations

import os
import platform
from functools import cache

import numpy as np

from ..cases.case import Case
from ..cases.registry import followed_by
from ..cases.spec import Spec
from ..keeping import store
from ..keeping.sources import source
from ..truth.evaluate import Outputs, answers
from .loading import Target, Unsupported

__all__ = ["VARIANTS", "default", "follows_from", "make"]

VARIANTS = {"": "NumPy, in the storage type of the case"}


class _Reference:
    name = "reference"

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        with np.errstate(all="ignore"):
            return answers(case)

    def script(self, case: Case) -> str:
        raise Unsupported("the reference is this project; a script without it cannot run it")


def default(device: str) -> list[str]:
    """The variants that an audit takes unasked."""
    return list(VARIANTS)


def make(variant: str, device: str) -> Target:
    """The reference as a target; it runs on the CPU whatever the device."""
    return _Reference()


def follows_from(spec: Spec) -> str:
    """Source and versions, and what NumPy computes with on this machine."""
    return f"{source(*followed_by(spec), __name__)} {_kernels()}"


#: Functions that may have several kernels, and numbers to tell them apart by.
_FUNCTIONS = (np.exp, np.expm1, np.log, np.log1p, np.sqrt, np.tanh, np.sin, np.cos, np.tan, np.arctan,
              lambda x: x ** x.dtype.type(0.7), lambda x: x.reshape(20, 20) @ x.reshape(20, 20))
_NUMBERS = np.geomspace(1e-6, 80.0, 400)


@cache
def _kernels() -> str:
    """A digest of versions, of the kernels that NumPy has chosen for this CPU, and of what else can choose some.

    Of NumPy's functions some are the C library's, which has kernels of its own: what they give says more than its name.
    """
    chosen = {name: value for name, value in os.environ.items()
              if name.startswith(("NPY_", "OPENBLAS_", "MKL_", "GLIBC_"))}
    given = [function(x).tobytes().hex() for function in _FUNCTIONS for x in (_NUMBERS, _NUMBERS.astype(np.float32))]
    return store.digest(repr((store.versions(), store.processor(), platform.libc_ver(), sorted(chosen.items()),
                              np.lib.introspect.opt_func_info(), given)))

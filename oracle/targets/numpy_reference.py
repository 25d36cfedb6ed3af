"""The references themselves, in the storage type of the case: judged like any other implementation."""

from __future__ import annotations

import numpy as np

from reference.spec import Spec

from ..cases import Case
from ..evaluate import Outputs, answers
from . import Target, Unsupported

__all__ = ["VARIANTS", "default", "make"]

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

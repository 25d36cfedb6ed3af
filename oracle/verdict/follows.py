"""Does an answer follow a dialect?"""

from __future__ import annotations

import numpy as np

from ..cases.case import Case
from ..dialects.truths import dialect_truth
from ..truth.evaluate import Outputs
from .compare import Verdict, judge

__all__ = ["follows"]


def follows(case: Case, outputs: Outputs, output: str, dialect: str) -> bool:
    """Is an output what a dialect's rule gives, within the dialect's own bound?

    Where the rule itself overflows or underflows on the way, it is no matter to what.
    """
    if output not in outputs:
        return False
    verdict = judge(output, np.asarray(outputs[output]), dialect_truth(case, dialect)[output]).verdict
    return verdict is Verdict.RANGE or not verdict.disagrees

"""What the specs of several losses share: the older arguments, and refusals as changes of a good call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..spec import Options, Refusal

__all__ = ["LEGACY", "legacy_alone", "poison", "refuser"]

#: Values of the axis "legacy", and the arguments that they stand for.
LEGACY: Mapping[str, Mapping[str, bool]] = {
    "none": {}, "size_average=False": {"size_average": False}, "reduce=False": {"reduce": False}}


def legacy_alone(options: Options) -> bool:
    """The older arguments override the reduction: one of the two has its default."""
    return bool(options["legacy"] == "none" or options["reduction"] == "mean")


def poison(x: np.ndarray[Any, Any], regime: str, *values: float) -> None:
    """Put NaN ("nan") or the given values ("inf") into the first elements, if the regime is one of these."""
    chosen = {"nan": (np.nan,), "inf": values}.get(regime, ())[: x.size]
    x.flat[: len(chosen)] = chosen


def refuser(**good: Any) -> Callable[..., Refusal]:
    """A maker of refusals: why, what is raised, the message, and how the call differs from a good one."""

    def refuse(why: str, raises: type[Exception], match: str, /, torch_raises: type[Exception] | None = None,
               **changes: Any) -> Refusal:
        return Refusal(why, {**good, **changes}, raises, match, torch_raises)

    return refuse

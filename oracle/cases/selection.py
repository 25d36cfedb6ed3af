"""Many cases at once: those of one op in one storage type, of some ops, and of sweeps."""

from __future__ import annotations

from collections.abc import Sequence

from . import registry, sweeps
from .case import Case
from .covering import combinations
from .registry import BadCaseError, chosen_specs
from .spec import DTYPES, Spec
from .surroundings.shipped import surrounded

__all__ = ["cases", "select", "select_sweeps"]


def cases(spec: Spec, dtype: str, *, long: bool = False, around: bool = True) -> list[Case]:
    """The shipped cases of one op in one storage type, always the same, in the same order; without the long ones.

    Those in surroundings come last, unless ``around`` is false.
    """
    chosen = list(combinations(spec.name, dtype))
    if long:
        whole = [{**spec.defaults, **changes} for changes in spec.long]
        chosen += [options for options in whole if spec.allowed(options, dtype)]
    bare = [Case(spec, dtype, options) for options in chosen]
    beside = surrounded(spec, dtype, long=long) if around else []
    return bare + [Case(spec, dtype, options, 0, one) for options, one in beside]


def select(ops: Sequence[str] = (), dtypes: Sequence[str] = (), *, long: bool = False,
           around: bool = True) -> list[Case]:
    """The shipped cases of some ops (kinds such as ``losses`` count too) and storage types; all by default.

    With ``long`` also those that take so long that an audit leaves them out; without ``around`` none in surroundings.
    """
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise BadCaseError(f"unknown dtype {dtype!r}; known are {', '.join(DTYPES)}")
    return [case for spec in chosen_specs(ops) for dtype in spec.dtypes if dtype in (dtypes or DTYPES)
            for case in cases(spec, dtype, long=long, around=around)]


def select_sweeps(ops: Sequence[str] = (), dtypes: Sequence[str] = ()) -> list[Case]:
    """Cases that are not shipped: all numbers of the half types through elementwise losses, all by default."""
    if unknown := [dtype for dtype in dtypes if dtype not in sweeps.DTYPES]:
        raise BadCaseError(f"only numbers of {' and '.join(sweeps.DTYPES)} can all be tried, not of {unknown[0]}")
    whole = {spec.name: spec for spec in map(sweeps.sweep, registry.specs().values()) if spec is not None}
    if strangers := [op for op in ops if op not in whole and op != "losses"]:
        raise BadCaseError(f"{strangers[0]!r} is no elementwise loss; these are {', '.join(whole)}")
    chosen = [spec for name, spec in whole.items() if not ops or name in ops or "losses" in ops]
    return [Case(spec, dtype, options) for spec in chosen for dtype in spec.dtypes if dtype in (dtypes or DTYPES)
            for options in sweeps.rows(spec, dtype)]

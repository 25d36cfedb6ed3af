"""What the tests of single losses share: arguments as a case, judged for torch and reference; values by hand."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

from oracle.cases.case import Case
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec
from oracle.targets.loading import load
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import BallArray, balls, split
from oracle.truth.proof import prove
from oracle.truth.scalar import Double
from oracle.verdict.compare import Finding, compare

__all__ = ["broadcast_rows", "disagreements", "encloses", "finite_cases", "floating_cases", "mixed_types", "reduced"]

Array = np.ndarray[Any, Any]


def disagreements(spec: LossSpec, arguments: Mapping[str, Any], dtype: str = "float64",
                  targets: Sequence[str] = ("reference", "torch:eager")) -> list[Finding]:
    """Where torch or the reference is further from the truth of these arguments than the bound proven for them."""
    case = Case(dataclasses.replace(spec, draw=lambda *_: dict(arguments)), dtype, spec.defaults)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        truths = prove(case)
        answers = [target.run(case) for target in load(targets)]
    return [finding for answer in answers for finding in compare(answer, truths) if finding.verdict.disagrees]


def finite_cases(spec: LossSpec) -> Iterator[Case]:
    """The shipped cases in float64 whose numbers are finite."""
    for case in cases(spec, "float64", around=False):
        arrays = [v for v in case.inputs.values() if isinstance(v, np.ndarray)]
        if all(np.all(np.isfinite(a)) for a in arrays):
            yield case


def floating_cases(spec: LossSpec) -> list[Case]:
    """The shipped cases in float64 without infinity and NaN, whose input is floating and has elements.

    What no classes give is a convention, which ``losses/test_empty.py`` compares with torch's.
    """
    return [case for case in cases(spec, "float64", around=False) if case.options["regime"] not in ("inf", "nan")
            and case.inputs["input"].dtype.kind == "f" and 0 not in case.inputs["input"].shape[1:]]


def broadcast_rows(*arrays: Any) -> list[tuple[Fraction, ...]]:
    """The elements of arrays that broadcast, as exact fractions."""
    return [tuple(Fraction(float(v)) for v in row) for row in zip(*(a.flat for a in np.broadcast_arrays(*arrays)),
                                                                 strict=True)]


def reduced(each: list[Any], arguments: Mapping[str, Any], divisor: Any) -> list[Any]:
    """The losses, their sum, or their mean; None stands for NaN."""
    reduction = arguments.get("reduction", "mean")
    if arguments.get("reduce") is False:
        reduction = "none"
    elif arguments.get("size_average") is False:
        reduction = "sum"
    if reduction == "none":
        return each
    return [sum(each, start=Fraction(0))] if reduction == "sum" else [sum(each) / divisor if divisor else None]


def encloses(case: Case, expected: Callable[[Mapping[str, Any]], list[Any]]) -> bool:
    """Does the formula, on 200-bit balls, enclose the expected values, but for 2**-105 of the midpoint's form?"""
    assert isinstance(case.spec, LossSpec)
    lifted = {k: balls(v) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else Double(v)
              if isinstance(v, float) else v for k, v in case.inputs.items()}
    with mpmath.workprec(1200), warnings.catch_warnings(), arithmetic(Arithmetic.exact(200)):
        warnings.simplefilter("ignore")
        wanted = expected(case.inputs)
        found = case.spec.function(**lifted)
        if isinstance(found, BallArray):
            parts = split(found)
        else:  # of integers alone, rounded once at most
            value = found.astype(np.float64)
            parts = value, 0 * value, np.abs(value) * (np.finfo(found.dtype).eps / 2 if found.dtype.kind == "f" else 0)
        hi, lo, rad = (a.ravel().tolist() for a in parts)
        assert len(wanted) == len(hi), case.id
        for want, h, low, r in zip(wanted, hi, lo, rad, strict=True):
            if want is None:
                assert np.isnan(h), case.id
                continue
            exact = mpmath.mpf(want.numerator) / want.denominator if isinstance(want, Fraction) else want
            if np.isinf(h):  # above the largest double
                assert exact * np.sign(h) >= mpmath.mpf(2) ** 1024 - mpmath.mpf(2) ** 970, case.id
                continue
            error = abs(mpmath.mpf(h) + mpmath.mpf(low) - exact)
            assert error <= r + abs(exact) * mpmath.mpf(2) ** -105 + mpmath.mpf(2) ** -1074, case.id
    return True


def mixed_types(spec: LossSpec, function: Callable[..., Any], tensor: Callable[[Array], Any],
                names: tuple[str, ...]) -> None:
    """Every pair of dtypes gives the dtype that torch gives, or is refused where torch refuses it."""

    def ones(name: str) -> Array:
        return np.ones((2, 3), ml_dtypes.bfloat16 if name == "bfloat16" else name)

    for a, b in itertools.product(names, names):
        x, y = ones(a), ones(b)
        try:
            theirs = function(tensor(x), tensor(y))
        except (RuntimeError, NotImplementedError) as error:
            with pytest.raises(type(error)) as refusal:
                spec.function(x, y)
            if refusal.type is not type(error):
                raise AssertionError(f"{spec.name} of {a} and {b}: {refusal.value!r}, torch raises {error!r}") from None
            continue
        ours = spec.function(x, y)
        assert f"torch.{ours.dtype.name}" == str(theirs.dtype), (a, b)
        # of ones: at most four roundings each, of numbers below 2
        assert abs(ours.item() - theirs.item()) <= 8 * float(ml_dtypes.finfo(ours.dtype).eps), (a, b)

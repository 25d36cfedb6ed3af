"""Faults of the oracle itself: what raises while it judges is no verdict on what it judges."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .compare import Finding, Verdict
from .record import FAULT, Record, summarized

__all__ = ["JudgeFault", "judging", "not_judged", "said"]


class JudgeFault(Exception):
    """A proof, a comparison or a diagnosis that raised; the message is one line."""


def said(error: Exception, about: str) -> str:
    """One line: what was raised, where, and while what was judged.

    >>> said(ZeroDivisionError("division by zero"), "mse_loss/float32/default")
    'not judged: fault of the oracle: ZeroDivisionError: division by zero; mse_loss/float32/default; please report it'
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    what = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())[:300]
    return f"{FAULT}{what}{place}; {about}; please report it"


@contextmanager
def judging(about: str) -> Iterator[None]:
    """Whatever is raised within is a fault of the oracle.

    Raises:
        JudgeFault: in its place.
    """
    try:
        yield
    except Exception as error:
        raise JudgeFault(said(error, about)) from error


def not_judged(case_id: str, op: str, dtype: str, target: str, fault: JudgeFault) -> Record:
    """The record of a case on which the oracle failed: undecided, and :attr:`Record.fault`."""
    return summarized(case_id, op, dtype, target, [Finding("", Verdict.UNDECIDED, note=str(fault))])

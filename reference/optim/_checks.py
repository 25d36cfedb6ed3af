"""Refusals of hyperparameters: each names the argument, what is needed and what came."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_betas", "check_count", "check_nonnegative", "check_numbers", "check_one", "check_tuple"]


def check_one(name: str, value: Any) -> None:
    """Refuse an array of several elements, or of none."""
    if isinstance(value, np.ndarray) and value.size != 1:
        raise ValueError(f"{name} needs to be a number or an array of one element, "
                         f"got an array of shape {value.shape}")


def check_numbers(**arguments: Any) -> None:
    """Refuse what is no real number, with a ``TypeError``, and NaN, with a ``ValueError``."""
    for name, value in arguments.items():
        check_one(name, value)
        try:
            value - 0
        except TypeError:
            raise _no_number(name, value) from None
        if isinstance(value, complex | np.complexfloating):
            raise _no_number(name, value)
        if isinstance(value, float) and value != value:
            raise ValueError(f"{name} needs to be a number, got {value}")


def check_nonnegative(**arguments: Any) -> None:
    """Refuse hyperparameters below zero, and NaN, with a ``ValueError`` that names them; no number, a ``TypeError``."""
    for name, value in arguments.items():
        check_one(name, value)
        try:
            refused = not value >= 0
        except TypeError:
            raise _no_number(name, value) from None
        if refused:
            raise ValueError(f"{name} needs to be at least 0, got {value}")


def check_count(**arguments: Any) -> None:
    """Refuse what is no whole number."""
    for name, value in arguments.items():
        if not isinstance(value, int | np.integer):
            raise TypeError(f"{name} needs to be a whole number, got {value!r} of type {type(value).__name__}")


def check_tuple(name: str, value: Any, count: int) -> None:
    """Refuse what is not so many numbers."""
    if not isinstance(value, tuple | list | np.ndarray):
        raise TypeError(f"{name} needs to be a tuple of {count} numbers, got {value!r} of type {type(value).__name__}")
    if len(value) != count:
        raise ValueError(f"{name} needs to be a tuple of {count} numbers, got {value!r}")


def check_betas(betas: Any) -> None:
    """Refuse what is not two numbers in [0, 1)."""
    check_tuple("betas", betas, 2)
    for i, beta in enumerate(betas):
        check_numbers(**{f"betas[{i}]": beta})
        if not 0 <= beta < 1:
            raise ValueError(f"betas[{i}] needs to be in [0, 1), got {beta}")


def _no_number(name: str, value: Any) -> TypeError:
    return TypeError(f"{name} needs to be a number, got {value!r:.100} of type {type(value).__name__}")

"""Axes that the specs of initializers share, and how they write shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...spec import Axis, Limits, Options

__all__ = ["GENERATOR", "LAYOUT", "NORMALS", "SEED", "WEIGHTS", "draw", "matrix", "parse_shape",
           "two_axes_where_transposed"]

WEIGHTS = Axis("shape", ("3x5", "1x1", "4x4", "16x4", "7x9", "2x3x4", "5x4x3x2", "2x1x1x2x3"),
               "of the weights: (out, in, *kernel)")
LAYOUT = Axis("layout", ("contiguous", "transposed"), "order of memory, in which numbers are drawn")
SEED = Axis("seed", (0, 1, 2**31, 2**63 + 5, -7), "of the generator")
GENERATOR = Axis("generator", ("given", "default"), "one of its own, or torch's default one")

#: Why whatever draws float32 normals takes longer than torch.
NORMALS = ("its normal numbers follow torch's own float32 functions to the last bit, and NumPy takes four passes for "
           "each fused multiply-add in them")


def parse_shape(text: str) -> tuple[int, ...]:
    """Read a shape as specs write it.

    >>> parse_shape("3x5"), parse_shape("()")
    ((3, 5), ())
    """
    return () if text == "()" else tuple(int(n) for n in text.split("x"))


def draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """The options themselves, with a shape for its text: an initializer's case has no other inputs."""
    return {**options, "shape": parse_shape(options["shape"])}


def matrix(n: int) -> dict[str, Any]:
    """A square matrix of about n elements.

    >>> matrix(10)
    {'shape': (3, 3)}
    """
    return {"shape": (math.isqrt(n), math.isqrt(n))}


def two_axes_where_transposed(options: Options, dtype: str) -> bool:
    """Is this layout one that the shape can have?"""
    return options["layout"] == "contiguous" or len(parse_shape(options["shape"])) > 1

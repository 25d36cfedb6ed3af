"""The linear layer of loss modules that have parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numerics import Array
from ..random import default_generator

__all__ = ["Linear"]


class Linear:
    """x Wᵀ + b, as ``torch.nn.Linear``: W has the shape (out_features, in_features).

    W and b are drawn from the default generator, W first, uniform on ±1/√in_features: with the same seed
    the values are those of torch.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        self.in_features, self.out_features = in_features, out_features
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.weight: Array = np.empty((out_features, in_features), dtype)
        self.bias: Array | None = np.empty(out_features, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        if self.weight.size:  # √3 √(1/3) √(1/in_features), rounded as torch does
            bound = math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(self.in_features))
            default_generator.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            default_generator.uniform_(self.bias, -bound, bound)

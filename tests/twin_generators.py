"""The reference's generator and torch's from one seed, and arrays for both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference.random import Generator
from tests.twins import NAMED_PATH, state_of, zeros

SEEDS = (0, 1, 2**31, 2**32 + 1, 2**63 + 5, -7)
FUSES = pytest.mark.skipif(not NAMED_PATH, reason="torch's baseline CPU path rounds x * scale + shift twice")


def pair(seed: int) -> tuple[Generator, torch.Generator]:
    return Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def assert_same_state(ours: Generator, theirs: torch.Generator) -> None:
    assert state_of(ours) == state_of(theirs)


def both(dtype: str, shape: tuple[int, ...] = (5, 7)) -> tuple[np.ndarray, torch.Tensor]:
    if dtype == "bfloat16":
        return zeros(shape, dtype)
    return np.zeros(shape, dtype), torch.zeros(shape, dtype=getattr(torch, dtype))

"""Random integers and permutations against torch's CPU generator: values and states, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference import random
from reference.random import Generator
from tests.twin_generators import SEEDS, assert_same_state, both, pair
from tests.twins import assert_same_bits

INTEGERS = ("int8", "uint8", "int16", "int32", "int64", "bool", "float16", "bfloat16", "float32", "float64")
BOUNDS = [(), (7,), (-5, 100), (0, 1), (3, None), (0, 2**27 + 1), (0, 2**28), (-(2**28), 2**28 - 1),
          (-(2**40), 2**52), (-(2**63), 2**63 - 1), (-(2**63), None), (0, 2047), (0, 257), (-300, 2**14 + 3)]


@pytest.mark.filterwarnings("ignore:.*(out of bounds|holds every integer)")
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype: str, bounds: tuple[int | None, ...]) -> None:
    ours, theirs = pair(3)
    array, tensor = both(dtype)
    for a, t in ((array, tensor), (array.T, tensor.T), (array[:0], tensor[:0])):
        try:
            t.random_(*bounds, generator=theirs)
        except RuntimeError:
            with pytest.raises(RuntimeError, match="low"):
                ours.random_(a, *bounds)
        else:
            assert ours.random_(a, *bounds) is a
            assert_same_bits(a, t)
        assert_same_state(ours, theirs)


def test_a_range_beyond_the_integers_of_a_type_warns() -> None:
    with pytest.warns(UserWarning, match=r"high - 1 is beyond 2\*\*11"):
        Generator().random_(np.zeros(3, np.float16), 4096)
    with pytest.warns(UserWarning, match="out of bounds"):
        torch.zeros(3, dtype=torch.float16).random_(4096)


@pytest.mark.filterwarnings("ignore:.*(out of bounds|holds every integer)")
@pytest.mark.parametrize(("low", "high"), [(0, 10), (-7, 2**31), (5, 6)])
def test_randint(low: int, high: int) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        for dtype in ("int64", "int32", "float32"):
            if dtype != "int32" or high < 2**31:
                got = ours.randint(low, high, (3, 4), dtype)
                want = torch.randint(low, high, (3, 4), dtype=getattr(torch, dtype), generator=theirs)
                assert_same_bits(got, want)
        assert_same_state(ours, theirs)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 625, 2000])
def test_permutations(n: int) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        assert_same_bits(ours.randperm(n), torch.randperm(n, generator=theirs))
        assert_same_bits(ours.randperm(n, np.int32), torch.randperm(n, dtype=torch.int32, generator=theirs))
        assert_same_state(ours, theirs)


def test_a_large_permutation_takes_64_bits_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "_LARGE", 10)
    first = Generator().manual_seed(1).randperm(10)[0]
    assert first == int(Generator().manual_seed(1).random_double_words(1)[0]) % 10
    with pytest.raises(RuntimeError, match="n must be at least 0, got -1"):
        Generator().randperm(-1)

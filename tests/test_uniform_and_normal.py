"""Uniform and normal numbers against torch's CPU generator: values and states, bit for bit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reference import _normal, _uniform, random
from reference.random import Generator
from tests.paths import figures
from tests.twin_generators import FUSES, SEEDS, assert_same_state, pair
from tests.twins import DTYPES, NAMED_PATH, assert_same_bits, assert_same_normals, same_bits_in, zeros

ROOT = Path(__file__).parent.parent
SIZES = (0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 40, 640)


@FUSES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interval", [(0.0, 1.0), (-1.0954451, 1.0954451), (0.1, 0.2), (1.0, 1.001),
                                      (3.0, 3.0)])
def test_uniform(dtype: str, interval: tuple[float, float]) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        for n in SIZES:
            array, tensor = zeros((n,), dtype)
            assert ours.uniform_(array, *interval) is array
            assert_same_bits(array, tensor.uniform_(*interval, generator=theirs))
        assert_same_state(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.3, 0.02), (-5.0, 1000.0), (1.5, 0.0)])
def test_normal(dtype: str, mean: float, std: float) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        for n in SIZES:  # odd sizes below 16 leave a number behind, which later ones below 16 take up
            array, tensor = zeros((n,), dtype)
            ours.normal_(array, mean, std)
            tensor.normal_(mean, std, generator=theirs)
            assert_same_normals(array, tensor, std, dtype)
            if n < 16 and dtype != "float64":  # rounded from float64, whose last bits seldom matter
                assert_same_bits(array, tensor)
            assert_same_state(ours, theirs)


LAYOUTS = {
    "step": lambda x: x[:, ::2], "reversed axes": lambda x: x.swapaxes(0, 2),
    "swapped": lambda x: x.swapaxes(0, 1), "swapped slice": lambda x: x.swapaxes(1, 2)[1:, ::2],
    "one element axis": lambda x: x[:, 2:3].swapaxes(0, 2), "empty": lambda x: x[:, 3:3].swapaxes(0, 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_order_of_memory(layout: str, dtype: str) -> None:
    ours, theirs = pair(3)
    array, tensor = zeros((4, 6, 5), dtype)
    ours.uniform_(LAYOUTS[layout](array))
    LAYOUTS[layout](tensor).uniform_(generator=theirs)
    assert_same_bits(array, tensor)
    ours.normal_(LAYOUTS[layout](array), 1.0, 2.0)
    LAYOUTS[layout](tensor).normal_(1.0, 2.0, generator=theirs)
    assert_same_normals(array, tensor, 2.0, dtype)
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("swap", [False, True])
def test_complex_numbers(swap: bool) -> None:
    for dtype in (torch.complex64, torch.complex128):
        ours, theirs = pair(3)
        tensor = torch.zeros(5, 8, dtype=dtype)
        array = tensor.numpy().copy()
        if swap:
            array, tensor = array.T, tensor.T
        parts = "float32" if dtype == torch.complex64 else "float64"
        ours.normal_(array, 1.0, 2.0)
        tensor.normal_(1.0, 2.0, generator=theirs)
        assert_same_normals(array.real, tensor.real, 2.0, parts)
        assert_same_normals(array.imag, tensor.imag, 2.0, parts)
        assert_same_bits(ours.uniform_(array), tensor.uniform_(generator=theirs))
        assert_same_state(ours, theirs)


def test_infinite_and_overflowing_normals() -> None:
    for mean, std in ((0.0, float("inf")), (float("nan"), 1.0), (1e6, 1.0)):
        array, tensor = zeros((20,), "float16")
        Generator().manual_seed(0).normal_(array, mean, std)
        tensor.normal_(mean, std, generator=torch.Generator().manual_seed(0))
        assert str(array.tolist()) == str(tensor.tolist())


def test_a_mean_of_negative_zero_keeps_signs() -> None:
    ours = Generator().manual_seed(3).normal_(np.zeros(20, np.float32), -0.0, 0.0)
    theirs = torch.zeros(20).normal_(-0.0, 0.0, generator=torch.Generator().manual_seed(3)).numpy()
    assert ours.tobytes() == theirs.tobytes()
    assert np.signbit(ours).any()
    assert not np.signbit(ours).all()


MISTAKES = {
    "ragged halves drawn in vain": (_normal, "HALF", frozenset(), test_normal, ("bfloat16", 0.0, 1.0)),
    "angle and radius exchanged": (_normal, "_box_muller_pairs",
                                   lambda work, u, v, log, f=_normal._box_muller_pairs: f(work, v, u, log),
                                   test_normal, ("float64", 0.0, 1.0)),
    "sum rounded twice": (_uniform, "fma", lambda x, y, z: x * y + z,
                          test_uniform, ("float32", (0.1, 0.2))),
    "signs of vanished products lost": (_normal, "_scale_and_shift", lambda x, scale, shift: x * scale + shift,
                                        lambda *case: test_normals_that_vanish_are_equal_bit_for_bit(*case),
                                        ("float32", 1e-45)),
    "logical order": (random, "in_memory_order", lambda a: contextlib.nullcontext(a.reshape(-1)),
                      test_order_of_memory, ("swapped", "float32")),
}


@FUSES
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_caught(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, wrong, test, arguments = MISTAKES[mistake]
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError):
        test(*arguments)


@FUSES
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_normals_are_equal_bit_for_bit(dtype: str) -> None:
    for seed, (mean, std) in enumerate([(0.0, 1.0), (0.0, 0.02), (0.3, 0.02), (-5.0, 1000.0)]):
        ours, theirs = pair(seed)
        array, tensor = zeros((100_003,), dtype)
        assert_same_bits(ours.normal_(array, mean, std), tensor.normal_(mean, std, generator=theirs))
        assert_same_state(ours, theirs)


@pytest.mark.skipif(not same_bits_in("float64"), reason="NumPy has float64 functions of its own here")
@pytest.mark.parametrize("n", [7, 100_003])
def test_float64_normals_are_equal_bit_for_bit(n: int) -> None:
    for seed, (mean, std) in enumerate([(0.0, 1.0), (0.0, 0.02), (0.3, 0.02), (-5.0, 1000.0)]):
        ours, theirs = pair(seed)
        for _ in range(400 if n < 16 else 1):
            array, tensor = zeros((n,), "float64")
            assert_same_bits(ours.normal_(array, mean, std), tensor.normal_(mean, std, generator=theirs))
        assert_same_state(ours, theirs)


@pytest.mark.parametrize("std", [0.0, -0.0, 1.0, 2.0, 1e-3, 1e-30, 1e-38, 1e-40, 1e-44, 1e-45, 1e-46, 1e-300, 1e-310,
                                 5e-324, 1e300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_that_vanish_are_equal_bit_for_bit(dtype: str, std: float) -> None:
    """Subnormal numbers and the signs of zeros are those of a fused multiply-add, of few numbers and of many."""
    if not same_bits_in(dtype):
        pytest.skip("torch's normals are others in the last bit here")
    ours, theirs = pair(9)
    for n in (1, 2, 5, 15, 16, 17, 31, 32, 100, 1000):
        for shape, layout in (((n,), "contiguous"), ((2, n), "transposed")):
            for mean in (0.0, -0.0, 1.0, -3.5, 1e-310, 1e-45, 5e-324):
                array, tensor = zeros(shape, dtype, layout)
                assert_same_bits(ours.normal_(array, mean, std), tensor.normal_(mean, std, generator=theirs))


@pytest.mark.skipif(not NAMED_PATH, reason="torch's paths of x86 CPUs are compared")
@pytest.mark.parametrize("path", ["avx2", "default"])
def test_other_paths_of_torch(path: str) -> None:
    """On AVX2 every normal is the same; on the baseline path it is another one, within what both may be off."""
    environment = os.environ | {"ATEN_CPU_CAPABILITY": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.paths", "100000"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    report = json.loads(done.stdout)
    assert report["path"] == path.upper()
    for dtype, found in report["normals"].items():
        assert (found["beyond the bound"], found["states differ"]) == (0, False)
        if path == "avx2" and same_bits_in(dtype):
            assert found["share equal"] == 1
    if path == "default":  # else the comparison would compare nothing
        assert report["normals"]["float32"]["share equal"] < 1


@pytest.mark.parametrize(("generator", "caught"), [
    ("reference", []), ("shifted", ["share equal", "beyond the bound"]), ("one more word", ["states differ"])])
def test_the_comparison_of_paths_sees_mistakes(generator: str, caught: list[str]) -> None:
    class Wrong(Generator):
        def normal_(self, array: np.ndarray, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
            super().normal_(array, mean, std)
            if generator == "shifted":
                array += np.float32(2.0**-14)
            if generator == "one more word":
                self.random_words(1)
            return array

    right, wrong = (figures(make, "float32", 1000) for make in (Generator, Wrong))
    assert [name for name in right if right[name] != wrong[name] and name != "ulp"] == caught

"""reference.random against torch's CPU generator: values, positions and states, bit for bit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from reference import _normal, _uniform, precision, random
from reference.random import Generator
from tests.paths import figures
from tests.twins import DTYPES, NAMED_PATH, assert_same_bits, assert_same_normals, bits, same_bits_in, state_of, zeros

ROOT = Path(__file__).parent.parent
SEEDS = (0, 1, 2**31, 2**32 + 1, 2**63 + 5, -7)
SIZES = (0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 40, 640)
FUSES = pytest.mark.skipif(not NAMED_PATH, reason="torch's baseline CPU path rounds x * scale + shift twice")


def pair(seed: int) -> tuple[Generator, torch.Generator]:
    return Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def assert_same_state(ours: Generator, theirs: torch.Generator) -> None:
    assert state_of(ours) == state_of(theirs)


@pytest.mark.parametrize("seed", [*SEEDS, 2**64 - 1, -(2**63)])
def test_seeds_and_raw_words(seed: int) -> None:
    ours, theirs = pair(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    for n in (0, 1, 622, 1, 1, 623, 1248, 5):  # up to, onto and across the edges of the engine's block
        drawn = torch.zeros(n, dtype=torch.int32).random_(generator=theirs)  # the low 31 bits
        assert (ours.random_words(n) % 2**31).tolist() == drawn.tolist()
        assert_same_state(ours, theirs)


@pytest.mark.parametrize(("seed", "error"), [(2**64, ValueError), (-(2**63) - 1, ValueError),
                                             (1.0, RuntimeError), (True, RuntimeError), ("1", RuntimeError)])
def test_refused_seeds(seed: int, error: type[Exception]) -> None:
    for generator in (Generator(), torch.Generator()):
        with pytest.raises(error, match=r"seed|Overflow"):
            generator.manual_seed(seed)


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


@pytest.mark.parametrize("drawn", [0, 1, 5, 20, 700])
def test_states_go_both_ways(drawn: int) -> None:
    ours, theirs = pair(11)
    ours.normal_(np.zeros(3))  # leaves a normal number in the state
    ours.random_words(drawn)
    assert theirs.set_state(torch.from_numpy(ours.get_state())) is theirs
    assert_same_state(ours, theirs)
    a, t = zeros((5,), "float32")
    assert_same_bits(ours.normal_(a), t.normal_(generator=theirs))
    torch.zeros(drawn + 1).uniform_(generator=theirs)
    torch.zeros(3).normal_(generator=theirs)
    assert ours.set_state(theirs.get_state().numpy()) is ours
    assert_same_state(ours, theirs)
    assert_same_bits(ours.normal_(a), t.normal_(generator=theirs))


DRAWS = {
    "uniform_": lambda x, g: x.uniform_(-1.0, 3.0, **g), "normal_, 3": lambda x, g: x[:1, :3].normal_(1.0, 2.0, **g),
    "normal_, 35": lambda x, g: x.normal_(1.0, 2.0, **g), "normal_, strides": lambda x, g: x[:, ::2].normal_(**g),
    "random_": lambda x, g: x.random_(0, 100, **g), "bernoulli_": lambda x, g: x.bernoulli_(0.3, **g),
    "exponential_": lambda x, g: x.exponential_(2.0, **g), "transposed": lambda x, g: x.T.uniform_(**g),
}


class Draws:
    """An array with torch's methods, so that one expression draws on both sides."""

    def __init__(self, array: np.ndarray, generator: Generator) -> None:
        self.array, self.generator = array, generator

    def __getitem__(self, key: object) -> Draws:
        return Draws(self.array[key], self.generator)

    @property
    def T(self) -> Draws:
        return Draws(self.array.T, self.generator)

    def __getattr__(self, name: str):
        return lambda *arguments: getattr(self.generator, name)(self.array, *arguments)


@FUSES
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_stream_passes_to_and_fro_without_a_seam(dtype: str) -> None:
    """Either side draws by turns from the state that the other has left; the values are those of torch alone."""
    alone, theirs, ours = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7), Generator()
    order = np.random.default_rng(0).permutation([*DRAWS] * 6)
    for turn, name in enumerate(order):
        array, tensor = zeros((5, 7), dtype)
        want = torch.zeros_like(tensor)
        DRAWS[name](want, {"generator": alone})
        if turn % 2:
            DRAWS[name](tensor, {"generator": theirs})
        else:
            ours.set_state(theirs.get_state().numpy())
            DRAWS[name](Draws(array, ours), {})
            theirs.set_state(torch.from_numpy(ours.get_state()))
        got = tensor if turn % 2 else array
        if turn % 2 or same_bits_in(dtype):
            assert bits(got).tobytes() == bits(want).tobytes(), name
        for n in (6, 1000):
            permutation = torch.randperm(n, generator=alone)
            if turn % 2:
                ours.set_state(theirs.get_state().numpy())
                assert_same_bits(ours.randperm(n), permutation)
                assert_same_bits(ours.randint(-3, 9, (n,)), torch.randint(-3, 9, (n,), generator=alone))
                theirs.set_state(torch.from_numpy(ours.get_state()))
            else:
                assert (torch.randperm(n, generator=theirs) == permutation).all()
                assert (torch.randint(-3, 9, (n,), generator=theirs)
                        == torch.randint(-3, 9, (n,), generator=alone)).all()
        assert state_of(theirs) == state_of(alone), name


def test_a_seam_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    get_state = Generator.get_state

    def forgetful(self: Generator) -> np.ndarray:
        self._record["has_normal"] = 0
        return get_state(self)

    monkeypatch.setattr(Generator, "get_state", forgetful)
    with pytest.raises(AssertionError):
        test_a_stream_passes_to_and_fro_without_a_seam("float32")


def test_a_state_keeps_what_it_does_not_use() -> None:
    state = Generator().get_state()
    state[5048:5053] = [0, 0, 128, 63, 1]  # the float32 normal of a state that an older torch has saved
    restored = torch.Generator().set_state(torch.from_numpy(state))
    assert_same_state(Generator().set_state(state), restored)


@pytest.mark.parametrize(("state", "error"), [
    (np.zeros(5056, np.uint8), RuntimeError), (np.zeros(5055, np.uint8), RuntimeError),
    (np.zeros(5056), TypeError)])
def test_refused_states(state: np.ndarray, error: type[Exception]) -> None:
    ours, theirs = pair(0)
    with pytest.raises(error, match="new_state"):
        ours.set_state(state)
    with pytest.raises(error, match=r"state|ByteTensor"):
        theirs.set_state(torch.from_numpy(state))
    assert_same_state(ours, theirs)


@pytest.mark.parametrize(("call", "error"), [
    (lambda x, g: x.uniform_(2.0, 1.0, **g), RuntimeError),
    (lambda x, g: x.uniform_(0.0, 1e39, **g), RuntimeError),
    (lambda x, g: x.uniform_(-3e38, 3e38, **g), RuntimeError),
    (lambda x, g: x.uniform_(float("nan"), 1.0, **g), RuntimeError),
    (lambda x, g: x.normal_(0.0, -1.0, **g), RuntimeError),
    (lambda x, g: x.normal_("0", 1.0, **g), TypeError)])
def test_refused_arguments(call, error) -> None:
    class Ours:
        def __getattr__(self, name: str):
            return lambda *arguments: getattr(Generator(), name)(np.zeros(3, np.float32), *arguments)

    with pytest.raises(error):
        call(Ours(), {})
    with pytest.raises(error):
        call(torch.zeros(3), {"generator": torch.Generator()})


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


def test_default_generator() -> None:
    before = torch.get_rng_state()
    try:
        torch.manual_seed(5)
        assert random.manual_seed(5) is random.default_generator
        array, tensor = zeros((4,), "float64")
        assert_same_bits(random.default_generator.uniform_(array), tensor.uniform_())
    finally:
        torch.set_rng_state(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_once(dtype: type) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 2000)).astype(dtype)
    near = -(x * y) * (1 + rng.integers(-3, 4, 2000) * 2.0 ** -rng.integers(0, 60, 2000))  # cancels
    for z in (near.astype(dtype), rng.standard_normal(2000).astype(dtype)):
        for a, b, c, got in zip(x, y, z, precision.fma(x, y, z), strict=True):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            error = abs(exact - Fraction(float(got)))
            for side in (np.inf, -np.inf):
                assert error <= abs(exact - Fraction(float(np.nextafter(got, dtype(side)))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_subnormal_results_once(dtype: type) -> None:
    rng, n = np.random.default_rng(2), 3000
    digits, least = (24, -149) if dtype == np.float32 else (53, -1074)
    unit, half = Fraction(2) ** least, least // 2
    x = np.ldexp(rng.uniform(-1, 1, n), half + rng.integers(-3, digits, n)).astype(dtype)
    tie = rng.random(n) < 0.5  # or a whole number, or zero
    x[tie] = np.ldexp(np.rint(np.ldexp(x[tie], -half)), half)
    y = np.ldexp(np.where(tie, rng.choice([0.0, -0.5, 0.5, 1.0], n), rng.uniform(-1, 1, n)), least - half).astype(dtype)
    for z in (np.zeros(n), -np.zeros(n), np.ldexp(rng.integers(-4, 5, n).astype(dtype), least), -(x * y)):
        for a, b, c, got in zip(x, y, z.astype(dtype), precision.fma(x, y, z.astype(dtype)), strict=True):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            assert Fraction(float(got)) == round(exact / unit) * unit
            assert np.signbit(got) == (exact < 0 if exact else np.signbit(a) != np.signbit(b) and np.signbit(c))


def test_fma_of_products_that_overflow() -> None:
    rng, largest = np.random.default_rng(3), np.finfo(np.float64).max
    x, y = 2.0**1023 * rng.uniform(1, 1.7, 1000), rng.uniform(1, 1.7, 1000)
    z = -(2.0**1023) * rng.uniform(1.9, 2, 1000)
    with np.errstate(all="ignore"):
        for a, b, c, got in zip(x, y, z, precision.fma(x, y, z), strict=True):
            assert got == float(Fraction(a) * Fraction(b) + Fraction(c))
        special = np.array([[largest, largest, -np.inf], [largest, 2, -np.inf], [np.inf, 1e-320, 5.0],
                            [np.inf, 0, 1], [largest, -2, largest], [largest, 2, 0], [1e-320, 1e-320, largest]])
        np.testing.assert_array_equal(precision.fma(*special.T), [-np.inf, -np.inf, np.inf, np.nan, -largest, np.inf,
                                                                  largest])


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


# --- integers, permutations, Bernoulli and exponential numbers -----------------------------------

INTEGERS = ("int8", "uint8", "int16", "int32", "int64", "bool", "float16", "bfloat16", "float32", "float64")
BOUNDS = [(), (7,), (-5, 100), (0, 1), (3, None), (0, 2**27 + 1), (0, 2**28), (-(2**28), 2**28 - 1),
          (-(2**40), 2**52), (-(2**63), 2**63 - 1), (-(2**63), None), (0, 2047), (0, 257), (-300, 2**14 + 3)]


def both(dtype: str, shape: tuple[int, ...] = (5, 7)) -> tuple[np.ndarray, torch.Tensor]:
    if dtype == "bfloat16":
        return zeros(shape, dtype)
    return np.zeros(shape, dtype), torch.zeros(shape, dtype=getattr(torch, dtype))


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


@pytest.mark.parametrize("dtype", [*DTYPES, "bool", "int64"])
def test_bernoulli(dtype: str) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        array, tensor = both(dtype)
        for p in (0.0, 0.3, 0.5, 1.0):
            for a, t in ((array, tensor), (array.T, tensor.T)):
                assert ours.bernoulli_(a, p) is a
                assert_same_bits(a, t.bernoulli_(p, generator=theirs))
        for kind in (np.float32, np.float64):
            chances = np.random.default_rng(0).random(7).astype(kind)
            assert_same_bits(ours.bernoulli_(array, chances),
                             tensor.bernoulli_(torch.from_numpy(chances), generator=theirs))
        assert_same_state(ours, theirs)
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(RuntimeError, match=r"p must be within \[0, 1\]"):
            Generator().bernoulli_(array, p)
        with pytest.raises(RuntimeError):
            tensor.bernoulli_(p)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential(dtype: str) -> None:
    for seed in SEEDS:
        ours, theirs = pair(seed)
        array, tensor = both(dtype)
        for rate in (1.0, 0.01, 300.0):
            for a, t in ((array, tensor), (array.T, tensor.T)):
                ours.exponential_(a, rate)
                t.exponential_(rate, generator=theirs)
                assert_same_bits(a, t)
        assert_same_state(ours, theirs)
    with pytest.raises(RuntimeError, match="lambd must be above 0"):
        Generator().exponential_(array, 0.0)
    with pytest.raises(RuntimeError):
        tensor.exponential_(0.0)
    with pytest.raises(RuntimeError, match="got int64"):
        Generator().exponential_(np.zeros(3, np.int64))
    with pytest.raises(RuntimeError):
        torch.zeros(3, dtype=torch.int64).exponential_()


# --- normals to the last bit ---------------------------------------------------------------------


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

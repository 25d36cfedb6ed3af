"""reference.random against torch's CPU generator: values, positions and states, bit for bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from reference import precision, random
from reference.random import Generator
from tests.twins import DTYPES, assert_same_bits, assert_same_normals, state_of, zeros

SEEDS = (0, 1, 2**31, 2**32 + 1, 2**63 + 5, -7)
SIZES = (0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 40, 640)
FUSES = pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() == "DEFAULT",
                           reason="torch's baseline CPU path rounds x * scale + shift twice")


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


MISTAKES = {
    "ragged halves drawn in vain": ("HALF", frozenset(), test_normal, ("bfloat16", 0.0, 1.0)),
    "angle and radius exchanged": ("_box_muller", lambda work, u, v, f=random._box_muller: f(work, v, u),
                                   test_normal, ("float64", 0.0, 1.0)),
    "sum rounded twice": ("fma", lambda x, y, z: x * y + z,
                          test_uniform, ("float32", (-1.0954451, 1.0954451))),
    "logical order": ("fill", lambda a, v: a.__setitem__(..., v.reshape(a.shape)),
                      test_order_of_memory, ("swapped", "float32")),
}


@FUSES
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_caught(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, wrong, test, arguments = MISTAKES[mistake]
    monkeypatch.setattr(random, name, wrong)
    with pytest.raises(AssertionError):
        test(*arguments)

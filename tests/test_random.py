"""reference.random against torch's CPU generator: seeds, states, Bernoulli and exponential numbers, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference import random
from reference.random import Generator
from tests.twin_generators import FUSES, SEEDS, assert_same_state, both, pair
from tests.twins import DTYPES, assert_same_bits, bits, same_bits_in, state_of, zeros


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


def test_default_generator() -> None:
    before = torch.get_rng_state()
    try:
        torch.manual_seed(5)
        assert random.manual_seed(5) is random.default_generator
        array, tensor = zeros((4,), "float64")
        assert_same_bits(random.default_generator.uniform_(array), tensor.uniform_())
    finally:
        torch.set_rng_state(before)


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

"""reference.init against torch.nn.init: every axis of every SPEC, values and position of the stream."""

from __future__ import annotations

import itertools
import random as stdlib_random
from typing import Any

import numpy as np
import pytest
import torch

import reference.init as init
from reference import random
from reference.init.normal_init import SPEC as NORMAL
from reference.init.xavier_uniform_init import SPEC as XAVIER
from reference.spec import InitSpec, Limits
from tests.twins import DTYPES, PRECISION, assert_same_bits, assert_same_normals, state_of, zeros

SPECS = (NORMAL, XAVIER)
FUSES = torch.backends.cpu.get_cpu_capability() != "DEFAULT"  # that path rounds uniform numbers twice


def combinations(spec: InitSpec, dtype: str) -> list[dict[str, Any]]:
    """Each value of each axis with the defaults, and sixty combinations by chance."""
    names = [axis.name for axis in spec.axes]
    one_by_one = [{**spec.defaults, axis.name: value} for axis in spec.axes for value in axis.values]
    every = [dict(zip(names, values, strict=True))
             for values in itertools.product(*(axis.values for axis in spec.axes))]
    some = one_by_one + stdlib_random.Random(0).sample(every, 60)
    return [options for options in some if spec.allowed(options, dtype)]


def check(spec: InitSpec, options: dict[str, Any], dtype: str) -> None:
    limits = Limits(dtype, 2.0 ** (1 - PRECISION[dtype]), 0.0, 0.0)
    kwargs = spec.draw(options, np.random.default_rng(0), limits)
    array, tensor = zeros(kwargs.pop("shape"), dtype, kwargs.pop("layout"))
    seed = kwargs.pop("seed")
    ours, theirs = random.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    assert spec.function(array, generator=ours, **kwargs) is array
    getattr(torch.nn.init, spec.name)(tensor, generator=theirs, **kwargs)
    if spec is NORMAL:
        assert_same_normals(array, tensor, kwargs["std"], dtype)
    elif FUSES:
        assert_same_bits(array, tensor)
    assert state_of(ours) == state_of(theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_values_and_position(spec: InitSpec, dtype: str) -> None:
    for options in combinations(spec, dtype):
        check(spec, options, dtype)


@pytest.mark.parametrize(("spec", "refusal"), [pytest.param(spec, refusal, id=f"{spec.name}-{refusal.why}")
                                               for spec in SPECS for refusal in spec.refusals])
def test_refusals(spec: InitSpec, refusal: Any) -> None:
    with pytest.raises(refusal.raises, match=refusal.match):
        spec.function(**refusal.arguments)
    tensors = {name: torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
               for name, value in refusal.arguments.items()}
    with pytest.raises(refusal.torch_raises or refusal.raises):
        getattr(torch.nn.init, spec.name)(**tensors)


def test_refused_generators() -> None:
    for spec in SPECS:
        with pytest.raises(TypeError, match=r"generator must be a reference\.random\.Generator, got int"):
            spec.function(np.zeros((2, 3)), generator=5)
        with pytest.raises(TypeError, match="generator"):
            getattr(torch.nn.init, spec.name)(torch.zeros(2, 3), generator=5)


def test_default_generator_is_used_and_moves_on() -> None:
    before = torch.get_rng_state()
    try:
        torch.manual_seed(9)
        random.manual_seed(9)
        for _ in range(2):
            array, tensor = zeros((3, 5), "float64")
            init.normal_(tensor=array, std=2.0)
            torch.nn.init.normal_(tensor=tensor, std=2.0)
            assert_same_normals(array, tensor, 2.0, "float64")
        assert state_of(random.default_generator) == state_of(torch.default_generator)
    finally:
        torch.set_rng_state(before)


def test_bfloat16_never_reaches_the_upper_bound() -> None:
    array, tensor = zeros((60, 60), "bfloat16")
    init.xavier_uniform_(array, generator=random.Generator().manual_seed(1))
    torch.nn.init.xavier_uniform_(tensor, generator=torch.Generator().manual_seed(1))
    a = array.min()
    assert (array == a).sum() > 1  # those that rounding lifted to the bound, too
    assert (array != -a).all()
    assert ((tensor == float(a)).numpy() == (array == a)).all()


@pytest.mark.skipif(not FUSES, reason="torch's baseline CPU path rounds x * scale + shift twice")
@pytest.mark.parametrize(("name", "wrong"), [
    ("calculate_fan_in_and_fan_out", lambda tensor: tensor.shape[1::-1]),  # forgets the kernel
    ("calculate_fan_in_and_fan_out", lambda tensor: (tensor.shape[-1], tensor.shape[0]))])
def test_mistakes_are_caught(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(init.xavier_uniform_.__globals__, name, wrong)
    check(XAVIER, {**XAVIER.defaults, "shape": "16x4"}, "float32")  # right where there is no kernel
    with pytest.raises(AssertionError):
        check(XAVIER, {**XAVIER.defaults, "shape": "8x3x3x2"}, "float32")

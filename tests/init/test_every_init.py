"""reference.init against torch.nn.init: every axis of every SPEC, values, position of the stream, warnings."""

from __future__ import annotations

import inspect
import itertools
import math
import random as stdlib_random
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import reference.init as init
from oracle.auditing.judge import run_case
from oracle.cases import registry
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.cases.spec import InitSpec, Limits, Refusal
from oracle.targets.loading import load
from oracle.targets.pytorch import to_tensor
from oracle.targets.pytorch_calls import resolve
from oracle.truth.evaluate import empty_tensor, take_seeds
from oracle.truth.proof import prove
from reference import random
from tests.twins import NAMED_PATH, PRECISION, assert_same_bits, same_bits_in, state_of, zeros

SPECS = tuple(spec for spec in registry.specs().values() if isinstance(spec, InitSpec))
SEEDED = tuple(spec for spec in SPECS if "generator" in spec.parameters)
SEEDS = range(20)
COUPLES = [pytest.param(spec, dtype, id=f"{spec.name}-{dtype}") for spec in SPECS for dtype in spec.dtypes]

quiet = pytest.mark.filterwarnings("ignore:.*(two std outside|2 std from|without elements|zero-element)")


def combinations(spec: InitSpec, dtype: str) -> list[dict[str, Any]]:
    """Each value of each axis with the defaults, and some combinations by chance."""
    names = [axis.name for axis in spec.axes]
    one_by_one = [{**spec.defaults, axis.name: value} for axis in spec.axes for value in axis.values]
    every = list(itertools.product(*(axis.values for axis in spec.axes)))
    chance = stdlib_random.Random(spec.name + dtype).sample(every, min(len(every), 12))
    some = one_by_one + [dict(zip(names, values, strict=True)) for values in chance]
    unique = {tuple(options.values()): {**options, "seed": 0} for options in some if spec.allowed(options, dtype)}
    return list(unique.values())


def check(spec: InitSpec, options: dict[str, Any], dtype: str, seed: int = 0) -> None:
    """Both fill an array from the same two seeds; the numbers and both streams' positions have to be equal."""
    limits = Limits(dtype, 2.0 ** (1 - PRECISION[dtype]), 0.0, 0.0)
    arguments = {**spec.draw(options, np.random.default_rng(0), limits), "seed": seed}
    seeds = take_seeds(arguments)
    array = empty_tensor(arguments, dtype)
    tensor = to_tensor(array)
    ours, theirs = random.Generator().manual_seed(seeds.given), torch.Generator().manual_seed(seeds.given)
    random.manual_seed(seeds.default)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seeds.default)  # torch.manual_seed asks each device
        assert spec.function(array, **arguments, **seeds.argument(spec, ours)) is array
        resolve(spec.torch_names[0])(tensor, **arguments, **seeds.argument(spec, theirs))
        assert state_of(ours) == state_of(theirs)
        assert state_of(random.default_generator) == state_of(torch.default_generator)
    if dtype in spec.bitwise and same_bits_in(dtype):
        assert_same_bits(array, tensor)


@quiet
@pytest.mark.parametrize(("spec", "dtype"), COUPLES)
def test_twenty_seeds_give_the_same_numbers_and_positions(spec: InitSpec, dtype: str) -> None:
    for options in combinations(spec, dtype):
        for seed in SEEDS if "seed" in spec.defaults else [0]:
            check(spec, options, dtype, seed)


def test_there_are_enough_combinations() -> None:
    assert sum(len(combinations(spec, dtype)) for spec in SEEDED for dtype in spec.bitwise) >= 200
    assert sum(len(spec.refusals) for spec in SPECS) >= 30


LIBRARY = [p for p in COUPLES if p.values[0] in SEEDED and (p.values[1] == "float64" or not p.values[0].bitwise)]


@quiet
@pytest.mark.usefixtures("shared_truths")
@pytest.mark.parametrize(("spec", "dtype"), LIBRARY)
def test_what_a_library_decides_is_within_its_bound(spec: InitSpec, dtype: str) -> None:
    """What passes through a library's float64 functions, or its factorization, is judged against the truth too."""
    targets = load(["torch:eager", "reference"])
    for case in select([spec.name], [dtype], around=False):
        for target in targets:
            assert run_case(case, target).verdict in ("exact", "within")


@quiet
@pytest.mark.parametrize(("spec", "dtype"), [p for p in COUPLES if not p.values[0].bitwise])
def test_twenty_seeds_are_within_the_bound_of_each(spec: InitSpec, dtype: str) -> None:
    targets = load(["torch:eager", "reference"])
    for options in combinations(spec, dtype):
        for seed in SEEDS:
            case = Case(spec, dtype, {**options, "seed": seed})
            truths = prove(case)
            assert {run_case(case, target, truths=truths).verdict for target in targets} <= {"exact", "within"}


# --- gates: the lists are read from torch ----------------------------------------------------------

PUBLIC = sorted(name for name, f in vars(torch.nn.init).items()
                if inspect.isfunction(f) and f.__module__ == "torch.nn.init" and not name.startswith("_"))


def test_every_public_initializer_of_torch_is_here() -> None:
    assert {"trunc_normal_", "calculate_gain", "xavier_normal"} <= set(PUBLIC)
    assert set(PUBLIC) == set(init.__all__) - {"calculate_fan_in_and_fan_out"}


@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_are_torchs(name: str) -> None:
    """Names, order, defaults, and whether by keyword alone; torch's deprecated names say that they take anything."""
    def arguments(module: Any, of: str) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.default, p.kind) for p in inspect.signature(getattr(module, of)).parameters.values()]

    theirs = arguments(torch.nn.init, name)
    passes_on = any(kind is inspect.Parameter.VAR_POSITIONAL for _, _, kind in theirs)
    assert arguments(init, name) == (arguments(torch.nn.init, f"{name}_") if passes_on else theirs)


def once(spec: InitSpec, leave_out: str = "") -> set[str]:
    """The arguments that are the same in all cases of float32."""
    seen: dict[str, set[str]] = {name: set() for name in spec.parameters}
    for case in select([spec.name], ["float32"]):
        for name in spec.parameters:
            values = case.options if name != leave_out else spec.defaults
            seen[name].add(str(values["shape" if name == "tensor" else name]))
    return {name for name, values in seen.items() if len(values) < 2}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_argument_takes_two_values_at_least(spec: InitSpec) -> None:
    assert once(spec) == set()
    assert once(spec, leave_out=spec.parameters[-1]) == {spec.parameters[-1]}


# --- refusals and warnings -----------------------------------------------------------------------


@quiet
@pytest.mark.parametrize(("spec", "refusal"), [pytest.param(spec, refusal, id=f"{spec.name}-{refusal.why}")
                                               for spec in SPECS for refusal in spec.refusals])
def test_refusals(spec: InitSpec, refusal: Refusal) -> None:
    with pytest.raises(refusal.raises, match=refusal.match):
        spec.function(**refusal.arguments)
    tensors = {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
               for name, value in refusal.arguments.items()}
    with pytest.raises(refusal.torch_raises or refusal.raises):
        resolve(spec.torch_names[0])(**tensors)


@pytest.mark.parametrize("spec", SEEDED, ids=lambda spec: spec.name)
def test_refused_generators(spec: InitSpec) -> None:
    arguments = {"sparsity": 0.5} if "sparsity" in spec.parameters else {}
    with pytest.raises(TypeError, match=r"generator must be a reference\.random\.Generator, got int"):
        spec.function(np.zeros((2, 3)), generator=5, **arguments)
    with pytest.raises(TypeError, match="generator"):
        resolve(spec.torch_names[0])(torch.zeros(2, 3), generator=5, **arguments)


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
def test_an_array_without_elements_warns(name: str) -> None:
    array, tensor = zeros((0, 3), "float32")
    with pytest.warns(UserWarning, match="left as it is"):
        assert getattr(init, name)(array, mode="nonsense") is array
    with pytest.warns(UserWarning, match="no-op"):
        getattr(torch.nn.init, name)(tensor, mode="nonsense")


@pytest.mark.parametrize("mean", [-4.5, 4.5, -4.0, 3.9])
def test_a_mean_outside_warns(mean: float) -> None:
    caught = []
    for function, array in ((init.trunc_normal_, np.zeros(3)), (torch.nn.init.trunc_normal_, torch.zeros(3))):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            function(array, mean, 1.0, -2.0, 2.0)
        caught.append([w.category for w in seen])
    assert caught[0] == caught[1] == [UserWarning] * (abs(mean) > 4)


@pytest.mark.parametrize("spec", [s for s in SPECS if len(s.torch_names) > 1], ids=lambda spec: spec.name)
def test_deprecated_names_warn_and_do_the_same(spec: InitSpec) -> None:
    old = spec.torch_names[1].rpartition(".")[2]
    arguments = {name: 0.5 for name in ("val", "sparsity") if name in spec.parameters}
    shape = (4, 2, 3) if spec.name == "dirac_" else (4, 3)
    array, tensor = zeros(shape, "float32")
    random.manual_seed(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        with pytest.warns(FutureWarning, match=f"^{old} is deprecated; use {spec.name}$"):
            assert getattr(init, old)(array, **arguments) is array
        with pytest.warns(FutureWarning, match=rf"{spec.name}`"):
            resolve(spec.torch_names[1])(tensor, **arguments)
    again, _ = zeros(shape, "float32")
    random.manual_seed(3)
    spec.function(again, **arguments)
    assert array.tobytes() == again.tobytes()  # which is judged by its bound elsewhere
    if spec.bitwise:
        assert array.tobytes() == tensor.numpy().tobytes()
    assert getattr(init, old).__name__ == old


# --- gains, fans, constants ----------------------------------------------------------------------

NONLINEARITIES = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                  "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")


@pytest.mark.parametrize("param", [None, 0, 2, 0.2, -1.5, math.sqrt(5)])
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_gains(name: str, param: float | None) -> None:
    assert init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


@pytest.mark.parametrize(("name", "param"), [("gelu", None), (None, None), ("leaky_relu", True),
                                             ("leaky_relu", "0.1"), ("leaky_relu", (1,))])
def test_refused_gains(name: Any, param: Any) -> None:
    for function in (init.calculate_gain, torch.nn.init.calculate_gain):
        with pytest.raises(ValueError, match=r"nonlinearity|param|negative_slope"):
            function(name, param)


@pytest.mark.parametrize("shape", [(3, 5), (0, 3), (8, 3, 2, 2), (2, 3, 4), (2, 1, 1, 2, 3)])
def test_fans(shape: tuple[int, ...]) -> None:
    assert init.calculate_fan_in_and_fan_out(np.zeros(shape)) == \
        torch.nn.init._calculate_fan_in_and_fan_out(torch.zeros(shape))


@pytest.mark.parametrize(("dtype", "value"), [("int64", 1.7), ("int32", -3), ("uint8", -1), ("bool", 0.5),
                                              ("int8", True), ("complex64", 1 + 2j), ("float32", np.float64(0.1)),
                                              ("float32", 0.5 + 0j), ("int16", 2.5 + 0j), ("uint16", -3),
                                              ("uint64", -3)])
def test_constants_of_other_types(dtype: str, value: Any) -> None:
    tensor = torch.nn.init.constant_(torch.zeros(3, dtype=getattr(torch, dtype)), value)
    assert init.constant_(np.zeros(3, dtype), value).tolist() == tensor.tolist()


@pytest.mark.parametrize("name", ["uniform_", "normal_", "xavier_normal_", "kaiming_uniform_"])
def test_complex_arrays(name: str) -> None:
    array = np.zeros((4, 5), np.complex64)
    tensor = torch.from_numpy(array.copy())
    getattr(init, name)(array, generator=random.Generator().manual_seed(2))
    getattr(torch.nn.init, name)(tensor, generator=torch.Generator().manual_seed(2))
    if NAMED_PATH:
        assert array.tobytes() == tensor.numpy().tobytes()


def test_bfloat16_never_reaches_the_upper_bound() -> None:
    array, tensor = zeros((60, 60), "bfloat16")
    init.xavier_uniform_(array, generator=random.Generator().manual_seed(1))
    torch.nn.init.xavier_uniform_(tensor, generator=torch.Generator().manual_seed(1))
    a = array.min()
    assert (array == a).sum() > 1  # those that rounding lifted to the bound, too
    assert (array != -a).all()
    assert ((tensor == float(a)).numpy() == (array == a)).all()


def test_orthogonal_factors_are_orthogonal() -> None:
    for shape in ((40, 40), (30, 7), (7, 5, 6)):
        x = init.orthogonal_(np.zeros(shape), generator=random.Generator().manual_seed(0)).reshape(shape[0], -1)
        gram = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
        assert np.abs(gram - np.eye(len(gram))).max() < len(gram) * 8 * 2.0**-53


# --- models --------------------------------------------------------------------------------------


def resnet18() -> list[tuple[Any, ...]]:
    """The layers of a ResNet-18 in the order in which they are built; its norms are those of LayerNorm."""
    layers: list[tuple[Any, ...]] = [("Conv2d", 3, 64, 7, False), ("LayerNorm", 64)]
    channels = 64
    for width in (64, 128, 256, 512):
        for block in range(2):
            layers += [("Conv2d", channels, width, 3, False), ("LayerNorm", width),
                       ("Conv2d", width, width, 3, False), ("LayerNorm", width)]
            if block == 0 and channels != width:
                layers += [("Conv2d", channels, width, 1, False), ("LayerNorm", width)]
            channels = width
    return [*layers, ("Linear", 512, 1000, True)]


def transformer() -> list[tuple[Any, ...]]:
    """Two blocks of a small transformer."""
    block = [("LayerNorm", 64), ("Linear", 64, 192, True), ("Linear", 64, 64, False), ("LayerNorm", 64),
             ("Linear", 64, 256, True), ("Linear", 256, 64, True)]
    return [("Embedding", 1001, 64), ("Embedding", 33, 64), *block, *block, ("Linear", 64, 1001, False)]


def torch_layer(kind: str, *sizes: Any) -> torch.nn.Module:
    if kind == "Conv2d":
        return torch.nn.Conv2d(*sizes[:3], bias=sizes[3])
    return torch.nn.Linear(*sizes[:2], bias=sizes[2]) if kind == "Linear" else getattr(torch.nn, kind)(*sizes)


def our_layer(kind: str, *sizes: Any) -> list[np.ndarray]:
    """The same parameters from the documentation of the layers, by our initializers."""
    if kind == "LayerNorm":
        return [init.ones_(np.empty(sizes[0], np.float32)), init.zeros_(np.empty(sizes[0], np.float32))]
    if kind == "Embedding":
        return [init.normal_(np.empty(sizes, np.float32))]
    inputs, outputs, *kernel, bias = sizes
    weight = np.empty((outputs, inputs, *kernel * 2), np.float32)
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    bound = 1 / math.sqrt(init.calculate_fan_in_and_fan_out(weight)[0])
    return [weight, init.uniform_(np.empty(outputs, np.float32), -bound, bound)] if bias else [weight]


@pytest.mark.skipif(not NAMED_PATH, reason="torch's baseline CPU path rounds x * scale + shift twice")
@pytest.mark.parametrize("layers", [resnet18(), transformer()], ids=["resnet18", "transformer"])
@pytest.mark.parametrize("seed", [0, 2**40 + 7])
def test_models_are_rebuilt_from_the_seed_alone(layers: list[tuple[Any, ...]], seed: int) -> None:
    random.manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in layers:
            for array, parameter in zip(our_layer(*layer), torch_layer(*layer).parameters(), strict=True):
                assert array.tobytes() == parameter.detach().numpy().tobytes(), layer
        assert state_of(random.default_generator) == state_of(torch.default_generator)


@pytest.mark.skipif(not NAMED_PATH, reason="torch's baseline CPU path rounds x * scale + shift twice")
@pytest.mark.parametrize(("name", "wrong"), [
    ("calculate_fan_in_and_fan_out", lambda tensor: tensor.shape[1::-1]),  # forgets the kernel
    ("calculate_fan_in_and_fan_out", lambda tensor: (tensor.shape[-1], tensor.shape[0]))])
def test_mistakes_are_caught(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry.get("xavier_uniform_")
    assert isinstance(spec, InitSpec)
    monkeypatch.setitem(init.xavier_uniform_.__globals__, name, wrong)
    check(spec, {**spec.defaults, "shape": "16x4"}, "float32")  # right where there is no kernel
    with pytest.raises(AssertionError):
        check(spec, {**spec.defaults, "shape": "5x4x3x2"}, "float32")

"""oracle.verdict.distribution: no right initializer is accused, and every planted fault is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import reference.init as init
from oracle.cases import registry
from oracle.cases.spec import InitSpec
from oracle.truth.claims import CLAIMS, Claim
from oracle.verdict.chance import ALARM
from oracle.verdict.distribution import judge_draws
from reference import random

Array = np.ndarray[Any, Any]
SHAPE = (100, 200)


def ours(name: str, shape: tuple[int, ...], **arguments: Any) -> Callable[[int], list[Array]]:
    def draw(seed: int) -> list[Array]:
        generator = random.Generator().manual_seed(seed)
        random.manual_seed(seed + 1)
        count = 60 if name == "orthogonal_" else 1
        return [getattr(init, name)(np.zeros(shape, np.float32), generator=generator, **arguments)
                for _ in range(count)]

    return draw


RIGHT: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("uniform_", (40, 50), {}), ("uniform_", (2000,), {"a": -3.0, "b": 5.0}), ("normal_", (40, 50), {}),
    ("normal_", (2001,), {"mean": 3.0, "std": 0.02}), ("trunc_normal_", (40, 50), {}),
    ("trunc_normal_", (40, 50), {"mean": 1.0, "std": 2.0, "a": 2.0, "b": 2.5}),
    ("xavier_uniform_", (40, 50), {"gain": 5 / 3}), ("xavier_normal_", (10, 5, 3, 3), {}),
    ("kaiming_uniform_", (40, 50), {"a": 0.2, "mode": "fan_out"}),
    ("kaiming_normal_", (10, 5, 3, 3), {"nonlinearity": "relu"}), ("orthogonal_", (12, 12), {"gain": 2.0}),
    ("orthogonal_", (5, 2, 4), {}), ("sparse_", (40, 50), {"sparsity": 0.3})]


def test_every_random_initializer_has_a_claim() -> None:
    seeded = {spec.name for spec in registry.specs().values()
              if isinstance(spec, InitSpec) and "generator" in spec.parameters}
    assert set(CLAIMS) == seeded == {name for name, _, _ in RIGHT}


@pytest.mark.parametrize(("name", "shape", "arguments"), RIGHT, ids=lambda value: str(value))
def test_nothing_right_is_accused(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    """1,040 runs in all, of which the whole has a false alarm less than once in a million times."""
    claim = CLAIMS[name](shape, **arguments)
    draw = ours(name, shape, **arguments)
    assert [alarm for seed in range(80) for alarm in judge_draws(draw(seed), claim)] == []
    assert ALARM * len(RIGHT) * 80 < 1e-6


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_types_are_judged_too(dtype: str) -> None:
    rng = np.random.default_rng(0)
    assert judge_draws([rng.uniform(-1, 1, (300, 300)).astype(dtype)], Claim.uniform(-1.0, 1.0)) == []
    assert judge_draws([rng.normal(0, 0.1, (300, 300)).astype(dtype)], Claim.normal(0.1)) == []


@dataclass(frozen=True)
class Fault:
    """A wrong way to draw, what it claims, and what sees it."""

    why: str
    draw: Callable[[np.random.Generator], list[Array]]
    claim: Claim
    seen_by: str

    def __str__(self) -> str:
        return self.why


def _normal(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> Array:
    return rng.normal(size=shape)


def _truncated(rng: np.random.Generator, std: float, n: int) -> Array:
    x = rng.normal(0.0, std, 2 * n)
    return x[np.abs(x) <= 2][:n]


def _qr(rng: np.random.Generator, signs: bool = False) -> Array:
    q, r = np.linalg.qr(rng.normal(size=(20, 20)))
    return q * np.sign(np.diagonal(r)) if signs else q


def _correlated(rng: np.random.Generator, axis: int) -> Array:
    x = _normal(rng)
    return 0.995 * x + 0.1 * np.roll(x, 1, axis)  # each with its neighbour, by 0.1


def _sparse(rng: np.random.Generator, axis: int, count: int = 30) -> Array:
    x = _normal(rng)
    order = rng.random(SHAPE).argsort(axis=axis).argsort(axis=axis)
    x[order < count] = 0
    return x


def _shared_radius(rng: np.random.Generator) -> Array:
    """Pairs of one radius whose angles are the same but for a sign: uncorrelated, not independent."""
    x = _normal(rng)
    x[:, 1::2] = x[:, ::2] * rng.choice([-1, 1], x[:, ::2].shape)
    return x


ROOT3, UNIT = math.sqrt(3), Claim.uniform(-1.0, 1.0)
FAULTS = [
    Fault("std 2 % large", lambda g: [1.02 * _normal(g, (400, 500))], Claim.normal(1.0), "variance"),
    Fault("std 2 % small", lambda g: [0.98 * _normal(g, (400, 500))], Claim.normal(1.0), "variance"),
    Fault("mean off by a tenth", lambda g: [_normal(g) + 0.1], Claim.normal(1.0), "mean"),
    Fault("uniform for normal", lambda g: [g.uniform(-ROOT3, ROOT3, SHAPE)], Claim.normal(1.0), "density"),
    Fault("normal for uniform", lambda g: [_normal(g) / ROOT3], UNIT, "support"),
    Fault("bound 1 % large", lambda g: [g.uniform(-1.01, 1.01, (100, 100))], UNIT, "support"),
    Fault("bound 1 % small", lambda g: [g.uniform(-0.99, 0.99, (100, 100))], UNIT, "support"),
    Fault("lower bound 0", lambda g: [g.uniform(0, 1, SHAPE)], UNIT, "support"),
    Fault("std for bound", lambda g: [g.uniform(-1 / ROOT3, 1 / ROOT3, SHAPE)], UNIT, "support"),
    Fault("not truncated", lambda g: [_normal(g, (40, 50))], Claim.truncated(0.0, 1.0, -2.0, 2.0), "support"),
    Fault("clipped", lambda g: [np.clip(_normal(g), -2, 2)], Claim.truncated(0.0, 1.0, -2.0, 2.0), "variance"),
    Fault("truncated std 2 % large", lambda g: [_truncated(g, 1.02, 10**6)], Claim.truncated(0.0, 1.0, -2.0, 2.0),
          "variance"),
    Fault("truncated one sigma early", lambda g: [np.clip(_truncated(g, 1.0, 20000), -1, 1)],
          Claim.truncated(0.0, 1.0, -2.0, 2.0), "variance"),
    Fault("swapped fans, normal", lambda g: [_normal(g, (100, 200)) / math.sqrt(100)],
          CLAIMS["kaiming_normal_"]((100, 200), nonlinearity="linear"), "variance"),
    Fault("swapped fans, uniform", lambda g: [g.uniform(-1, 1, (100, 200)) * ROOT3 / math.sqrt(100)],
          CLAIMS["kaiming_uniform_"]((100, 200), nonlinearity="linear"), "support"),
    Fault("kernel not in the fans", lambda g: [_normal(g, (30, 20, 3, 3)) * math.sqrt(2 / 50)],
          CLAIMS["xavier_normal_"]((30, 20, 3, 3)), "variance"),
    Fault("gain forgotten", lambda g: [_normal(g, (40, 50)) / math.sqrt(50)],
          CLAIMS["kaiming_normal_"]((40, 50), nonlinearity="relu"), "variance"),
    Fault("gain squared", lambda g: [g.uniform(-1, 1, (40, 50)) * ROOT3 * 2 / math.sqrt(50)],
          CLAIMS["kaiming_uniform_"]((40, 50), nonlinearity="relu"), "support"),
    Fault("correlated rows", lambda g: [_correlated(g, 0)], Claim.normal(1.0), "pairs, first axis"),
    Fault("correlated columns", lambda g: [_correlated(g, 1)], Claim.normal(1.0), "pairs, last axis"),
    Fault("a half twice", lambda g: [np.tile(_normal(g, (50, 200)), (2, 1))], Claim.normal(1.0), "pairs, halves"),
    Fault("uniform in pairs", lambda g: [np.repeat(g.uniform(-1, 1, (100, 100)), 2, axis=1)], UNIT, "pairs, last axis"),
    Fault("one radius for two", lambda g: [_shared_radius(g)], Claim.normal(1.0), "magnitudes, last axis"),
    Fault("antithetic halves", lambda g: [np.concatenate([x := _normal(g, (50, 200)), -x])], Claim.normal(1.0),
          "pairs, halves"),
    Fault("no sign correction", lambda g: [_qr(g) for _ in range(60)], Claim.orthogonal(1.0), "signs, diagonal"),
    Fault("absolute signs", lambda g: [_qr(g) * np.sign(np.diagonal(_qr(g))) for _ in range(60)],
          Claim.orthogonal(1.0), "signs"),
    Fault("gain in orthogonal", lambda g: [2 * _qr(g, True) for _ in range(60)],
          Claim.orthogonal(1.0), "orthogonality"),
    Fault("normal for orthogonal", lambda g: [g.normal(0, 20**-0.5, (20, 20)) for _ in range(60)],
          Claim.orthogonal(1.0), "orthogonality"),
    Fault("zeros in rows", lambda g: [_sparse(g, 1, 60)], Claim.normal(1.0, zeros=0.3), "zeros in a column"),
    Fault("one zero too many", lambda g: [_sparse(g, 0, 31)], Claim.normal(1.0, zeros=0.3), "zeros in a column"),
    Fault("always the first rows", lambda g: [_normal(g) * (np.arange(100) >= 30)[:, None]],
          Claim.normal(1.0, zeros=0.3), "zeros in a row"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_faults_are_seen_in_twenty_of_twenty_seeds(fault: Fault) -> None:
    for seed in range(20):
        alarms = judge_draws(fault.draw(np.random.default_rng(seed)), fault.claim)
        assert any(alarm.statistic.startswith(fault.seen_by) for alarm in alarms), list(map(str, alarms))


def test_no_arrays_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one array"):
        judge_draws([], UNIT)


def test_arrays_of_several_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match="same shape"):
        judge_draws([np.zeros(3), np.zeros(4)], UNIT)


def test_a_stack_is_judged_as_the_arrays_in_it() -> None:
    arrays = list(np.random.default_rng(0).uniform(-1.1, 1, (50, 9, 7)).astype(np.float32))
    assert judge_draws(np.stack(arrays), UNIT) == judge_draws(arrays, UNIT) != []

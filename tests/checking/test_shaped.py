"""oracle.check of initializers that get a key and a shape, and of those in JAX: another key for each call."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.checking import checker, choice
from oracle.checking.implementation import implementation_of
from oracle.checking.kit import make_kit

pytestmark = pytest.mark.usefixtures("shared_truths")

JAX = f"{Path(__file__).parent / 'implementations_jax.py'}:"
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
Init = Callable[..., Any]


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 300)


@needs_jax
def test_a_key_of_any_seed_is_a_key_and_each_call_has_its_own() -> None:
    """2⁶³ + 5 is no signed number of 64 bits."""
    import jax

    jaxs = make_kit("jax")
    for seed in (0, -7, 2**63 + 5, 2**64 - 1, -2**63):
        keys = jaxs.generators(jaxs.seeded(seed, 1))
        first, second = (jax.random.key_data(next(keys)).tolist() for _ in range(2))
        assert first != second
        again = jaxs.generators(jaxs.seeded(seed, 2))
        assert first == jax.random.key_data(next(again)).tolist(), "the same seed, the same keys"
    assert all(seed_a != seed_b for seed_a, seed_b in [(jaxs.seeded(-1, 0), jaxs.seeded(5, 0))])


def _report(code: str, *case_ids: str) -> oracle.Report:
    """What :func:`oracle.check` says of some cases alone, each of which takes JAX seconds.

    They are run in this process, where JAX is imported once.
    """
    op = case_ids[0].partition("/")[0]
    asked = implementation_of(JAX + code, framework="jax")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checker, "starter", lambda make, forks: None)
        judge = checker.Checker(op, asked)
    seen = tuple(judge.observe(map(parse, case_ids)))
    return oracle.Report(op, judge.name, "jax", judge.accuracy, seen, len(seen), asked)


@needs_jax
@pytest.mark.parametrize(("code", "case_ids"), [
    ("normal_key", ["normal_/float32/shape=16x4,seed=9223372036854775813",
                    "normal_/float32/mean=1.0,generator=default"]),
    ("normal_no_generator", ["normal_/float32/default"]),
    ("jax_normal", ["normal_/float32/shape=16x4", "normal_/float64/seed=-7"]),
    ("jax_glorot_uniform", ["xavier_uniform_/float32/shape=5x4x3x2"]),
    ("jax_kaiming_uniform", ["kaiming_uniform_/float32/shape=16x4,mode=fan_out,a=0.2"]),
    ("jax_trunc_normal", ["trunc_normal_/float32/mean=1.0,std=5.0,a=0.1"]),
    ("jax_orthogonal", ["orthogonal_/float32/shape=16x4", "orthogonal_/float32/default"]),
    ("jax_ones", ["ones_/float32/default"])])
def test_right_initializers_in_jax_pass(code: str, case_ids: list[str]) -> None:
    report = _report(code, *case_ids)
    assert all(record.sound for record in report.records), str(report)
    assert report.passed


@needs_jax
def test_wrong_ones_fail() -> None:
    report = _report("jax_he_normal", "kaiming_normal_/float32/shape=16x4", "kaiming_normal_/float32/shape=5x4x3x2")
    assert report.failures
    assert [match.dialect.name for match in report.diagnosis.matches] == ["kaiming-normal-truncated"]
    report = _report("normal_same_key", "normal_/float32/default")
    assert report.failures
    assert not report.diagnosis.matches


def _normal(mean: float = 0.0, std: float = 1.0) -> Init:
    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        return rng.normal(mean, std, shape).astype(dtype)

    return init


def _normal_of_key(key: Any, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
    return torch.normal(mean, std, shape, generator=key)


def _uncentred(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, mean: float = 0.0,
               std: float = 1.0) -> Any:
    return rng.normal(mean + std, std, shape).astype(dtype)


def test_a_shape_is_enough_in_any_framework() -> None:
    """Told by the names of parameters, or of those of what a function of hyperparameters gives."""
    options: dict[str, Any] = {"dtypes": ["float32"], "stream": False}
    for code, framework in ((_normal, "numpy"), (_normal(), "numpy"), (_normal_of_key, "torch")):
        report = oracle.check("normal_", code, framework=framework, **options)
        assert report.passed, str(report)
        assert any(record.sound for record in report.records)
    report = oracle.check("normal_", _uncentred, framework="numpy", **options)
    assert report.failures
    assert "implementation(next(keys), (" in report.script()
    compile(report.script(), "script.py", "exec")


def test_a_generator_goes_on_from_call_to_call() -> None:
    def own(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
        tensor[...] = (generator or np.random).normal(mean, std, tensor.shape)
        return tensor

    def on_torch(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
        return tensor.normal_(mean, std, generator=generator)

    for code, framework in ((own, "numpy"), (on_torch, "torch")):
        report = oracle.check("normal_", code, framework=framework, dtypes=["float32"], stream=False)
        assert report.passed, str(report)


def test_what_gives_neither_says_what_is_needed() -> None:
    report = oracle.check("normal_", lambda std=1.0: 3, framework="numpy", dtypes=["float32"])
    assert "needed is a function of key, shape and dtype" in report.failures[0].note

"""A small training run: a network of two layers on made data, with the reference's loss and optimizers, and torch's.

The network is an objective like any other, so the run is a case: truth and bound are those of the whole
run, of parameters and optimizer's state after each of 200 steps, through every gradient on the way. Balls
do not know that errors of two parameters cancel, so their bound grows by a factor for each bit of progress,
whatever an implementation does. What is proven of the whole run is therefore a run that is slow enough for
its type; a fast one is proven step by step, each from the very state that torch had before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.case import Case
from oracle.cases.registry import followed_by
from oracle.cases.spec import Limits, Objective, OptimSpec, Options, ParamGroup, Trajectory
from oracle.keeping.sources import source
from oracle.targets.loading import load
from oracle.truth.ball import BallArray, balls
from oracle.truth.kept_truths import PROOF, kept_or_made
from oracle.truth.proof import VACUOUS, Truth, prove
from oracle.verdict.compare import Verdict, compare, worst
from reference.losses import cross_entropy, cross_entropy_backward
from tests.kept import shared

Array = np.ndarray[Any, Any]
STEPS = 200


@dataclass(frozen=True)
class Network(Objective):
    """Cross-entropy of tanh(x W₁ᵀ + b₁) W₂ᵀ + b₂, and its gradient by the chain rule."""

    x: Any = None
    labels: Any = None

    def converted(self, convert: Callable[[Any], Any]) -> Objective:
        x = convert(self.x)
        return TorchNetwork(x=x, labels=torch.from_numpy(self.labels)) if isinstance(x, torch.Tensor) else type(self)(
            x=x, labels=self.labels)

    def __call__(self, thetas: Sequence[Any], gradients: Sequence[Any]) -> tuple[Any, list[Any]]:
        w1, b1, w2, b2 = thetas
        hidden = np.tanh(self.x @ w1.T + b1)
        logits = hidden @ w2.T + b2
        by_logits = cross_entropy_backward(np.ones_like(logits, shape=()), logits, self.labels)[0]
        by_hidden = (by_logits @ w2) * (1 - hidden * hidden)
        slopes = [by_hidden.T @ self.x, by_hidden.sum(0), by_logits.T @ hidden, by_logits.sum(0)]
        return cross_entropy(logits, self.labels), slopes


class TorchNetwork(Network):
    """The same in torch, by its modules' functions and its own differentiation."""

    def __call__(self, thetas: Sequence[Any], gradients: Sequence[Any]) -> tuple[Any, list[Any]]:
        w1, b1, w2, b2 = leaves = [theta.detach().clone().requires_grad_() for theta in thetas]
        hidden = torch.tanh(torch.nn.functional.linear(self.x, w1, b1))
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(hidden, w2, b2), self.labels)
        return loss.detach(), list(torch.autograd.grad(loss, leaves))


def _made(rng: np.random.Generator, n: int = 12, d: int = 3, k: int = 3) -> tuple[Array, Array]:
    """Points about k centres, and which centre each is of."""
    labels = np.arange(n) % k
    return rng.standard_normal((k, d))[labels] + 0.5 * rng.standard_normal((n, d)), labels


def _trained(optimizer: str, dtype: str, network: type[Network] = Network, **defaults: Any) -> Case:
    """The run as a case."""
    spec = registry.get(optimizer)
    assert isinstance(spec, OptimSpec)

    def draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
        rng = np.random.default_rng(0)
        x, labels = _made(rng)
        params = tuple(rng.uniform(-1, 1, shape) / shape[-1] ** 0.5 for shape in ((4, 3), (4,), (3, 4), (3,)))
        nothing = tuple(map(np.zeros_like, params))
        return Trajectory((ParamGroup(params),), defaults, (nothing,) * STEPS, network(x=x, labels=labels))

    return Case(dataclasses.replace(spec, draw=draw), dtype, spec.defaults)


def _proven(case: Case) -> dict[str, Truth]:
    """Truth and bound of a whole run, which all workers share: they follow from this file and from what proves."""
    modules = source("reference.losses.cross_entropy_loss", *followed_by(case.spec), PROOF)
    with shared():
        return kept_or_made(lambda: prove(case), "a training run", modules, Path(__file__).read_text(encoding="utf-8"),
                            case.id, repr(sorted(case.inputs.defaults.items())))


def _loss(case: Case, outputs: Mapping[str, Array], step: int) -> float:
    objective = case.inputs.objective
    return float(objective([outputs[f"param[{i}]"][step] for i in range(4)], [])[0])


def _widest(truths: Mapping[str, Truth]) -> float:
    """The widest bound, as a share of its array's largest magnitude."""
    return max(float(np.max(truth.bound / truth.scale)) for truth in truths.values() if not truth.discrete)


#: Optimizer, type, arguments, and the loss that 200 steps have to get below: it starts at 1.24.
RUNS = [("SGD", "float32", {"lr": 0.0125}, 0.8), ("SGD", "float64", {"lr": 0.004, "momentum": 0.9}, 0.4),
        ("Adam", "float32", {"lr": 4e-4}, 1.1), ("Adam", "float64", {"lr": 1.5e-3}, 0.65)]
TARGETS = ("reference", "torch:eager", "torch:foreach", "torch:fused")


@pytest.mark.parametrize(("optimizer", "dtype", "defaults", "below"), RUNS,
                         ids=[f"{optimizer}-{dtype}" for optimizer, dtype, *_ in RUNS])
def test_the_whole_run_is_within_its_bound(optimizer: str, dtype: str, defaults: dict[str, Any], below: float) -> None:
    case = _trained(optimizer, dtype, **defaults)
    truths = _proven(case)
    assert {len(truth.hi) for truth in truths.values()} == {STEPS}
    assert _widest(truths) < VACUOUS
    for target in load(TARGETS):
        outputs = target.run(case)
        chief = worst(compare(outputs, truths))
        print(f"{optimizer} {dtype} {target.name}: loss {_loss(case, outputs, 0):.3f} to "
              f"{_loss(case, outputs, -1):.3f}, {chief.share:.1e} of the bound in {chief.output}; "
              f"widest bound {_widest(truths):.1e} of its array")
        assert chief.verdict in (Verdict.EXACT, Verdict.WITHIN), (target.name, chief)
        assert _loss(case, outputs, -1) < below


class _NoSlope(Network):
    """tanh' forgotten."""

    def __call__(self, thetas: Sequence[Any], gradients: Sequence[Any]) -> tuple[Any, list[Any]]:
        value, (g1, c1, g2, c2) = super().__call__(thetas, gradients)
        w1, b1, *_ = thetas
        slope = np.mean(1 - np.tanh(self.x @ w1.T + b1) ** 2, 0)
        return value, [g1 / slope[:, None], c1 / slope, g2, c2]


@pytest.mark.parametrize(("network", "change"), [(_NoSlope, {}), (Network, {"weight_decay": 1e-4}),
                                                 (Network, {"lr": 0.0125 * (1 + 1e-5)}), (Network, {"momentum": 1e-5})])
def test_another_run_is_not(network: type[Network], change: dict[str, Any]) -> None:
    right = _trained("SGD", "float32", lr=0.0125)
    wrong = _trained("SGD", "float32", network, **{"lr": 0.0125, **change})
    (reference,) = load(["reference"])
    outputs = {name: value for name, value in reference.run(wrong).items() if name.startswith("param")}
    assert worst(compare(outputs, _proven(right))).verdict is Verdict.EXCEEDS


def _resumed(optimizer: type[Any], states: Sequence[Mapping[str, Array]]) -> type[Any]:
    """The optimizer as it is after these states were loaded into it, one for each parameter."""
    class Resumed(optimizer):  # type: ignore[misc]
        def __init__(self, groups: Any, **defaults: Any) -> None:
            super().__init__(groups, **defaults)
            for p, state in zip(self.param_groups[0]["params"], states, strict=True):
                lift = balls if isinstance(p.data, BallArray) else np.copy
                self.state[p] = {name: np.copy(value) if name == "step" else lift(value)
                                 for name, value in state.items()}

    return Resumed


def _one_step(case: Case, outputs: Mapping[str, Array], t: int) -> Case:
    """Step t + 1 alone, from parameters and state as they were given after step t."""
    names = [name for name in outputs if name.endswith("[0]") and not name.startswith("param")]
    states = [{name.removesuffix("[0]"): outputs[name.replace("[0]", f"[{i}]")][t] for name in names} for i in range(4)]
    start = tuple(outputs[f"param[{i}]"][t] for i in range(4))
    run: Trajectory = case.inputs

    def draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
        return Trajectory((ParamGroup(start),), run.defaults, run.gradients[:1], run.objective)

    spec = case.spec
    assert isinstance(spec, OptimSpec)
    return Case(dataclasses.replace(spec, draw=draw, optimizer=_resumed(spec.optimizer, states)), case.dtype,
                case.options)


FAST = [("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 0.01), ("Adam", {"lr": 0.03, "amsgrad": True}, 0.02)]


@pytest.mark.parametrize(("optimizer", "defaults", "below"), FAST, ids=[optimizer for optimizer, *_ in FAST])
def test_each_step_of_a_fast_run_is_within_its_bound(optimizer: str, defaults: dict[str, Any], below: float) -> None:
    """Judged are torch's step from its own state, and the reference's from the same; nothing is vacuous."""
    case = _trained(optimizer, "float32", **defaults)
    (reference, eager) = load(["reference", "torch:eager"])
    run = eager.run(case)
    shares: dict[str, float] = {}
    widest = 0.0
    for t in range(STEPS - 1):
        step = _one_step(case, run, t)
        truths = prove(step)
        widest = max(widest, _widest(truths))
        after = {name: value[t + 1:t + 2] for name, value in run.items()}
        for name, outputs in (("torch:eager", after), ("reference", reference.run(step))):
            chief = worst(compare(outputs, truths))
            assert chief.verdict in (Verdict.EXACT, Verdict.WITHIN), (name, t, chief)
            shares[name] = max(shares.get(name, 0.0), chief.share)
    print(f"{optimizer} float32: loss {_loss(case, run, 0):.3f} to {_loss(case, run, -1):.3f}; of each step's bound "
          f"{', '.join(f'{name} {share:.2f}' for name, share in shares.items())}; widest {widest:.1e} of its array")
    assert _loss(case, run, -1) < below


def test_a_step_from_another_state_is_not() -> None:
    case = _trained("SGD", "float32", lr=0.1, momentum=0.9)
    (eager,) = load(["torch:eager"])
    run = eager.run(case)
    moved = {name: value[10:11].copy() for name, value in run.items()}
    moved["momentum_buffer[1]"] *= np.float32(1 + 1e-4)
    assert worst(compare({name: value[10:11] for name, value in run.items()}, prove(_one_step(case, run, 9)))
                 ).verdict is Verdict.WITHIN
    assert worst(compare(moved, prove(_one_step(case, run, 9)))).verdict is Verdict.EXCEEDS

"""Other frameworks as targets: optimizers pass, or follow a dialect that diagnosis names and a waiver accepts."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from oracle import run, targets, waivers
from oracle.cases import Case, parse, select
from oracle.diagnosis import Observation, diagnose
from oracle.evaluate import Outputs
from oracle.targets import TargetError, Unsupported
from oracle.waivers import Waiver
from reference import registry
from reference.spec import Spec

pytestmark = pytest.mark.filterwarnings("ignore")

#: Optimizers of torch by framework -> the dialect that theirs follows in float32; none where it is torch's rule.
RULES: dict[str, dict[str, str | None]] = {
    "optax": {"Adam": "adam-optax", "AdamW": "adamw-optax", "SGD": None, "RMSprop": "rmsprop-eps-inside",
              "Adagrad": "adagrad-optax", "Adadelta": None, "Adamax": None, "NAdam": "nadam-optax",
              "RAdam": "radam-optax", "Rprop": "rprop-late"},
    "keras": {"Adam": "adam-keras", "AdamW": "adamw-keras", "SGD": "sgd-velocity", "RMSprop": "rmsprop-keras",
              "Adagrad": "adagrad-eps-inside", "Adadelta": None, "Adamax": "adamax-eps-divisor",
              "NAdam": "nadam-keras"},
}
ALL = [(framework, op, dialect) for framework, rules in RULES.items() for op, dialect in rules.items()]


def _loaded(framework: str) -> Any:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed (extra {framework!r})")
    (target,) = targets.load([framework])
    return target


def _module(framework: str) -> ModuleType:
    return sys.modules[type(_loaded(framework)).__module__]


def _observed(target: Any, op: str, dtype: str, enough: int) -> list[Observation]:
    """Short cases that the framework takes; where anything fails, so many that do, and those before them."""
    seen: list[Observation] = []
    for case in select([op], [dtype]):
        if case.options["steps"] > 10 or sum(s.record.fails for s in seen) == enough or len(seen) == 15 * enough:
            continue
        try:
            outputs = target.run(case)
        except Unsupported:
            continue
        seen.append(Observation(case, outputs, run.run_case(case, _Given(target.name, outputs))))
    return seen


@dataclasses.dataclass(frozen=True)
class _Given:
    """A target that has run already."""

    name: str
    outputs: Outputs

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        return self.outputs

    def script(self, case: Case) -> str:
        return ""


@pytest.mark.parametrize(("framework", "op", "dialect"), ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_optimizer_passes_or_follows_a_dialect(framework: str, op: str, dialect: str | None, dtype: str) -> None:
    seen = _observed(_loaded(framework), op, dtype, enough=4)
    failing, passing = ([s for s in seen if s.record.fails is fails] for fails in (True, False))
    told = diagnose(failing, passing)
    assert len(seen) >= 2
    if dialect is None:
        assert not failing, told
    elif failing:
        assert dialect in {match.dialect.name for match in told.matches}, told
    accepted = [_judged(s, waivers.load()) for s in seen]
    assert not any(record.fails for record in accepted)
    assert {record.waiver for record in accepted} - {None} <= {f"{framework}-{op.lower()}"}


def _judged(seen: Observation, accepting: Sequence[Waiver]) -> run.Record:
    return run.run_case(seen.case, _Given(seen.record.target, seen.outputs), accepting)


@pytest.mark.parametrize("framework", RULES)
def test_every_dialect_in_the_table_is_needed(framework: str) -> None:
    """In float32: what a rule is said to follow differs from torch's in some case."""
    for op, dialect in RULES[framework].items():
        if dialect is not None and op != "Adagrad":  # of the few cases that it takes in Keras no short one differs
            assert any(s.record.fails for s in _observed(_loaded(framework), op, "float32", enough=1)), op


@pytest.mark.parametrize(("framework", "op"), [("optax", "Adam"), ("optax", "SGD"), ("keras", "RMSprop")])
def test_another_mistake_fails_in_spite_of_waivers(framework: str, op: str) -> None:
    seen = [s for s in _observed(_loaded(framework), op, "float32", enough=4)
            if s.outputs["param[0]"].any() and s.case.options["grad"] not in ("zero", "none")]
    assert seen
    for one in seen:
        wrong = type(one.outputs)({**one.outputs, "param[0]": one.outputs["param[0]"] * np.float32(1.001)})
        record = _judged(dataclasses.replace(one, outputs=wrong), waivers.load())
        assert record.fails
        assert record.output == "param[0]"


@pytest.mark.parametrize("framework", RULES)
def test_tables_name_options_and_states_of_torch(framework: str) -> None:
    module = _module(framework)
    assert set(module._OPTIMIZERS) == set(RULES[framework])
    for op, theirs in module._OPTIMIZERS.items():
        spec = registry.get(op)
        assert set(theirs.absent) <= {*spec.parameters, "decoupled_weight_decay"}
        assert not inspect.signature(spec.implementation).parameters.keys() & theirs.state.keys()
    states = {name for s in _observed(_loaded(framework), "Adam", "float32", enough=1) for name in s.outputs}
    assert {"param[0]", "exp_avg[0]", "exp_avg_sq[1]"} <= states, "state is compared too"


@pytest.mark.parametrize(("framework", "case_id", "reason"), [
    ("optax", "LBFGS/float32/default", "has no counterpart of LBFGS"),
    ("optax", "Adam/bfloat16/default", "rounds every operation to bfloat16"),
    ("optax", "SGD/float32/momentum=0.9,dampening=0.5", "optax has no dampening"),
    ("keras", "Muon/float32/default", "has no counterpart of Muon"),
    ("keras", "Adam/float16/default", "rounds every operation to float16"),
    ("keras", "Adam/float32/weight_decay=0.1", "L2 is a regularizer"),
    ("keras", "NAdam/float32/momentum_decay=0.5", "Keras has no momentum_decay"),
])
def test_what_has_no_counterpart_is_unsupported(framework: str, case_id: str, reason: str) -> None:
    record = run.run_case(parse(case_id), _loaded(framework))
    assert record.verdict == "unsupported"
    assert reason in record.note


@pytest.mark.parametrize("framework", RULES)
def test_a_missing_framework_is_named_with_its_extra(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] in (framework, "jax"):
            raise ModuleNotFoundError(f"No module named {framework!r}", name=framework)
        return genuine(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, f"oracle.targets.{targets.FRAMEWORKS[framework]}", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(TargetError, match=rf"{framework} is not installed; pip install 'torch-oracle\[{framework}\]'"):
        targets.load([framework])


@pytest.mark.parametrize("framework", RULES)
def test_devices_and_variants_are_checked(framework: str) -> None:
    _loaded(framework)
    with pytest.raises(TargetError, match="on the CPU, not on 'cuda'"):
        targets.load([framework], "cuda")
    with pytest.raises(TargetError, match=f"unknown variant 'fused' of {framework}; it has eager"):
        targets.load([f"{framework}:fused"])


def test_optax_compiled_is_judged_too() -> None:
    _loaded("optax")
    (compiled,) = targets.load(["optax:jit"])
    record = run.run_case(parse("SGD/float32/start=zero,grad=eps"), compiled)
    assert record.verdict in ("exact", "within")

"""Other frameworks as targets: ops pass, or follow a dialect that diagnosis names and a waiver accepts."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import inspect
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from oracle.auditing import judge
from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.selection import select
from oracle.cases.spec import Spec
from oracle.checking.checker import Checker
from oracle.checking.implementation import implementation_of
from oracle.dialects.table import DIALECTS
from oracle.targets import loading
from oracle.targets.loading import TargetError, Unsupported
from oracle.truth.evaluate import Outputs
from oracle.verdict import waivers
from oracle.verdict.diagnosis import diagnose
from oracle.verdict.observation import Observation
from oracle.verdict.record import Record
from oracle.verdict.waivers import Waiver

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("shared_truths")]

#: Optimizers of torch by framework -> the dialect that theirs follows in float32; none where it is torch's rule.
RULES: dict[str, dict[str, str | None]] = {
    "optax": {"Adam": "adam-optax", "AdamW": "adamw-optax", "SGD": None, "RMSprop": "rmsprop-eps-inside",
              "Adagrad": "adagrad-optax", "Adadelta": None, "Adamax": None, "NAdam": "nadam-optax",
              "RAdam": "radam-optax", "Rprop": "rprop-late"},
    "keras": {"Adam": "adam-keras", "AdamW": "adamw-keras", "SGD": "sgd-velocity", "RMSprop": "rmsprop-keras",
              "Adagrad": "adagrad-eps-inside", "Adadelta": None, "Adamax": "adamax-eps-divisor",
              "NAdam": "nadam-keras"},
}
#: The same of losses, with all the dialects that waivers name.
LOSSES: dict[str, dict[str, set[str]]] = {
    "optax": {"mse_loss": {"mse-flushed"}, "huber_loss": {"huber-cancelling"},
              "smooth_l1_loss": {"smooth-l1-cancelling"}, "binary_cross_entropy_with_logits": {"bce-logits-two-logs"},
              "multilabel_soft_margin_loss": {"multilabel-soft-two-logs", "multilabel-soft-exp"},
              "cross_entropy": {"ce-infinite"}, "kl_div": {"kl-unmasked", "kl-flushed"},
              "margin_ranking_loss": {"ranking-halved"}, "triplet_margin_loss": {"triplet-eps-inside"}},
    "keras": {"mse_loss": {"mse-none-of-nothing"}, "l1_loss": {"l1-none-of-nothing"},
              "huber_loss": {"huber-untaken-branch"}, "smooth_l1_loss": {"smooth-l1-untaken-branch"},
              "binary_cross_entropy": {"bce-clipped"}, "binary_cross_entropy_with_logits": {"bce-log-sigmoid"},
              "multilabel_soft_margin_loss": {"multilabel-soft-log-sigmoid"},
              "cross_entropy": {"ce-none-of-nothing"}, "kl_div": {"kl-clipped"}, "poisson_nll_loss": {"poisson-eps"}},
}

#: A case for each of their waivers, which accepts it and without which it fails.
ACCEPTED = {
    "optax-mse-subnormal": "mse_loss/float32/regime=tiny",
    "optax-huber-gradient": "huber_loss/float32/regime=close",
    "optax-smooth-l1": "smooth_l1_loss/float32/beta=0.25",
    "optax-bce-logits": "binary_cross_entropy_with_logits/float64/reduction=size_average=False,regime=tails",
    "optax-multilabel-soft-target": "multilabel_soft_margin_loss/float32/regime=tiny",
    "optax-multilabel-soft-input": "multilabel_soft_margin_loss/float64/regime=tails",
    "optax-ce-infinite-logit": "cross_entropy/float32/shape=2x3x2x2,reduction=none,regime=inf",
    "optax-kl-zero-probability": "kl_div/float32/regime=zero",
    "optax-kl-subnormal": "kl_div/float32/target=larger,regime=tiny",
    "optax-ranking-kink": "margin_ranking_loss/float32/regime=kink",
    "optax-triplet": "triplet_margin_loss/float32/default",
    "keras-mse-nothing": "mse_loss/float32/weight=zeros",
    "keras-l1-nothing": "l1_loss/float32/weight=zeros",
    "keras-huber-infinite": "huber_loss/float32/regime=inf",
    "keras-smooth-l1": "smooth_l1_loss/float32/beta=0.25",
    "keras-bce": "binary_cross_entropy/float32/regime=floor",
    "keras-bce-logits": "binary_cross_entropy_with_logits/float32/reduction=reduce=False,regime=inf",
    "keras-multilabel-soft": "multilabel_soft_margin_loss/float32/reduction=size_average=False",
    "keras-ce-nothing": "cross_entropy/float32/ignore_index=all",
    "keras-kl": "kl_div/float32/regime=huge",
    "keras-poisson": "poisson_nll_loss/float32/log_input=False,eps=0.25",
}
ALL = [(framework, op, dialect) for framework, rules in RULES.items() for op, dialect in rules.items()]


def _loaded(framework: str) -> Any:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed (extra {framework!r})")
    (target,) = loading.load([framework])
    return target


def _module(framework: str) -> ModuleType:
    return sys.modules[type(_loaded(framework)).__module__]


def _observed(target: Any, op: str, dtype: str, enough: int) -> list[Observation]:
    """Short cases that the framework takes; where anything fails, so many that do, and those before them."""
    seen: list[Observation] = []
    for case in select([op], [dtype], around=False):
        if case.options.get("steps", 0) > 10 or sum(s.record.fails for s in seen) == enough or len(seen) == 15 * enough:
            continue
        try:
            outputs = target.run(case)
        except Unsupported:
            continue
        seen.append(Observation(case, outputs, judge.run_case(case, _Given(target.name, outputs))))
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
        assert dialect is not None
        assert {dialect, *DIALECTS[dialect].parts} & {match.dialect.name for match in told.matches}, told
    accepted = [_judged(s, waivers.load()) for s in seen]
    assert not any(record.fails for record in accepted)
    assert {record.waiver for record in accepted} - {None} <= {f"{framework}-{op.lower()}"}


def _judged(seen: Observation, accepting: Sequence[Waiver]) -> Record:
    return judge.run_case(seen.case, _Given(seen.record.target, seen.outputs), accepting)


@pytest.mark.parametrize("framework", RULES)
def test_every_dialect_in_the_table_is_needed(framework: str) -> None:
    """In float32: what a rule is said to follow differs from torch's in some case."""
    for op, dialect in RULES[framework].items():
        if dialect is not None and op != "Adagrad":  # of the few cases that it takes in Keras no short one differs
            assert any(s.record.fails for s in _observed(_loaded(framework), op, "float32", enough=1)), op


@pytest.mark.parametrize(("framework", "op"), [(framework, op) for framework, ops in LOSSES.items() for op in ops])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_passes_or_follows_its_dialects(framework: str, op: str, dtype: str) -> None:
    seen = _observed(_loaded(framework), op, dtype, enough=2)
    if (framework, dtype) == ("keras", "float64"):
        assert not seen, "means of float64 are in float32 there"
        return
    failing, passing = ([s for s in seen if s.record.fails is fails] for fails in (True, False))
    assert len(seen) >= 2
    if failing:
        told = diagnose(failing, passing)
        wanted = {name for dialect in LOSSES[framework][op] for name in (dialect, *DIALECTS[dialect].parts)}
        assert wanted & {match.dialect.name for match in told.matches}, told
    accepting = {waiver.name: waiver for waiver in waivers.load()}
    for record in (_judged(s, list(accepting.values())) for s in seen):
        assert not record.fails, record
        used = {accepting[name].dialect for name in (record.waiver, *record.also) if name}
        assert used <= LOSSES[framework][op]


@pytest.mark.parametrize("waiver", ACCEPTED)
def test_a_waiver_of_a_loss_is_needed(waiver: str) -> None:
    target, case = _loaded(waiver.partition("-")[0]), parse(ACCEPTED[waiver])
    given = _Given(target.name, target.run(case))
    assert judge.run_case(case, given).fails
    (alone,) = [one for one in waivers.load() if one.name == waiver]
    assert alone.dialect in LOSSES[waiver.partition("-")[0]][case.spec.name]
    assert judge.run_case(case, given, [alone]).waiver == waiver


def test_every_waiver_of_a_loss_has_its_case() -> None:
    """And every dialect of the table its waiver."""
    ops = {op for rules in LOSSES.values() for op in rules}
    shipped = [one for one in waivers.load() if one.target in ("optax:*", "keras:*") and any(map(one.concerns, ops))]
    assert {one.name for one in shipped} == set(ACCEPTED)
    assert {(one.target.rstrip(":*"), op, one.dialect) for one in shipped for op in filter(one.concerns, ops)} == {
        (framework, op, name) for framework, rules in LOSSES.items() for op, names in rules.items() for name in names}


@pytest.mark.parametrize(("framework", "op"), [("optax", "huber_loss"), ("optax", "triplet_margin_loss"),
                                               ("keras", "binary_cross_entropy"), ("keras", "kl_div")])
@pytest.mark.parametrize("output", ["output", "grad."])
def test_another_mistake_of_a_loss_fails_in_spite_of_waivers(framework: str, op: str, output: str) -> None:
    scaled = 0
    for one in _observed(_loaded(framework), op, "float32", enough=4):
        name = next(n for n in one.outputs if n.startswith(output))
        values, regime = one.outputs[name], one.case.options["regime"]
        if regime in ("moderate", "near-0", "positive") and values.size and np.all(np.abs(values) > 0):
            wrong = dataclasses.replace(one, outputs={**one.outputs, name: values * np.float32(1.01)})
            assert _judged(wrong, waivers.load()).fails
            scaled += 1
    assert scaled


@pytest.mark.parametrize("framework", LOSSES)
def test_tables_of_losses_name_arguments_of_torch(framework: str) -> None:
    table = _module(framework).LOSSES
    assert set(table) == set(LOSSES[framework])
    for op, theirs in table.items():
        assert set(theirs.absent) <= set(registry.get(op).parameters)


@pytest.mark.parametrize("options", ["reduction=sum", "default"])
def test_sums_and_means_of_keras_are_those_of_elements(options: str) -> None:
    """Though its own mean over the last axis comes first."""
    assert judge.run_case(parse(f"mse_loss/float32/{options}"), _loaded("keras")).verdict in ("exact", "within")


@pytest.mark.parametrize("op", ["zeros_", "ones_", "constant_", "eye_"])
def test_constants_of_keras_are_those_of_torch(op: str) -> None:
    target = _loaded("keras")
    records = [judge.run_case(case, target) for case in select([op], ["float32", "float64"], around=False)]
    assert {record.verdict for record in records} == {"exact"}
    assert set(records[0].outputs) == {"tensor", "again"}


#: Random initializers of Keras -> whether theirs is torch's distribution, and cases that tell: each takes up to 1,000
#: calls. Weights are matrices or kernels of so many elements that truncation shows, whose fans differ.
DRAWN: dict[str, tuple[bool, list[str]]] = {
    "uniform_": (True, ["shape=40,a=-1.0,b=0.1", "shape=5x4x3x2,layout=transposed,a=-1000.0,b=0.2", "a=0.1,b=0.1"]),
    "normal_": (True, ["shape=40,mean=1.0,std=0.02", "shape=5x4x3x2,layout=transposed,mean=-3.5", "std=0.0"]),
    "xavier_uniform_": (True, ["shape=16x4", "shape=2x3x4", "shape=5x4x3x2,layout=transposed,seed=1"]),
    "xavier_normal_": (False, ["shape=16x4", "shape=5x4x3x2,layout=transposed,seed=1"]),
    "kaiming_uniform_": (True, ["shape=16x4,mode=FAN_OUT", "shape=5x4x3x2,mode=fan_out", "shape=2x1x1x2x3"]),
    "kaiming_normal_": (False, ["shape=16x4", "shape=16x4,mode=FAN_OUT", "shape=5x4x3x2,mode=fan_out"]),
    "orthogonal_": (True, ["default", "shape=16x4,layout=transposed,gain=-2.0", "shape=6x2x2,gain=0.0"]),
}
#: An option that each of some has not.
NOT_TAKEN = {"xavier_uniform_": "gain=0.01", "kaiming_uniform_": "a=0.2", "kaiming_normal_": "nonlinearity=relu"}


@pytest.mark.parametrize("op", DRAWN)
def test_distributions_of_keras_are_those_of_torch_but_for_truncation(op: str) -> None:
    _loaded("keras")
    is_torchs, told = DRAWN[op]
    with contextlib.closing(Checker(op, implementation_of(f"oracle.targets.keras_init:{op}", stream=False))) as checker:
        records = [seen.record for seen in checker.observe(parse(f"{op}/float32/{one}") for one in told)]
        assert {record.verdict for record in records} == {"within" if is_torchs else "exceeds"}, records
        assert is_torchs or all("density" in record.note and "variance" not in record.note for record in records)
        if op in NOT_TAKEN:
            assert not checker.supports(parse(f"{op}/float32/{NOT_TAKEN[op]}"))


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
    ("optax", "l1_loss/float32/default", "has no counterpart of l1_loss"),
    ("optax", "mse_loss/float32/weight=random", "optax has no weight here"),
    ("optax", "mse_loss/float32/target=row", "takes targets of the shape of the input"),
    ("optax", "cross_entropy/float32/ignore_index=negative", "ignores no index"),
    ("optax", "triplet_margin_loss/float32/p=1.0", "a norm for p = 2 alone"),
    ("optax", "mse_loss/float16/default", "rounds every operation to float16"),
    ("keras", "mse_loss/float64/default", "means in float32"),
    ("keras", "mse_loss/float32/shape=0", "gives no losses"),
    ("keras", "kl_div/float32/reduction=batchmean", "no reduction 'batchmean'"),
    ("keras", "poisson_nll_loss/float32/default", "Keras has no log_input here"),
    ("keras", "cross_entropy/float32/weight=random,label_smoothing=0.1", "no weights of classes"),
    ("keras", "Muon/float32/default", "has no counterpart of Muon"),
    ("keras", "Adam/float16/default", "rounds every operation to float16"),
    ("keras", "dirac_/float32/default", "has no counterpart of dirac_"),
    ("keras", "xavier_normal_/float32/default", "--as xavier_normal_ --no-stream"),
    ("keras", "Adam/float32/weight_decay=0.1", "L2 is a regularizer"),
    ("keras", "NAdam/float32/momentum_decay=0.5", "Keras has no momentum_decay"),
])
def test_what_has_no_counterpart_is_unsupported(framework: str, case_id: str, reason: str) -> None:
    record = judge.run_case(parse(case_id), _loaded(framework))
    assert record.verdict == "unsupported"
    assert reason in record.note


@pytest.mark.parametrize("framework", RULES)
def test_a_missing_framework_is_named_with_its_extra(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] in (framework, "jax"):
            raise ModuleNotFoundError(f"No module named {framework!r}", name=framework)
        return genuine(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, f"oracle.targets.{loading.FRAMEWORKS[framework]}", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(TargetError, match=rf"{framework} is not installed; pip install 'torch-oracle\[{framework}\]'"):
        loading.load([framework])


@pytest.mark.parametrize("framework", RULES)
def test_devices_and_variants_are_checked(framework: str) -> None:
    _loaded(framework)
    with pytest.raises(TargetError, match="on the CPU, not on 'cuda'"):
        loading.load([framework], "cuda")
    with pytest.raises(TargetError, match=f"unknown variant 'fused' of {framework}; it has eager"):
        loading.load([f"{framework}:fused"])


def test_optax_compiled_is_judged_too() -> None:
    _loaded("optax")
    (compiled,) = loading.load(["optax:jit"])
    for case_id in ("SGD/float32/start=zero,grad=eps", "cross_entropy/float32/default"):
        assert judge.run_case(parse(case_id), compiled).verdict in ("exact", "within")

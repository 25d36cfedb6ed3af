"""Right optimizers pass, in every variant of torch; each planted mistake is found at the first step that shows it."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.auditing.records import read_records
from oracle.verdict.compare import Verdict
from oracle.verdict.waivers import load
from oracle.watching.looking import WHOLE
from reference import optim as reference
from tests.watching.optimizers import Mine, parameters, train

ELEMENTWISE = ("SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "ASGD")
OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {"weight_decay": 0.1, "maximize": True}, {"amsgrad": True}, {"momentum": 0.9}, {"centered": True},
    {"momentum": 0.9, "nesterov": True})


def _made(name: str, params: Any, **options: Any) -> Any:
    try:
        return getattr(torch.optim, name)(params, **options)
    except (TypeError, RuntimeError) as error:
        if "unexpected keyword" in str(error) or "fused" in str(error):
            return None
        raise


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("variant", ["eager", "foreach", "fused", "differentiable"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_torchs_own_pass(name: str, variant: str, dtype: torch.dtype) -> None:
    if name == "SGD" and dtype is torch.bfloat16 and variant in ("foreach", "fused"):
        pytest.skip("these have defects, which a test of their own expects to be found")
    choice = {} if variant == "eager" else {variant: True}
    ran = 0
    for options in OPTIONS:
        params = parameters(dtype)
        if variant == "differentiable":  # leaves cannot change in place there
            params = [p.detach() for p in params]
        optimizer = _made(name, params, **choice, **options)
        if optimizer is None:
            continue
        with oracle.watch(optimizer, every=1, raises=False) as watched:
            train(optimizer, params)
        # A waiver without a rule has nothing to judge a live step by: it excuses what an audit has it for, and no more.
        case = f"{name}/{str(dtype).removeprefix('torch.')}/default"
        assert watched.passed or watched.failures, str(watched)
        ruleless = [waiver for waiver in load() if not waiver.dialect]
        for record in watched.failures:
            for output, (verdict, *_) in record.outputs.items():
                assert not Verdict(verdict).disagrees or any(
                    waiver.accepts(case, f"torch:{variant}", output, verdict) for waiver in ruleless), str(watched)
        assert not watched.notes
        assert watched.looked == [1, 2, 3]
        ran += 1
    assert ran or variant == "fused"


@pytest.mark.filterwarnings("ignore:Sparse")
def test_those_with_rules_for_whole_matrices_and_for_sparse_gradients_pass() -> None:
    for name, shapes, sparse in (("Muon", ((4, 6), (3, 2)), False), ("Adafactor", ((4, 6), (5,), ()), False),
                                 ("SparseAdam", ((40, 6), (500,)), True), ("Adagrad", ((40, 6), (500,)), True)):
        params = parameters(shapes=shapes)
        optimizer = getattr(torch.optim, name)(params)
        with oracle.watch(optimizer, every=1, elements=60) as watched:
            train(optimizer, params, sparse=sparse)
        assert not watched.notes
        assert watched.elements >= 90


def test_defects_of_torch_in_half_types_are_found() -> None:
    """The fused kernel leaves whole vectors out; and a scalar of foreach is rounded to bfloat16, the loop's is not."""
    params = parameters(torch.bfloat16)
    optimizer = torch.optim.SGD(params, lr=0.1, fused=True)
    with oracle.watch(optimizer, raises=False) as watched:
        train(optimizer, params, 1)
    assert watched.failures[0].output == "param"
    assert "does not update some elements" in watched.causes[0].text


MISTAKES = {"beta2": (1, "exp_avg_sq"), "tail": (1, "param"), "bias correction": (1, "param"),
            "lr read once": (3, "param"), "coupled": (1, "exp_avg"), "counted twice": (1, "step"),
            "gradient": (1, "gradient"), "": (0, "")}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_at_the_first_step_in_which_it_shows(mistake: str) -> None:
    params = parameters()
    optimizer = Mine(params, mistake, lr=0.01, weight_decay=0.1)
    step, output = MISTAKES[mistake]
    with oracle.watch(optimizer, every=2, raises=False) as watched:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        train(optimizer, params, 5, lambda step: scheduler.step() if step else None)
    assert watched.looked == [1, 3, 5]
    assert watched.passed == (not mistake)
    if mistake:
        first = watched.failures[0]
        assert f"step={step}," in first.case
        assert output in {name for name, (verdict, *_) in first.outputs.items() if verdict == "exceeds"}
        assert str(watched).startswith("FAILED: AdamW/float32/step=")


@pytest.mark.parametrize(("mistake", "text"), [
    ("tail", "does not update some elements"), ("lr read once", "takes lr as it was at the first look: 0.01, and not"),
    ("coupled", "decay in the gradient"), ("bias correction", "no bias correction"),
    ("counted twice", "counts the step twice")])
def test_a_cause_is_named(mistake: str, text: str) -> None:
    params = parameters()
    optimizer = Mine(params, mistake, lr=0.01, weight_decay=0.1)
    with oracle.watch(optimizer, every=1, raises=False) as watched:
        train(optimizer, params, 3, lambda step: optimizer.param_groups[0].update(lr=0.01 / (1 + step)))
    assert text in str(watched)
    assert watched.causes[0].explains >= 1


def test_a_wrong_element_is_named_where_it_is() -> None:
    """The last element of the one parameter that is wrong, with its own name."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(5, 101))
    optimizer = torch.optim.AdamW(model.parameters())

    def spoil(*_: Any) -> None:
        with torch.no_grad():
            model[1].weight[100, 4] += 1

    optimizer.register_step_post_hook(spoil)
    with (pytest.raises(AssertionError, match=r"step=1,param=1\.weight, param\[100, 4\]: exceeds: got "),
          oracle.watch(optimizer, named_parameters=model.named_parameters(), elements=100)):
        train(optimizer, list(model.parameters()), 1)


def test_a_parameter_without_a_gradient_rests() -> None:
    for mistake in ("", "decay without gradient"):
        params = parameters()
        optimizer = Mine(params, mistake, lr=0.1, weight_decay=0.5)

        def drop(step: int, p: Any = params[1]) -> None:
            p.grad = None

        with oracle.watch(optimizer, every=1, raises=False) as watched:
            train(optimizer, params, each=drop)
        assert watched.passed == (not mistake)
        if mistake:
            assert "it had no gradient, and was changed" in str(watched)
            assert "param_groups[0][1]" in watched.failures[0].case


def test_an_error_of_the_block_is_not_masked_and_hooks_go() -> None:
    params = parameters()
    optimizer = Mine(params, "beta2")
    hooks = len(optimizer._optimizer_step_pre_hooks)

    def fail(step: int) -> None:
        if step:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), oracle.watch(optimizer):
        train(optimizer, params, 2, fail)
    assert "step" not in vars(optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == hooks


def test_a_step_that_raises_is_not_judged_and_the_next_is() -> None:
    params = parameters()
    optimizer = Mine(params)
    with oracle.watch(optimizer, every=1) as watched:
        params[0].grad = torch.ones(33)
        optimizer._update = lambda *_: 1 / 0
        with pytest.raises(ZeroDivisionError):
            optimizer.step()
        del optimizer._update
        train(optimizer, params, 2)
    assert watched.looked == [2, 3]


def test_nothing_judged_is_no_pass() -> None:
    with pytest.raises(AssertionError, match="nothing was judged"), oracle.watch(Mine(parameters())):
        pass
    params = parameters(shapes=((WHOLE + 1,),))
    optimizer = torch.optim.Adafactor(params)
    with (pytest.raises(AssertionError, match=f"not judged: Adafactor on parameters of more than {WHOLE} elements"),
          oracle.watch(optimizer)):
        train(optimizer, params, 1)


def test_what_happens_between_steps() -> None:
    """Clipping in a hook, a schedule, groups that come later, a state that is loaded, options, gradients dropped."""
    params = parameters()
    optimizer = torch.optim.AdamW(params[:2], lr=0.1, fused=True)
    optimizer.register_step_pre_hook(lambda *_: torch.nn.utils.clip_grad_norm_(params, 0.5) and None)
    saved: list[Any] = []

    def each(step: int) -> None:
        if step == 1:
            optimizer.add_param_group({"params": params[2:], "weight_decay": 0.3, "lr": 0.2})
            saved.append(copy.deepcopy(optimizer.state_dict()))
        if step == 3:
            optimizer.load_state_dict(saved[0])
        optimizer.param_groups[0].update(lr=0.1 / (1 + step), betas=(0.9, 0.9 + step / 100))

    with oracle.watch(optimizer, every=1) as watched:
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer)
        train(optimizer, params, 5, each)
        optimizer.zero_grad(set_to_none=True)
        scheduler.step()
    assert watched.looked == [1, 2, 3, 4, 5]
    assert not watched.notes


def test_closures_and_steps_within_a_step() -> None:
    class Doubled(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            loss = super().step(closure)
            with torch.no_grad():
                for p in self.param_groups[0]["params"]:
                    p.add_(p.grad, alpha=-self.param_groups[0]["lr"] * (self.twice))
            return loss

    for twice in (0, 1):
        params = parameters()
        optimizer = Doubled(params, lr=0.1)
        optimizer.twice = twice

        def closure(params: Any = params) -> float:
            for p in params:
                p.grad = torch.ones_like(p)
            return 0.5

        with oracle.watch(optimizer, every=1, raises=False) as watched:
            assert [optimizer.step(closure) for _ in range(2)] == [0.5, 0.5]
        assert watched.passed == (not twice)
        assert watched.looked == [1, 2]


@pytest.mark.parametrize("overflows", [False, True])
def test_a_fused_optimizer_divides_scaled_gradients_or_rests(overflows: bool) -> None:
    params = parameters()
    optimizer: Any = torch.optim.AdamW(params, fused=True)

    def scaled(step: int) -> None:
        for p in params:
            p.grad.mul_(1024.0)
        optimizer.grad_scale = torch.tensor(1024.0)
        optimizer.found_inf = torch.tensor(float(overflows and step == 1))

    with oracle.watch(optimizer, every=1) as watched:
        train(optimizer, params, each=scaled)
    assert watched.looked == [1, 2, 3]
    assert not watched.notes


def test_the_layout_does_not_matter() -> None:
    params = [torch.nn.Parameter(torch.randn(6, 8).t()), torch.nn.Parameter(torch.randn(5, dtype=torch.complex64))]
    optimizer = torch.optim.Adam(params)
    with oracle.watch(optimizer, every=1) as watched:
        for _ in range(3):
            for p in params:
                p.grad = torch.randn_like(p)
            optimizer.step()
    assert watched.elements == 3 * (48 + 10)


def test_state_of_other_names_and_types() -> None:
    """bfloat16 parameters with moments in float32, under names of their own."""
    class Wide:
        def __init__(self, params: Any) -> None:
            self.param_groups = [{"params": params, "lr": 0.1}]
            self.state: dict[Any, dict[str, Any]] = {}

        @torch.no_grad()
        def step(self) -> None:
            for p in self.param_groups[0]["params"]:
                kept = self.state.setdefault(p, {"buffer": None})
                g = p.grad.float()
                kept["buffer"] = g if kept["buffer"] is None else 0.9 * kept["buffer"] + g
                p.copy_(p.float() - 0.1 * kept["buffer"])

    for names in ({}, {"momentum_buffer": "buffer"}):
        params = parameters(torch.bfloat16)
        optimizer = Wide(params)
        with oracle.watch(optimizer, "sgd", every=1, options={"momentum": 0.9}, state=names, raises=False) as watched:
            train(optimizer, params)
        assert watched.passed
        assert bool(watched.notes) == (not names)
        assert "momentum_buffer" in watched.records[-1].outputs or not names


def test_the_references_own_pass_in_numpy() -> None:
    for name in ELEMENTWISE:
        p = reference.Parameter(np.linspace(-1, 1, 50, dtype=np.float32))
        optimizer = getattr(reference, name)([("weight", p)])
        with oracle.watch(optimizer, every=1) as watched:
            for step in range(3):
                p.grad = np.cos(p.data + step)
                optimizer.step()
        assert "param=weight" in watched.records[0].case


def test_records_are_there_while_it_runs(tmp_path: Path) -> None:
    params, path = parameters(), tmp_path / "watch.jsonl"
    optimizer = Mine(params, "beta2")
    with oracle.watch(optimizer, every=1, raises=False, records=path) as watched:
        train(optimizer, params, 1)
        _, records = read_records(path)
        assert [record.case for record in records] == [record.case for record in watched.records]
        assert records[0].fails


def test_nothing_happens_between_looks() -> None:
    """Between the steps that are looked at no array is touched."""
    class Untouchable(SimpleNamespace):
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    optimizer: Any = SimpleNamespace(param_groups=[{"params": []}], state={}, step=lambda: None)
    with oracle.watch(optimizer, "SGD", raises=False) as watched:
        optimizer.step()
        optimizer.param_groups = [{"params": [Untouchable()]}]
        for _ in range(99):
            optimizer.step()
    assert watched.steps == 100
    assert not watched.notes


@pytest.mark.parametrize(("arguments", "error", "text"), [
    ((3,), TypeError, "needs param_groups"), ((Mine(parameters()), "Adamm"), ValueError, "'Adamm' is none; there are"),
    ((torch.optim.LBFGS(parameters()),), ValueError, "LBFGS evaluates its closure many times")])
def test_bad_use_is_refused(arguments: tuple[Any, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        oracle.watch(*arguments)
    with pytest.raises(ValueError, match="every and elements"):
        oracle.watch(Mine(parameters()), every=0)
    with pytest.raises(ValueError, match="accuracy"):
        oracle.watch(Mine(parameters()), accuracy="high")


def test_torch_is_not_imported_unasked() -> None:
    code = ("import numpy as np, sys, oracle\nfrom reference.optim import SGD, Parameter\n"
            "p = Parameter(np.ones(3)); p.grad = np.ones(3); optimizer = SGD([p])\n"
            "with oracle.watch(optimizer): optimizer.step()\n"
            "assert not {'torch', 'jax'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)

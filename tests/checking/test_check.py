"""oracle.check: right implementations pass however they are written, wrong ones fail, partial ones are partial."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError
from oracle.checking import check
from oracle.checking.check import effort, in_order, replacements
from oracle.cli.app import main
from oracle.targets.loading import TargetError
from oracle.truth.proof import prove
from oracle.verdict.compare import Verdict
from tests.checking.implementations import PAIRS, Pair, mse_in_double

HERE = Path(__file__).parent
JAX = f"{HERE / 'implementations_jax.py'}:"
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "BUDGET", 2000)


def _verdicts(report: oracle.Report) -> set[str]:
    return {record.verdict for record in report.records}


# --- right and wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_right_implementation_passes_however_it_is_written(pair: Pair) -> None:
    report = oracle.check(pair.op, pair.right, dtypes=["float32"], **pair.options)
    assert report.failures == []
    assert report.passed
    assert sum(r.verdict in (Verdict.EXACT, Verdict.WITHIN) for r in report.records) > 10


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_wrong_one_fails_and_the_script_shows_it(pair: Pair, tmp_path: Path) -> None:
    report = oracle.check(pair.op, pair.wrong, dtypes=["float32"], **pair.options | pair.wrong_options)
    assert not report.passed
    text = str(report)
    for part in ("FAILED", "Cause", "smallest failing case", report.smallest.case.id, "Script"):  # type: ignore[union-attr]
        assert part in text
    compile(report.script(), "script.py", "exec")


def test_there_are_twelve() -> None:
    assert len(PAIRS) >= 12
    assert {pair.options.get("framework", "torch") for pair in PAIRS} == {"numpy", "torch"}


@needs_jax
@pytest.mark.parametrize(("op", "right", "wrong"), [
    ("huber_loss", "huber", "huber_cancelling"), ("SGD", "momentum", "ascent")])
def test_jax_functions_and_pairs(op: str, right: str, wrong: str) -> None:
    options: dict[str, Any] = {"framework": "jax", "dtypes": ["float32"]}
    modes = {"regime": ["moderate", "huge", "close"]} if op == "huber_loss" else {"grad": ["one", "eps", "huge"]}
    report = oracle.check(op, JAX + right, state={"momentum_buffer": "trace"}, modes=modes, **options)
    assert report.passed, str(report)
    if op == "huber_loss":
        assert any("grad.input" in record.outputs for record in report.records)
    report = oracle.check(op, JAX + wrong, **options)
    assert report.failures
    assert "jnp.asarray" in report.script()


# --- torch itself --------------------------------------------------------------------------------


def test_torch_passes_where_it_is_sound() -> None:
    assert oracle.check("mse_loss", torch.nn.functional.mse_loss).passed
    assert oracle.check("Adam", torch.optim.Adam, dtypes=["float32"]).passed
    assert oracle.check("uniform_", torch.nn.init.uniform_).passed


def test_waivers_do_not_apply_to_what_is_handed_in() -> None:
    """torch's defect is told by the name of its dialect."""
    report = oracle.check("cross_entropy", torch.nn.functional.cross_entropy, dtypes=["float32"])
    assert not report.passed
    assert "ignored rows multiplied by 0" in str(report.diagnosis)
    assert all(record.waiver is None for record in report.records)


# --- half types ----------------------------------------------------------------------------------


def _in_float32(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return torch.nn.functional.mse_loss(input.float(), target.float(), reduction=reduction).to(input.dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_judged_as_computed_in_float32(dtype: str) -> None:
    assert oracle.check("mse_loss", _in_float32, dtypes=[dtype]).passed
    rounded = oracle.check("mse_loss", torch.nn.functional.mse_loss, dtypes=[dtype])
    assert not rounded.passed
    assert any("accuracy='storage'" in note for note in rounded.notes)
    assert oracle.check("mse_loss", torch.nn.functional.mse_loss, dtypes=[dtype], accuracy="storage").passed


def test_the_bound_of_float32_inside_is_never_the_wider_one() -> None:
    for case_id in ("mse_loss/bfloat16/default", "cross_entropy/float16/reduction=none", "SGD/bfloat16/default"):
        opmath, storage = (prove(parse(case_id), accuracy) for accuracy in ("opmath", "storage"))
        for name, truth in opmath.items():
            assert np.all(truth.bound <= storage[name].bound * (1 + 2**-10)), name
    first, second = (prove(parse("mse_loss/float32/default"), accuracy) for accuracy in ("opmath", "storage"))
    assert all(np.array_equal(first[name].bound, second[name].bound) for name in first)


def test_state_that_is_kept_in_a_half_type_may_be_rounded_at_each_step() -> None:
    """Fused Adam computes in float32 and stores moments of bfloat16; a bound without that would accuse it."""
    from functools import partial

    assert oracle.check("Adam", partial(torch.optim.Adam, fused=True), dtypes=["bfloat16"]).passed


# --- partial implementations ---------------------------------------------------------------------


def _mse(input: Any, target: Any, reduction: str = "mean") -> Any:
    squares = (input - target) ** 2
    return squares if reduction == "none" else getattr(squares, reduction)()


def _only_mean(input: Any, target: Any, reduction: str = "mean") -> Any:
    if reduction != "mean":
        raise NotImplementedError("mean alone")
    return _mse(input, target)


def test_what_it_refuses_or_has_no_keyword_for_is_unsupported_and_shown() -> None:
    report = oracle.check("mse_loss", _only_mean, framework="numpy")
    assert report.passed
    notes = " ".join(report.notes)
    for part in ("NotImplementedError: mean alone", "has no keyword 'weight'", "not compared: "):
        assert part in notes
    assert Verdict.UNSUPPORTED in _verdicts(report)


def test_modes_leave_out_and_are_refused_where_they_name_nothing() -> None:
    wrong_in_sum = lambda input, target, reduction="mean": _mse(input, target, reduction) * (  # noqa: E731
        2 if reduction == "sum" else 1)
    assert not oracle.check("mse_loss", wrong_in_sum, framework="numpy").passed
    report = oracle.check("mse_loss", wrong_in_sum, framework="numpy", modes={"reduction": ["mean", "none"]})
    assert report.passed
    assert any("left out by modes" in note for note in report.notes)
    for modes, message in [({"reductoin": ["mean"]}, "no argument and no axis"), ({"reduction": "mean"}, "a list"),
                           ({"regime": ["mad"]}, "regime.*'mad'")]:
        with pytest.raises(ValueError, match=message):
            oracle.check("mse_loss", _mse, framework="numpy", modes=modes)


def test_nothing_decided_is_not_passed() -> None:
    def nothing(input: Any, target: Any) -> Any:
        raise NotImplementedError

    report = oracle.check("mse_loss", nothing, framework="numpy")
    assert not report.failures
    assert not report.passed
    assert "UNDECIDED" in str(report)


def test_cases_that_are_unsupported_are_replaced_by_what_is_left_of_them() -> None:
    cases = in_order("cross_entropy", ["float32"])

    def supports(case: Any) -> bool:
        return bool(case.options["weight"] == "none" and case.options["target"] == "index")

    out = [case for case in cases if not supports(case)]
    instead = replacements(cases, out, supports)
    assert instead
    assert all(map(supports, instead))
    kept = {case.id for case in cases} - {case.id for case in out}
    assert not kept & {case.id for case in instead}
    seen = {(a, b) for case in [*instead, *(c for c in cases if supports(c))] for a in case.options.items()
            for b in case.options.items()}
    shipped = {(a, b) for case in cases for a in case.options.items() for b in case.options.items()}
    lost = {(a, b) for a, b in shipped - seen if not {a[0], b[0]} & {"weight", "target"}}
    assert not lost, "pairs of supported values are still covered"


def test_defaults_are_the_implementations_own() -> None:
    """What is at torch's default is not passed, so that another default shows."""
    report = oracle.check("mse_loss", lambda input, target, reduction="sum": _mse(input, target, reduction),
                          framework="numpy", dtypes=["float32"])
    assert report.smallest is not None
    assert report.smallest.case.options["reduction"] == "mean"


def test_a_keyword_without_a_default_is_passed_even_so() -> None:
    assert oracle.check("mse_loss", lambda input, target, reduction: _mse(input, target, reduction),
                        framework="numpy").passed


# --- gradients -----------------------------------------------------------------------------------


def test_without_a_gradient_torch_code_fails_unless_values_alone_are_asked_for() -> None:
    detached = lambda input, target: _mse(input, target).detach()  # noqa: E731
    report = oracle.check("mse_loss", detached, dtypes=["float32"])
    assert any("backward=False" in note for note in report.notes)
    report = oracle.check("mse_loss", detached, dtypes=["float32"], backward=False)
    assert report.passed
    assert any("grad.input" in note for note in report.notes)


def test_a_gradient_of_the_first_argument_is_not_optional() -> None:
    class NoInput(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, t: Any) -> Any:
            ctx.save_for_backward(x, t)
            return (x - t) ** 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
            x, t = ctx.saved_tensors
            return None, 2 * g * (t - x)

    report = oracle.check("mse_loss", lambda input, target: NoInput.apply(input, target).mean(), dtypes=["float32"],
                          modes={"target": ["same"], "regime": ["moderate"]})
    assert any(record.note == "this output is missing" for record in report.failures)


# --- optimizers' states --------------------------------------------------------------------------


class _SGD(torch.optim.Optimizer):
    """Right parameters, and a momentum buffer under another name that is off by a factor."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and not p.grad.is_sparse:
                    v = self.state[p].get("buf", torch.zeros_like(p)) / 2 * group["momentum"] + p.grad
                    if group["momentum"]:
                        self.state[p]["buf"] = 2 * v
                    p -= group["lr"] * v


def test_states_of_other_names_are_compared_through_a_mapping_alone() -> None:
    options: dict[str, Any] = {"dtypes": ["float32"], "modes": {"sparsity": ["dense"]}}
    report = oracle.check("SGD", _SGD, **options)
    assert report.passed
    assert any("momentum_buffer" in note for note in report.notes)
    report = oracle.check("SGD", _SGD, state={"momentum_buffer": "buf"}, **options)
    assert {record.output.partition("[")[0] for record in report.failures} == {"momentum_buffer"}


# --- initializers --------------------------------------------------------------------------------


def test_torch_passes_as_a_stranger_whose_stream_is_another() -> None:
    """With modes in capitals, and with no numbers of no fan."""
    report = oracle.check("kaiming_uniform_", "torch.nn.init:kaiming_uniform_", dtypes=["float32"], stream=False)
    assert report.passed, report.failures
    cases = [record.case for record in report.records]
    assert any("mode=FAN_OUT" in case for case in cases)
    assert any("shape=0x3" in case and "mode=fan_out" in case for case in cases)


def test_an_initializer_with_its_own_stream_is_judged_by_its_distribution() -> None:
    def own(tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> torch.Tensor:
        return tensor.copy_(torch.from_numpy(np.random.normal(mean, std, tuple(tensor.shape))))

    assert not oracle.check("normal_", own, dtypes=["float32"]).passed
    assert oracle.check("normal_", own, dtypes=["float32"], stream=False).passed
    wrong = lambda tensor, mean=0.0, std=1.0: own(tensor, mean, 1.1 * std)  # noqa: E731
    report = oracle.check("normal_", wrong, dtypes=["float32"], stream=False)
    assert "variance" in report.failures[0].note


def test_numpy_may_share_torchs_stream() -> None:
    from reference.init import normal_

    assert oracle.check("normal_", normal_, framework="numpy", stream=True, dtypes=["float32"]).passed


def test_an_initializer_returns_its_argument() -> None:
    report = oracle.check("ones_", lambda tensor: np.ones_like(tensor), framework="numpy")
    assert "needed is its argument" in report.failures[0].note


# --- which cases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["cross_entropy", "Adam", "normal_"])
def test_the_first_cases_hold_every_value_of_every_axis(op: str) -> None:
    cases = in_order(op, ["float64", "float32"])
    assert cases[0].id == f"{op}/float32/default"
    cheap = {pair for case in cases if effort(case) <= check.BUDGET // 4 for pair in case.options.items()}
    first = {pair for case in cases[:len(cases) // 4] for pair in case.options.items()}
    assert cheap <= first
    assert [case.id for case in cases] == [case.id for case in in_order(op, ["float64", "float32"])]


# --- the report ----------------------------------------------------------------------------------


def test_the_report_as_json_is_json_with_the_failures() -> None:
    report = oracle.check("mse_loss", lambda input, target: 2 * _mse(input, target), framework="numpy")
    values = json.loads(report.to_json())
    assert not values["passed"]
    assert values["failures"][0]["verdict"] == "exceeds"
    assert values["smallest"] == "mse_loss/float32/default"
    assert values["verdicts"]["exceeds"] == len(report.failures)


def test_the_script_shows_the_failure_without_this_project(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def mse(input, target):\n    return 2 * ((input - target) ** 2).mean()\n")
    for framework in ("numpy", "torch"):
        report = oracle.check("mse_loss", f"{tmp_path / 'mine.py'}:mse", framework=framework)
        path = tmp_path / f"script_{framework}.py"
        path.write_text(report.script())
        done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "oracle" not in "".join(line for line in report.script().splitlines() if "import" in line)
        record = report.smallest.record  # type: ignore[union-attr]
        assert f"got {float.fromhex(record.got)!r}" in done.stdout  # type: ignore[arg-type]


@pytest.mark.parametrize("pair", [p for p in PAIRS if "lambda" not in repr(p.wrong)], ids=str)
def test_scripts_of_the_wrong_ones_run(pair: Pair, tmp_path: Path) -> None:
    if "<locals>" in getattr(pair.wrong, "__qualname__", "") or "backward" in pair.options:
        pytest.skip("what has no name has to be put in by hand")
    place = f"{HERE / 'implementations.py'}:{pair.wrong.__qualname__}"
    report = oracle.check(pair.op, place, dtypes=["float32"], **pair.options | pair.wrong_options)
    path = tmp_path / "script.py"
    path.write_text(report.script())
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=HERE.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


# --- bad use -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"op": "mse"}, BadCaseError, "unknown op 'mse'"),
    ({"op": "losses"}, BadCaseError, "unknown op 'losses'"),
    ({"dtypes": ["float8"]}, BadCaseError, "unknown dtype 'float8'"),
    ({"accuracy": "good"}, ValueError, "accuracy needs to be"),
    ({"framework": "caffe"}, TargetError, "unknown framework 'caffe'; known are numpy, torch, jax"),
    ({"device": "cuda"}, TargetError, "NumPy has no device"),
    ({"implementation": "nowhere_at_all:x"}, TargetError, "nowhere_at_all cannot be imported"),
    ({"implementation": "math:nothing"}, TargetError, "math has no 'nothing'"),
])
def test_bad_use_is_told(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        oracle.check(**{"op": "mse_loss", "implementation": mse_in_double, "framework": "numpy", **arguments})


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "mine.py").write_text(
        "def mse(input, target, reduction='mean'):\n"
        "    squares = (input - target) ** 2\n"
        "    return squares if reduction == 'none' else getattr(squares, reduction)()\n\n"
        "def double(input, target):\n    return 2 * mse(input, target)\n\n"
        "def mse_backward(g, input, target, reduction='mean'):\n    return 3 * g * (input - target),\n")
    yield f"{tmp_path / 'mine.py'}:"
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", "check", *arguments])
    monkeypatch.syspath_prepend("")
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command_ends_with_0_or_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mine: str,
                                      tmp_path: Path) -> None:
    options = ("--as", "mse_loss", "--framework", "numpy", "--dtype", "float32")
    assert _run(monkeypatch, mine + "mse", *options, "--out", str(tmp_path / "out")) == 0
    assert "passed: 0 of" in capsys.readouterr().out
    assert (tmp_path / "out" / "records.jsonl").read_text().count("\n") > 10
    assert json.loads((tmp_path / "out" / "report.json").read_text())["passed"]
    assert _run(monkeypatch, mine + "double", *options) == 1
    out = capsys.readouterr().out
    for part in ("FAILED", "Cause", "got", "truth", "bound", "runpy.run_path"):
        assert part in out
    assert _run(monkeypatch, mine + "mse", *options, "--target-backward", mine + "mse_backward", "--json") == 1
    assert json.loads(capsys.readouterr().out)["failures"][0]["output"] == "grad.input"
    assert _run(monkeypatch, mine + "mse", *options, "--mode", "reduction=sum", "--mode", "regime=huge,tiny") == 0


@pytest.mark.parametrize(("arguments", "message"), [
    (["mine", "--as", "mse_loss"], "oracle: 'mine' names no object; needed is pkg.module:attribute"),
    (["nowhere_at_all:mse", "--as", "mse_loss"], "oracle: nowhere_at_all cannot be imported: ModuleNotFoundError"),
    (["math:sqrt", "--as", "msel"], "oracle: unknown op 'msel'"),
    (["math:sqrt"], "oracle: Missing option '--as'"),
    (["math:sqrt", "--as", "mse_loss", "--mode", "reduction"], "oracle: --mode needs NAME=VALUE"),
    (["math:sqrt", "--as", "mse_loss", "--framework", "x"], "oracle: unknown framework 'x'"),
])
def test_bad_use_of_the_command_is_one_line_and_status_2(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
        message: str) -> None:
    assert _run(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_budget_is_what_effort_is_measured_in() -> None:
    assert effort(parse("mse_loss/float32/default")) == 2 * math.prod((3, 4)) + 1
    assert effort(parse("Adam/float32/steps=300")) > 100 * effort(parse("Adam/float32/steps=2"))

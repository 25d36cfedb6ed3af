"""The command line as a user meets it: help, tables, records, exit statuses, one clear line for bad use."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from oracle.auditing import run
from oracle.auditing.records import header, read_records
from oracle.auditing.words import figure, three_lines
from oracle.cases.case import parse
from oracle.cli.app import main
from oracle.report.table import show
from oracle.targets import pytorch_calls
from oracle.truth import kept_truths
from oracle.verdict.record import Record


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("command", [[], ["list"], ["audit"], ["check"], ["diff"], ["explain"], ["report"], ["defects"],
                                     ["prove"],
                                     ["vectors"], ["vectors", "export"], ["vectors", "verify"]])
def test_help_shows_an_example_and_imports_nothing_heavy(command: list[str]) -> None:
    code = ("import sys\nfrom oracle.cli.app import main\ntry:\n    main()\nexcept SystemExit as end:\n"
            "    assert not end.code\nassert not {'torch', 'numpy', 'flint'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Example: oracle" in done.stdout


def test_python_m_oracle_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "oracle", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: oracle")


def test_list_shows_ops_torch_names_parameters_and_cases(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "list", "mse_loss", "optim") == 0
    out = capsys.readouterr().out
    for text in ("torch.nn.functional.mse_loss", "torch.nn.MSELoss", "input, target", "Adam", "amsgrad", "cases"):
        assert text in out


def test_audit_writes_records_and_ends_with_a_table(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _run(monkeypatch, "audit", "xavier_uniform_", "--dtype", "float32", "--out", str(tmp_path / "a")) == 0
    out = capsys.readouterr().out
    assert "xavier_uniform_" in out
    assert "0 exceeds, 0 crashed" in out
    head, records = read_records(tmp_path / "a" / "records.jsonl")
    assert head["command"][:2] == ["oracle", "audit"]
    assert {r.target for r in records} == {"reference", "torch:eager"}


def test_audit_runs_long_trajectories_where_they_are_asked_for(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {}
    for name, arguments in (("short", []), ("long", ["--long"])):
        command = ["audit", "Rprop", "--dtype", "float32", "--target", "reference", "--out", str(tmp_path / name)]
        assert _run(monkeypatch, *command, *arguments) == 0
        found[name] = [r.case for r in read_records(tmp_path / name / "records.jsonl")[1]]
    assert found["long"] == [*found["short"], "Rprop/float32/steps=2000"]


def test_audit_ends_with_1_where_something_disagrees(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import torch

    right = torch.nn.init.xavier_uniform_
    monkeypatch.setattr(torch.nn.init, "xavier_uniform_",
                        lambda tensor, gain=1.0, generator=None: right(tensor, gain=1.01 * gain, generator=generator))

    pytorch_calls.resolve.cache_clear()
    status = _run(monkeypatch, "audit", "xavier_uniform_", "--dtype", "float32", "--target", "torch", "--jobs", "1",
                  "--out", str(tmp_path))
    pytorch_calls.resolve.cache_clear()
    out = capsys.readouterr().out
    assert status == 1
    lines = out[out.index("EXCEEDS torch:eager on xavier_uniform_/float32/"):].splitlines()
    assert "got" in lines[1]
    assert "of the bound" in lines[1]
    assert lines[2].startswith("  oracle explain 'xavier_uniform_/float32/")


@pytest.mark.parametrize(("arguments", "message"), [
    (["audit", "adm"], "oracle: unknown op 'adm'; known are"),
    (["audit", "--dtype", "float8"], "oracle: unknown dtype 'float8'; known are"),
    (["audit", "--target", "mxnet"], "oracle: unknown target 'mxnet'"),
    (["audit", "--device", "cuda:77"], "oracle: torch cannot use device 'cuda:77'"),
    (["audit", "mse_loss", "--out", "/dev/null/x"], "oracle: cannot write to /dev/null/x"),
    (["audit", "--exhaustive", "--long"], "oracle: --exhaustive runs numbers through losses, --long trajectories"),
    (["audit", "ctc_loss", "--dtype", "bfloat16"], "oracle: nothing to run: ctc_loss in bfloat16 on reference, torch "),
    (["audit", "SGD", "--target", "torch:module"], "oracle: nothing to run: SGD in any type on torch:module "),
    (["explain", "mse_loss"], "oracle: malformed case id 'mse_loss'"),
    (["explain", "mse_loss/float32/default/" + "9" * 5000], "oracle: malformed case id 'mse_loss"),
    (["explain"], "oracle: Missing argument"),
    (["list", "nothing"], "oracle: unknown op 'nothing'"),
    (["list", "mse_los"], "oracle: unknown op 'mse_los'; did you mean mse_loss?"),
    (["explain", "mse_loss/float32/default", "--target", "torch:fused"], "oracle: torch:fused has no meaning for mse_"),
    (["check", "math:pi", "--as", "mse_loss"], "oracle: needed is a function, a class, or a pair of"),
    (["check", "math:exp", "--as", "mse_loss", "--mode", "reduction=men"], "oracle: modes['reduction'] has 'men'; mse"),
    (["check", "math:exp", "--as", "mse_loss", "--timeout", "0"], "oracle: Invalid value for '--timeout'"),
    (["audti"], "oracle: No such command 'audti'"),
])
def test_bad_use_is_one_line_and_status_2(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
        message: str) -> None:
    assert _run(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_without_torch_the_reason_is_one_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("torch", "oracle.targets.pytorch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "oracle.targets.pytorch")
    assert _run(monkeypatch, "audit", "mse_loss", "--out", str(tmp_path)) == 2
    assert capsys.readouterr().err == ("oracle: torch is not installed; pip install 'torch-oracle[torch]', or choose "
                                       "targets that are there with --target reference\n")
    assert _run(monkeypatch, "audit", "normal_", "--target", "reference", "--jobs", "1", "--out", str(tmp_path)) == 0


@pytest.mark.parametrize("case_id", [
    "mse_loss/float32/default", "cross_entropy/bfloat16/weight=random", "Adam/float16/steps=2",
    "normal_/float64/shape=3x5", "xavier_uniform_/bfloat16/layout=transposed"])
def test_explain_ends_with_a_script_that_reproduces_the_case(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, case_id: str) -> None:
    assert _run(monkeypatch, "explain", case_id) == 0
    text = capsys.readouterr().out
    for part in ("Inputs", "Where the bound comes from", "Verdicts", "torch:eager: "):
        assert part in text
    script = text[text.index("Script for torch:eager"):].partition("\n\n")[2]
    path = tmp_path / "script.py"
    path.write_text(script)
    done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "oracle" not in "".join(line for line in script.splitlines() if "import" in line)
    for line in done.stdout.splitlines():
        error, bound = (float(part.split(" ")[-1]) for part in line.split(", ")[-2:])
        assert error <= bound or np.isnan(bound), line
    assert "torch " in done.stdout


def test_explain_shows_why_a_disagreement_is_accepted(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "explain",
                "binary_cross_entropy_with_logits/float32/target=hard,reduction=none,regime=tails") == 0
    text = capsys.readouterr().out
    assert "EXCEEDS torch:eager" in text
    assert "waived as bce-cancels: torch rearranges" in text


def test_the_header_is_json_on_the_first_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _run(monkeypatch, "audit", "normal_", "--dtype", "float32", "--target", "reference", "--out", str(tmp_path))
    head = json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])
    assert set(head) == {"format", "command", "device", "targets", "cases", "versions", "source", "waivers", "paths",
                         "machine"}
    assert {"python", "torch", "numpy", "python-flint", "torch-oracle"} <= set(head["versions"])


def test_an_audit_says_on_which_path_torch_ran(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr("oracle.targets.pytorch.path", lambda: "SOME PATH")
    _run(monkeypatch, "audit", "eye_", "--dtype", "float32", "--out", str(tmp_path))
    assert "CPU path of torch: SOME PATH\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])["paths"] == {"torch": "SOME PATH"}


def test_a_state_is_shown_in_units_of_its_own_type(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """NAdam keeps a product in float32 whatever its parameters are in."""
    assert _run(monkeypatch, "explain", "NAdam/bfloat16/default", "--target", "torch:eager") == 0
    out = capsys.readouterr().out
    row = out[out.index("\nmu_product[0], shape"):].split("| [0] |")[1].split("\n")[0]
    truth = kept_truths.truth_of(parse("NAdam/bfloat16/default"))["mu_product[0]"]
    assert truth.dtype == "float32"
    assert f"| {figure(float(truth.bound[0] / truth.unit[0]))} ulp |" in row


def test_a_name_is_no_markup(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                             tmp_path: Path) -> None:
    lines = []
    for verdict in ("exact", "exceeds"):
        record = Record("mse_loss/float32/default", "mse_loss", "float32", "[v][/a]", verdict, 0.0, 0.0,
                        outputs={"output": (verdict, 0.0, 0.0)})
        path = tmp_path / verdict
        path.write_text(f"{json.dumps(header(['oracle'], 'cpu'))}\n{record.to_json()}\n")
        lines.append(str(path))
    assert _run(monkeypatch, "diff", *lines) == 1
    assert "│ [v][/a] " in capsys.readouterr().out


def test_a_full_standard_output_is_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "oracle", "list", "mse_loss"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "oracle: cannot write to standard output: No space left on device\n"


def test_the_version_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"torch-oracle {run.versions()['torch-oracle']}\n"


def test_few_cases_that_nothing_decides_are_named_and_many_counted(capsys: pytest.CaptureFixture[str]) -> None:
    records = [Record(f"l1_loss/float16/{i}", "l1_loss", "float16", "torch:eager", "vacuous", 0.0, 0.0, "output",
                      note="wide") for i in range(11)]
    for n, lines in ((10, 10), (11, 0)):
        show(records[:n], Console(width=160))
        out = capsys.readouterr().out
        assert f"not decided: {n} of {n} cases: {n} l1_loss\n" in out
        assert out.count("vacuous torch:eager on l1_loss/float16/") == lines


def test_no_command_names_a_target_that_it_does_not_know() -> None:
    record = Record("mse_loss/float32/default", "mse_loss", "float32", "user", "exceeds", 1.0, 2.0)
    assert three_lines(record)[2] == "  oracle explain 'mse_loss/float32/default'"
    assert three_lines(dataclasses.replace(record, target="torch:eager"))[2].endswith(" --target torch:eager")

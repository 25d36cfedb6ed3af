"""``oracle explain``: everything about a case, and a script that runs."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from oracle.auditing.words import figure
from oracle.cases.case import parse
from oracle.truth import kept_truths
from tests.commands import exit_status

pytestmark = pytest.mark.usefixtures("shared_truths")


@pytest.mark.parametrize("case_id", [
    "mse_loss/float32/default", "cross_entropy/bfloat16/weight=random", "Adam/float16/steps=2",
    "normal_/float64/shape=3x5", "xavier_uniform_/bfloat16/layout=transposed"])
def test_explain_ends_with_a_script_that_reproduces_the_case(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, case_id: str) -> None:
    assert exit_status(monkeypatch, "explain", case_id) == 0
    text = capsys.readouterr().out
    for part in ("Inputs", "Where the bound comes from", "Verdicts", "torch:eager: "):
        assert part in text
    script = text[text.index("Script for torch:eager"):].partition("\n\n")[2]
    path = tmp_path / "script.py"
    path.write_text(script)
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert "oracle" not in "".join(line for line in script.splitlines() if "import" in line)
    for line in printed.splitlines():
        error, bound = (float(part.split(" ")[-1]) for part in line.split(", ")[-2:])
        assert error <= bound or np.isnan(bound), line
    assert "torch " in printed


def test_the_script_runs_without_this_project(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert exit_status(monkeypatch, "explain", "mse_loss/float32/default") == 0
    text = capsys.readouterr().out
    path = tmp_path / "script.py"
    path.write_text(text[text.index("Script for torch:eager"):].partition("\n\n")[2])
    done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch " in done.stdout


def test_explain_shows_why_a_disagreement_is_accepted(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "explain",
                "binary_cross_entropy_with_logits/float32/target=hard,reduction=none,regime=tails") == 0
    text = capsys.readouterr().out
    assert "EXCEEDS torch:eager" in text
    assert "waived as bce-cancels: torch rearranges" in text


def test_a_state_is_shown_in_units_of_its_own_type(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """NAdam keeps a product in float32 whatever its parameters are in."""
    assert exit_status(monkeypatch, "explain", "NAdam/bfloat16/default", "--target", "torch:eager") == 0
    out = capsys.readouterr().out
    row = out[out.index("\nmu_product[0], shape"):].split("| [0] |")[1].split("\n")[0]
    truth = kept_truths.truth_of(parse("NAdam/bfloat16/default"))["mu_product[0]"]
    assert truth.dtype == "float32"
    assert f"| {figure(float(truth.bound[0] / truth.unit[0]))} ulp |" in row


SOFT = """
import numpy as np

def soft_margin(input, target, reduction="mean"):
    elements = np.log(1 + np.exp(-target * input))
    return elements if reduction == "none" else getattr(elements, reduction)()
"""


def test_explain_shows_the_answer_of_an_implementation_at_a_place(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOFT)
    monkeypatch.chdir(tmp_path)
    case = "soft_margin_loss/float32/reduction=none,regime=huge"
    assert exit_status(monkeypatch, "explain", case, "--target", "mine.py:soft_margin", "--framework", "numpy") == 0
    text = capsys.readouterr().out
    assert "| index | exact value | bound | reference | mine.py:soft_margin |" in text
    assert "torch:eager" not in text
    (verdict,) = (line for line in text.splitlines() if "RANGE mine.py:soft_margin" in line)
    assert case in verdict
    script = text[text.index("Script for mine.py:soft_margin"):].partition("\n\n")[2]
    (tmp_path / "script.py").write_text(script)
    with np.errstate(over="ignore"):
        runpy.run_path(str(tmp_path / "script.py"), run_name="__main__")
    assert "inf" in capsys.readouterr().out


@pytest.mark.parametrize(("place", "said"), [("mine.py:absent", "mine.py"), ("nowhere:f", "unknown target|nowhere")])
def test_explain_says_that_there_is_no_such_implementation(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str,
        said: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_status(monkeypatch, "explain", "mse_loss/float32/default", "--target", place) == 2
    assert re.search(said, capsys.readouterr().err)

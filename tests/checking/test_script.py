"""The script of a report runs, and shows the failure without this project."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import oracle
from tests.checking.implementations import PAIRS, Pair

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")

HERE = Path(__file__).parent


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


@pytest.mark.filterwarnings("ignore")  # what they show may overflow
@pytest.mark.parametrize("pair", [p for p in PAIRS if "lambda" not in repr(p.wrong)], ids=str)
def test_scripts_of_the_wrong_ones_run(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "<locals>" in getattr(pair.wrong, "__qualname__", "") or "backward" in pair.options:
        pytest.skip("what has no name has to be put in by hand")
    place = f"{HERE / 'implementations.py'}:{pair.wrong.__qualname__}"
    report = oracle.check(pair.op, place, dtypes=["float32"], **pair.options | pair.wrong_options)
    path = tmp_path / "script.py"
    path.write_text(report.script())
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()

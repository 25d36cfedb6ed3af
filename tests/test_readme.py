"""The README says what is: its table of ops is that of the registry, and its examples run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

import oracle
from oracle.report.summary import END, START, replace, rows
from tests.commands import exit_status

pytestmark = pytest.mark.usefixtures("shared_truths")

pytest_plugins = ["pytester"]
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_ops_is_current() -> None:
    """Run an audit, then ``python -m oracle.report.summary oracle-results/records.jsonl README.md``."""
    table = README.partition(START)[2].partition(END)[0].strip().splitlines()[2:]
    assert [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table] == rows()


def test_the_table_goes_between_its_marks() -> None:
    assert replace(f"a\n{START}\nold\n{END}\nb", "new") == f"a\n{START}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="the text needs the lines"):
        replace("no marks", "new")


BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
FILES = {name: block for block in BLOCKS if (name := block.partition("\n")[0].removeprefix("# ").partition(",")[0])
         .endswith(".py")}
COMMANDS = re.findall(r"```console\n\$ (oracle check .*?)\n(.*?)```", README, flags=re.DOTALL)


def test_the_references_are_called_as_shown() -> None:
    (block,) = (block for block in BLOCKS if "from reference.losses import" in block)
    exec(compile(block, "README.md", "exec"), {})


def test_there_are_five_worked_examples() -> None:
    assert len(COMMANDS) == 4
    assert {"losses.py", "kernels.py", "optimizers.py", "inits.py", "test_losses.py", "test_mine.py"} == set(FILES)


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command.split()[2] for command, _ in COMMANDS])
def test_a_worked_example_gives_what_is_shown(
        command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Lines in this order; … stands for others, and numbers may be others where cases were added."""
    _, _, place, *options = command.split()
    source = place.partition(":")[0]
    if "jax" in options and not all(map(importlib.util.find_spec, ("jax", "optax"))):
        pytest.skip("optax and jax are not installed")
    (tmp_path / source).write_text(FILES[source])
    monkeypatch.chdir(tmp_path)
    status = exit_status(monkeypatch, *command.split()[1:])
    out, err = capsys.readouterr()
    assert err == ""
    given, wanted = (re.sub(r"[0-9.e+-]*[0-9]", "0", text).splitlines() for text in (out, shown))
    left = iter(given)
    for line in wanted:
        assert line == "…" or line in left, f"{line!r} is not in\n{out[:2000]}"
    assert status == ("FAILED" in out)


def test_the_corrections_that_the_text_names_pass() -> None:
    loss: dict[str, Any] = {}
    exec(FILES["losses.py"].replace("np.log1p(np.exp(-target * input))", "np.logaddexp(0, -target * input)"), loss)
    assert oracle.check("soft_margin_loss", loss["soft_margin"], framework="numpy").passed


def test_the_suites_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**{name.removesuffix(".py"): FILES[name] for name in ("test_losses.py", "test_mine.py")})
    result = pytester.runpytest_inprocess("--oracle-ops=mse_loss", "--oracle-dtypes=float32", "-W", "ignore",
                                          "-p", "no:cacheprovider")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 50
    assert "failed" not in outcomes

"""The table of drift: errors are those of the steps that it names, and the README's is the registry's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.spec import OptimSpec
from oracle.report.drift import AFTER, END, START, TARGETS, drift, longest, main, rows, table
from oracle.targets.loading import load
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import Truth

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SPECS = [spec for spec in registry.specs().values() if isinstance(spec, OptimSpec)]


def _truth(hi: np.ndarray) -> Truth:
    zero = np.zeros(hi.shape)
    return Truth(hi, zero, zero, zero, zero, zero != 0, "float32")


def test_errors_are_the_largest_of_all_parameters_at_the_named_steps() -> None:
    truths = {"param[0]": _truth(np.ones((2000, 2))), "param[1]": _truth(np.full((2000,), 4.0)),
              "exp_avg[0]": _truth(np.ones(2000))}
    outputs = {"param[0]": np.ones((2000, 2), np.float32), "param[1]": np.full(2000, 4, np.float32),
               "exp_avg[0]": np.zeros(2000, np.float32)}
    assert drift(outputs, truths) == [0, 0, 0, 0]
    outputs["param[0]"][0, 1] += 2.0**-23  # of an ULP of 2^-23
    outputs["param[0]"][10] += 1  # the 11th step is not in the table
    outputs["param[0]"][299] -= 2.0**-21
    outputs["param[1]"][1999] -= 2.0**-18  # of an ULP of 2^-21
    assert drift(outputs, truths) == [1, 0, 4, 8]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_longest_case_has_every_step_of_the_table(spec: OptimSpec) -> None:
    assert longest(spec).options["steps"] == max(AFTER)


def test_what_torch_has_not_is_a_dash() -> None:
    text = table({"Adam": {"reference": [0.5, 1.25, 12.0, 2000.0], "torch:fused": None}})
    assert text.splitlines()[2] == "| `Adam` | 0.50, 1.25, 12.0, 2e+03 | - | - | - |"


def test_a_file_gets_the_whole_table_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["README.md", "--ops", "SGD"])
    assert "leaves out Adadelta, Adafactor" in capsys.readouterr().err


def test_the_readme_has_every_optimizer_and_the_references_drift() -> None:
    """Run ``python -m oracle.report.drift README.md``."""
    head, _, *body = README.partition(START)[2].partition(END)[0].strip().splitlines()
    assert head.endswith(f"| {' | '.join(TARGETS)} |")
    assert [line.split("`")[1] for line in body] == [spec.name for spec in SPECS]
    sgd = registry.get("SGD")
    assert isinstance(sgd, OptimSpec)
    ours = table({"SGD": rows(sgd, load(["reference"]))}).splitlines()[2].split("|")[2]
    assert next(line for line in body if "`SGD`" in line).split("|")[2] == ours


def test_a_drifting_implementation_shows() -> None:
    """The same run in float32, but with a learning rate that is one float32 off."""
    case = parse("SGD/float32/steps=300")
    lr = float(np.nextafter(np.float32(1e-3), np.float32(1)))
    steps = np.stack([g[0] for g in case.inputs.gradients]).astype(np.float64)
    start = case.inputs.groups[0].params[0].astype(np.float64)

    def run(rate: float) -> np.ndarray:
        return np.concatenate([start - rate * np.cumsum(steps, 0), np.zeros((1700, *start.shape))])

    wanted = {"param[0]": _truth(np.concatenate([truth_of(case)["param[0]"].hi, np.zeros((1700, *start.shape))]))}
    assert max(drift({"param[0]": run(1e-3)}, wanted)) < 1e-4
    assert drift({"param[0]": run(lr)}, wanted)[2] > 0.01

"""The picture of the initializers: that the bars follow the line, and that it is an SVG that stands alone."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from oracle.report.densities import PANELS, Panel, density, histogram, svg
from oracle.truth.claims import CLAIMS, Claim
from reference import random

ALARM = 1e-9  # the chance that the bars of a panel leave the line


def farthest(panel: Panel, claim: Claim) -> float:
    """The distance between drawn and claimed distribution function at the bars' edges, in what chance allows.

    Dvoretzky, Kiefer, Wolfowitz and Massart: 2 exp(-2 n t²); a panel of several matrices counts each once.
    """
    heights, edges = histogram(panel)
    x = np.linspace(edges[0], edges[-1], 60 * 200 + 1)
    steps = density(claim, (x[1:] + x[:-1]) / 2, panel.shape[0]) * np.diff(x)
    claimed = np.concatenate([[0.0], steps.cumsum()])[::200]
    drawn = np.concatenate([[0.0], (heights * np.diff(edges)).cumsum()])
    n = panel.times if panel.times > 1 else math.prod(panel.shape) * (1 - claim.zeros)
    return float(np.abs(drawn - claimed).max()) / math.sqrt(math.log(2 / ALARM) / (2 * n))


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.op)
def test_bars_follow_the_line(panel: Panel) -> None:
    claim = panel.claim
    assert farthest(panel, claim) < 1
    if claim.kind != "orthogonal":
        wrong = replace(claim, mean=claim.mean + claim.std, low=claim.low + claim.std, high=claim.high + claim.std)
        assert farthest(panel, wrong) > 1
        assert density(claim, np.linspace(claim.mean - 9 * claim.std, claim.mean + 9 * claim.std, 90001)).sum() * \
            18 * claim.std / 90000 == pytest.approx(1 - claim.zeros, rel=1e-3)


def test_every_random_initializer_is_there() -> None:
    assert [panel.op for panel in PANELS] == list(CLAIMS)


def test_an_entry_of_a_matrix_of_two_rows_is_a_cosine() -> None:
    """Of a uniform angle: 1 / (π √(1 - x²))."""
    x = np.array([-0.9, 0.0, 0.5])
    np.testing.assert_allclose(density(Claim.orthogonal(2.0), 2 * x, 2), 1 / (2 * math.pi * np.sqrt(1 - x * x)), 1e-12)


def test_the_picture_stands_alone(tmp_path: Path) -> None:
    before = random.default_generator.get_state()
    root = ElementTree.fromstring(svg())
    assert (random.default_generator.get_state() == before).all()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = "".join(root.itertext())
    for panel in PANELS:
        assert panel.title in text
    assert root.get("stroke") == "currentColor"
    assert not [e for e in root.iter() if any("href" in key for key in e.attrib)]
    command = [sys.executable, "-m", "oracle.report.densities"]
    subprocess.run([*command, str(tmp_path / "a.svg")], check=True)
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == svg()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1

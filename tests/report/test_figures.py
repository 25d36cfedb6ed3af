"""Points and bars lie where their figures say."""

from __future__ import annotations

import math
import re

from oracle.report import figures


def test_an_error_is_counted_in_its_bar() -> None:
    svg = figures.histogram({"a": [0.0, 0.0, 0.7, 1.0, 1.1, 1e9, math.inf], "none": []}, "a", "b")
    (bars,) = re.findall(r'class="bar s0" d="([^"]*)"', svg)
    step = (figures.WIDTH - 12 - 8) / 24
    places = {round((float(x) - 12) / step): float(h) for x, h in re.findall(r"M([\d.]+) \d+v-([\d.]+)", bars)}
    assert list(places) == [0, 7, 8, 22, 23]  # 0; above 1/2, to 1; to 2; more than there are bins; infinite
    assert places[0] == places[7] == 2 * places[8]
    assert "none" not in svg


def test_points_lie_where_their_figures_say() -> None:
    svg = figures.scatter({"a": [(1.0, 1.0), (0.0, 0.0)], "b": [(1e30, 100.0)]}, [(1.0, math.inf)], "a", "x", "y")
    (one, zero), (far,), (wrong,) = ([(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h0", d)] for d in
                                     re.findall(r'class="dots [^"]*" d="([^"]*)"', svg))
    assert zero[0] < one[0] == wrong[0] < far[0]
    assert wrong[1] < far[1] < one[1] < zero[1]
    assert figures.scatter({"a": [(1.0, 1.0)] * 99}, [], "", "", "").count("h0") == 1

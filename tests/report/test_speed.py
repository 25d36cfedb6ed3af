"""Benchmarks in a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oracle.report import html, timings
from tests.report.pages import HEAD, Page, results, sections, small


def speeds(page: str) -> dict[str, tuple[list[tuple[str, str]], str]]:
    """Dots of each line of the plot (their places, and what they are), and the mean at its end."""
    lines = re.findall(r'<div class="speed (?:mean)?"[^>]*><span>([^<]*)</span>(.*?)<b>([^<]*)</b>', page, flags=re.S)
    return {name: (re.findall(r'left:([\d.]+)%" title="([^"]*)"', dots), mean) for name, dots, mean in lines}


def test_benchmarks_are_a_dot_for_each_target_and_size(tmp_path: Path) -> None:
    found = speeds(html.render(small(), timings.read(results(tmp_path, torch=2.0))))
    assert list(found) == ["All", "Losses", "mse_loss", "Optimizers", "Adam", "Draws", "randint"]
    # Ten percent of a track are a factor of two. The reference is faster to the right of the middle.
    assert found["mse_loss"] == ([("60.0", "torch:eager, n = 100: 2.00"), ("80.0", "torch:eager, n = 10,000: 8.00")],
                                 "4.00")
    assert found["Adam"] == found["Optimizers"] == (
        [("60.0", "torch:eager, n = 100: 2.00"), ("70.0", "torch:fused, n = 100: 4.00"),
         ("80.0", "torch:eager, n = 10,000: 8.00"), ("90.0", "torch:fused, n = 10,000: 16.00")], "5.66")  # 4 sqrt(2)
    assert found["All"] == ([("62.5", "all targets, n = 100: 2.38"), ("82.5", "all targets, n = 10,000: 9.51")],
                            "4.76")  # four rows of 2, 2, 4, 2: 2^(5/4); times 4; and between them 2^(9/4)
    assert 'id="speed"' not in html.render(small())


def test_the_section_of_an_op_has_the_mean_of_its_parts_and_sizes(tmp_path: Path) -> None:
    results(tmp_path, torch=2.0)
    path = tmp_path / "threads-1.json"
    document = json.loads(path.read_text())
    for one in [b for b in document["benchmarks"] if b["extra_info"]["op"] == "Adam"]:
        times = 9 if one["extra_info"]["target"] == "torch:eager" else 1
        document["benchmarks"].append({"extra_info": one["extra_info"] | {"part": "other"},
                                       "stats": {"median": times * one["stats"]["median"]}})
    path.write_text(json.dumps(document))
    section = sections(html.render(small(), timings.read(tmp_path)))["Adam"]
    # 2 and 8 of the one part, 18 and 72 of the other
    assert re.search(r"<code>torch:eager</code> 12.00,\s+<code>torch:fused</code> 8.00", section), section[-500:]


def test_benchmarks_of_another_version_are_told_from_the_run(tmp_path: Path) -> None:
    ours = HEAD["versions"]["torch"]
    for version, said in ((ours, ""), ("1.2.3", f"The run is one of torch {ours}.")):
        read = timings.read(results(tmp_path, torch=2.0, machine={"torch": version, "cpu": {"brand_raw": "a CPU"}}))
        text = Page(html.render(small(), read)).text
        assert f"Measured with torch {version}, a CPU. {said}" in text
        assert ("The run is one of" in text) == bool(said)


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": [{}]}', '{"benchmarks": 3}'])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no result of the benchmarks"):
        timings.read(tmp_path)

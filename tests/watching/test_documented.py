"""The example of the page on watching runs; and optax is watched as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle

PAGE = (Path(__file__).parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(block, "watch.md", "exec"), {})
    assert capsys.readouterr().out.startswith("PASSED: AdamW, 2 of 200 steps looked at")
    assert len((tmp_path / "watch.jsonl").read_text().splitlines()) == 1 + 2 * 2


@pytest.mark.parametrize(("b2", "passes"), [(0.999, True), (0.9989, False)])
def test_optax_is_watched(b2: float, passes: bool) -> None:
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    schedule = optax.cosine_decay_schedule(1e-2, 50)
    tx = optax.adamw(schedule, b2=b2, weight_decay=1e-2)
    params: Any = {"kernel": jax.numpy.ones((30, 7)), "bias": jax.numpy.zeros(7)}
    state = tx.init(params)
    options = {"lr": schedule, "weight_decay": 1e-2}
    with oracle.watch(jax.jit(tx.update), "adamw", options=options, every=3, raises=False) as update:
        for step in range(7):
            gradients = jax.tree.map(lambda p, step=step: p + np.float32(step) - 2, params)
            updates, state = update(gradients, state, params)
            params = optax.apply_updates(params, updates)
    assert update.passed == passes
    assert update.looked == [1, 4, 7]
    assert not update.notes
    if passes:
        assert set(update.shared) <= {"optax-adamw"}
    else:
        assert update.failures[0].output == "exp_avg_sq"

"""Defects of torch 2.13 that surroundings find, each in a script of its own that needs torch alone.

The comments at the end of a script are what it prints.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from oracle.verdict.waivers import load

SCRIPTS = sorted((Path(__file__).parent / "defects").glob("*.py"))

pytestmark = pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="they are defects of torch 2.13")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_torch_does_what_the_script_says(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if script.stem.startswith("sgd_fused_half") and torch.backends.cpu.get_cpu_capability() == "AVX512":
        pytest.skip("vectors of half types have 32 elements there")
    _, _, end = script.read_text(encoding="utf-8").rpartition("\n\n")
    said = [line.removeprefix("# ") for line in end.splitlines()]
    assert all(line.startswith("# ") for line in end.splitlines())
    runpy.run_path(str(script))
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_is_waived(script: Path) -> None:
    name = script.stem.replace("_", "-")
    assert any(waiver.name == name or name.startswith("sgd-fused-half") for waiver in load())
    assert "oracle" not in script.read_text(encoding="utf-8"), "it has to run without this project"


# --- what the waivers without a dialect accept is these rules, and nothing else -------------------


def _step(optimizer: str, p: torch.Tensor, g: torch.Tensor, *, fused: bool) -> None:
    """Two steps on memory that is handed in."""
    leaf = torch.nn.Parameter(p)
    leaf.grad = g
    made = getattr(torch.optim, optimizer)([leaf], lr=0.25, fused=fused, foreach=None if fused else False)
    for _ in range(2):
        made.step()


def _numbers(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.arange(1, n + 1).remainder(7).add(1).to(dtype)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "Adagrad"])
@pytest.mark.parametrize(("parameter", "gradient"), [(2, 1), (1, 2), (2, 2)], ids=str)
def test_a_fused_kernel_takes_what_lies_in_a_row(optimizer: str, parameter: int, gradient: int) -> None:
    """It does with n numbers in a row what it does with contiguous ones, where it is right; all others stay."""
    n = 37
    memory, gradients = _numbers(n * parameter), _numbers(n * gradient)
    expected = memory.clone()
    _step(optimizer, memory[::parameter], gradients[::gradient], fused=True)
    _step(optimizer, expected[:n], gradients[:n], fused=True)
    assert memory.equal(expected)
    assert not memory[:n].equal(_numbers(n))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_fused_sgd_is_right_behind_the_last_whole_vector(dtype: torch.dtype) -> None:
    lanes = 32 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 16
    for n in (lanes - 1, lanes, 3 * lanes + 5):
        memory, expected = (_numbers(n, dtype) for _ in range(2))
        whole = n - n % lanes
        _step("SGD", memory, _numbers(n, dtype), fused=True)
        _step("SGD", expected[whole:], _numbers(n, dtype)[whole:], fused=False)
        assert memory.equal(expected), n

"""Muon: against torch bit by bit, its singular values, and where torch does otherwise."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch

from reference.optim import Muon, Parameter
from tests.optim.twin_optimizers import same, to_numpy, to_torch


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 4), (1, 5), (8, 3), (16, 24)])
def test_muon_is_torchs_bit_for_bit_but_for_sums_near_a_midpoint(shape):
    rng = np.random.default_rng(0)
    p = Parameter(rng.standard_normal(shape).astype(np.float32))
    theirs = to_torch(p)
    a, b = Muon([p], lr=0.5), torch.optim.Muon([theirs], lr=0.5)
    p.grad = rng.standard_normal(shape).astype(np.float32)
    theirs.grad = torch.from_numpy(p.grad)
    a.step()
    b.step()
    assert np.mean(abs(p.data - to_numpy(theirs)) <= 2.0**-23 * (1 + abs(p.data))) > 0.98
    a.load_state_dict(to_numpy(b.state_dict()))
    assert same(a.state_dict(), to_numpy(b.state_dict()))


def test_muon_brings_singular_values_near_to_one():
    p = Parameter(np.zeros((5, 3)))
    p.grad = np.random.default_rng(0).standard_normal((5, 3))
    Muon([p], lr=1.0).step()
    singular = np.linalg.svd(p.data / (5 / 3) ** 0.5, compute_uv=False)
    assert np.all((singular > 0.6) & (singular < 1.3))


def test_muon_keeps_its_buffer_where_torch_divides_it_by_its_norm():
    p = Parameter(np.zeros((2, 2), ml_dtypes.bfloat16))
    p.grad = np.full((2, 2), 4, ml_dtypes.bfloat16)
    theirs = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.bfloat16))
    theirs.grad = torch.full((2, 2), 4, dtype=torch.bfloat16)
    a, b = Muon([p], momentum=0.5, nesterov=False), torch.optim.Muon([theirs], momentum=0.5, nesterov=False)
    a.step()
    b.step()
    assert a.state[p]["momentum_buffer"].tolist() == [[2, 2]] * 2
    assert b.state[theirs]["momentum_buffer"].tolist() == [[0.5, 0.5]] * 2  # pytorch/pytorch#194664


@pytest.mark.parametrize(("options", "dtype", "raises", "match"), [
    ({"ns_steps": 100}, float, ValueError, "below 100"),
    ({"ns_coefficients": (1.0, 2.0)}, float, ValueError, "3 numbers"),
    ({}, complex, RuntimeError, "real"),
])
def test_muon_refuses_when_it_steps_as_torch_does(options, dtype, raises, match):
    p = Parameter(np.ones((2, 2), dtype))
    p.grad = np.ones((2, 2), dtype)
    theirs = to_torch(p)
    theirs.grad = torch.from_numpy(p.grad)
    with pytest.raises(raises, match=match):
        Muon([p], **options).step()
    with pytest.raises(raises):
        torch.optim.Muon([theirs], **options).step()

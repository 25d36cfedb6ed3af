"""AdamW: by hand, and as Adam with decoupled decay."""

from __future__ import annotations

import pytest
import torch

from reference.optim import Adam, AdamW
from tests.optim.twin_optimizers import at, path, to_torch


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({"weight_decay": 0.5}, (0, 0), [0.75, 0.5625]),  # 1 - 0.5 · 0.5, twice
    ({"weight_decay": 0.5, "maximize": True}, (0,), [0.75]),
    ({"weight_decay": 0.5, "eps": 0.0}, (4,), [0.25]),  # and 0.5 less for a first step
    ({"weight_decay": 0, "eps": 1.0, "betas": (0.0, 0.0)}, (3,), [0.625]),  # 1 - 0.5 · 3/4
])
def test_adamw_by_hand(options, gradients, expected):
    p = at(1)
    assert path(AdamW([p], lr=0.5, **options), p, gradients) == expected


def test_adamw_is_adam_with_decoupled_decay():
    p, q = at(1), at(1)
    g = (1.0, -0.5, 0.25)
    assert path(AdamW([p], amsgrad=True), p, g) == path(
        Adam([q], amsgrad=True, weight_decay=1e-2, decoupled_weight_decay=True), q, g)


def test_adamw_goes_on_decoupled_with_a_state_of_adam():
    p = at(1)
    theirs = torch.optim.AdamW([to_torch(p)])
    saved = Adam([p]).state_dict()
    theirs.load_state_dict(to_torch(saved))
    ours = AdamW([p])
    ours.load_state_dict(saved)
    assert ours.param_groups[0]["decoupled_weight_decay"] is theirs.param_groups[0]["decoupled_weight_decay"] is True
    assert saved["param_groups"][0]["decoupled_weight_decay"] is False

"""Adagrad: in fractions, its state, sparse gradients, and where torch does otherwise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from reference.optim import Adagrad, Parameter, SparseGrad
from tests.optim.twin_optimizers import U, at, path, same, to_numpy, to_torch


@pytest.mark.parametrize(("options", "gradients", "expected"), [
    ({}, (3, 4), [-1, Fraction(-9, 5)]),
    ({"lr_decay": 1.0}, (3, 4), [-1, Fraction(-7, 5)]),  # not at the first step
    ({"initial_accumulator_value": 16.0}, (3, -12), [Fraction(-3, 5), Fraction(-3, 5) + Fraction(12, 13)]),
    ({"eps": 3.0}, (3, 4), [Fraction(-1, 2), Fraction(-1)]),
    ({"weight_decay": 4.0}, (3, 8), [-1, Fraction(-9, 5)]),  # 3, then 8 - 4 = 4
    ({"maximize": True}, (3,), [1]),
])
def test_adagrad_in_fractions(options, gradients, expected):
    p = at(0)
    got = path(Adagrad([p], lr=1.0, **{"eps": 0.0, **options}), p, gradients)
    assert all(abs(Fraction(x) - e) <= 6 * Fraction(U) * 2 for x, e in zip(got, expected, strict=True))


def test_adagrad_has_its_state_before_the_first_step():
    p = Parameter(np.ones(2))
    optimizer, theirs = (cls([x], initial_accumulator_value=0.5) for cls, x in
                         ((Adagrad, p), (torch.optim.Adagrad, to_torch(p))))
    assert same(optimizer.state_dict()["state"], to_numpy(theirs.state_dict()["state"]))


def test_adagrad_starts_both_parts_of_a_complex_sum():
    p = Parameter(np.ones(2, complex))
    theirs = torch.optim.Adagrad([to_torch(p)], initial_accumulator_value=0.5)
    assert same(Adagrad([p], initial_accumulator_value=0.5).state[p]["sum"],
                to_numpy(theirs.state_dict()["state"][0]["sum"]))


def test_a_groups_start_of_adagrad_counts_but_not_in_torch():
    p = Parameter(np.ones(1))
    groups = [{"params": [p], "initial_accumulator_value": 4.0}]
    assert Adagrad(groups).state[p]["sum"] == 4
    q = to_torch(p)
    assert torch.optim.Adagrad([{**groups[0], "params": [q]}]).state[q]["sum"] == 0


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_adagrad_changes_what_a_sparse_gradient_has():
    """The same places twice add up before they are squared; a step without any place counts."""
    p = Parameter(np.ones((4, 2)))
    q = to_torch(p)
    options = {"lr": 1.0, "lr_decay": 0.5, "initial_accumulator_value": 0.25}
    ours, theirs = Adagrad([p], **options), torch.optim.Adagrad([q], **options)
    for places, values in (([1, 1, 3], [[1.0, 2.0], [1.0, 2.0], [0.0, 3.0]]), ([], np.zeros((0, 2))),
                           ([3], [[1.0, 1.0]])):
        p.grad = SparseGrad([places], np.array(values), (4, 2))
        q.grad = torch.sparse_coo_tensor(torch.tensor([places], dtype=torch.int64), torch.tensor(values), (4, 2),
                                         dtype=torch.float64, check_invariants=True)
        ours.step()
        theirs.step()
    assert np.all(abs(p.data - to_numpy(q)) <= 16 * U)
    assert same(dict(ours.state[p]), to_numpy(dict(theirs.state[q])))
    assert same(p.data[::2], np.ones((2, 2)))


def test_adagrad_refuses_decay_of_a_sparse_gradient():
    p = Parameter(np.ones(2))
    p.grad = SparseGrad([[0]], np.ones(1), (2,))
    with pytest.raises(RuntimeError, match="weight_decay"):
        Adagrad([p], weight_decay=0.5).step()

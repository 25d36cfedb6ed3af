"""Sparse gradients: what stands in one place adds up, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.targets.pytorch import to_gradient
from reference.optim import SGD, Adam, Parameter, SparseAdam, SparseGrad
from tests.optim.twin_optimizers import same, to_numpy


def test_sparse_gradients_add_up_what_stands_in_one_place():
    g = SparseGrad([[0, 1, 0, 0], [1, 2, 1, 1]], np.array([1.0, 2.0, 4.0, 8.0]), (2, 3))
    assert g.to_dense().tolist() == [[0, 13, 0], [0, 0, 2]]
    assert g.coalesce().indices.tolist() == [[0, 1], [1, 2]]
    assert same(to_numpy(to_gradient(g).to_dense()), g.to_dense())
    rows = SparseGrad([[1, 1]], np.arange(6.0).reshape(2, 3), (2, 3))
    assert rows.to_dense().tolist() == [[0, 0, 0], [3, 5, 7]]
    assert SparseGrad(np.zeros((0, 2)), np.array([1.0, 2.0]), ()).to_dense() == 3
    assert SparseGrad(np.zeros((1, 0)), np.zeros((0, 2)), (3, 2)).to_dense().tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(("indices", "values", "raises", "match"), [
    ([0, 1], [1.0, 2.0], ValueError, "two axes"),
    ([[0, 1]], [1.0], ValueError, r"values .* got \(1,\)"),
    ([[0, 1]], [[1.0], [2.0]], ValueError, r"values .* got \(2, 1\)"),
    ([[0, 3]], [1.0, 2.0], IndexError, "within"),
    ([[0, -1]], [1.0, 2.0], IndexError, "within"),
])
def test_sparse_gradients_that_do_not_fit(indices, values, raises, match):
    with pytest.raises(raises, match=match):
        SparseGrad(indices, np.array(values), (3,))


def test_sparse_gradients_are_refused_where_torch_refuses_them():
    p = Parameter(np.ones(3))
    p.grad = SparseGrad([[1]], np.ones(1), (3,))
    with pytest.raises(RuntimeError, match="Adam needs dense"):
        Adam([p]).step()
    with pytest.raises(RuntimeError, match="weight_decay"):
        SGD([p], weight_decay=0.1).step()
    with pytest.raises(RuntimeError, match="shape"):
        p.grad = SparseGrad([[1]], np.ones(1), (4,))
    SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.to_dense().tolist() == [0, 0, 0]
    p.grad = np.ones(3)
    with pytest.raises(RuntimeError, match="dense"):
        SparseAdam([p]).step()

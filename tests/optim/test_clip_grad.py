"""Clipping against torch: within what arithmetic may lose, bit for bit where nothing is lost, truthful at the edges."""

from __future__ import annotations

import functools
import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from torch.nn import utils

from oracle.truth.ball import balls
from reference.optim import Parameter, SparseGrad, clip_grad
from reference.optim.clip_grad import by_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from reference.optim.clip_grad import norms as rules
from tests.optim.twin_gradients import (
    BITS,
    DTYPES,
    array,
    bits,
    doubles,
    drawn,
    near,
    on_balls,
    ours,
    theirs,
    to_tensor,
    within,
)

SHAPES = {"one": ((5,),), "several": ((2, 3), (), (7,), (1,)), "long": ((301,), (4, 40))}
NORMS = (0, 1, 2, 3, 0.5, 2.5, -1, -2, "inf", "-inf")
EXACT = (0, "inf", "-inf")  # norms that round nothing

#: Roundings of a norm: a power, a sum, and a root that may double what they lose, two each as they are functions, and
#: the norm of norms. Of a multiplied gradient: the sum with 1e-6, a reciprocal, two products.
NORM, FACTOR = 10, 4
EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)


@functools.cache
def allowed(dtype, shapes, norm_type, max_norm):
    """The norm and the clipped gradients of a case, with what arithmetic in the type may lose."""
    def rule(arrays):
        parameters = [Parameter(a * 0) for a in arrays]
        for p, a in zip(parameters, arrays, strict=True):
            p.grad = a.copy()
        return [clip_grad_norm_(parameters, max_norm, norm_type), *(p.grad for p in parameters)]

    return on_balls(rule, drawn(7, SHAPES[shapes], dtype), dtype)


def outside(dtype, shapes, norm_type, max_norm, foreach=None):
    """Who leaves the bound of a case: torch or the reference."""
    gradients = drawn(7, SHAPES[shapes], dtype)
    mine, other = ours(gradients), theirs(gradients)
    answers = {"reference": [clip_grad_norm_(mine, max_norm, norm_type), *(p.grad for p in mine)],
               "torch": [utils.clip_grad_norm_(other, max_norm, norm_type, foreach=foreach), *(p.grad for p in other)]}
    truth = allowed(dtype, shapes, norm_type, max_norm)
    return {who for who, found in answers.items() for x, (middle, error) in zip(found, truth, strict=True)
            if not within(x, middle, error, dtype)}


def _half_norms_overflow(dtype, norm_type, shapes):
    return dtype == "float16" and norm_type == 0.5 and shapes == "long"  # 1e5 and more, where the largest is 65504


@EACH_DTYPE
@pytest.mark.parametrize("norm_type", NORMS)
def test_norms_and_clipped_gradients_are_torchs(dtype, norm_type):
    for shapes, max_norm in itertools.product(SHAPES, (0.5, 1e3)):
        if not _half_norms_overflow(dtype, norm_type, shapes):
            assert outside(dtype, shapes, norm_type, max_norm) == set()
    assert outside(dtype, "several", norm_type, 0.25, foreach=False) == set()


@EACH_DTYPE
def test_the_norm_is_that_of_more_digits(dtype):
    gradients = drawn(3, SHAPES["long"], dtype)
    values = [mpmath.mpf(float(abs(v))) for g in gradients for v in g.astype(np.float64).ravel()]
    with mpmath.workdps(40):
        for p in (1, 2, 3, 0.5, -1.5):
            power = mpmath.mpf(p)
            right = mpmath.fsum(v**power for v in values) ** (1 / power)
            ((middle, error),) = on_balls(lambda arrays, p=p: [get_total_norm(arrays, p)], gradients, dtype)
            assert abs(mpmath.mpf(float(middle)) - right) <= float(error) + 2.0**-52 * right
            if abs(right) < 65504:
                assert within(get_total_norm(gradients, p), float(right), float(error), dtype)


@EACH_DTYPE
@pytest.mark.parametrize("norm_type", EXACT)
def test_norms_that_round_nothing_are_torchs_bit_for_bit(dtype, norm_type):
    for shapes in SHAPES.values():
        gradients = drawn(5, shapes, dtype)
        gradients[0].ravel()[0] = 0
        expected = utils.get_total_norm([to_tensor(g) for g in gradients], norm_type)
        assert bits(get_total_norm(gradients, norm_type)) == bits(expected)


@EACH_DTYPE
def test_sums_that_are_exact_give_the_norm_bit_for_bit(dtype):
    gradients = [array([3.0, -4.0], dtype), array([[12.0]], dtype), array([0.0, 84.0], dtype)]
    tensors = [to_tensor(g) for g in gradients]
    for p, value in ((2, 85.0), (1, 103.0), (2.0, 85.0)):
        assert get_total_norm(gradients, p) == value
        assert bits(get_total_norm(gradients, p)) == bits(utils.get_total_norm(tensors, p))


def test_every_form_of_parameters_is_taken():
    g = array([3.0, 4.0])
    for form in (lambda p: p, lambda p: [p], lambda p: (p,), lambda p: (q for q in [p]), lambda p: {0: p}.values()):
        (p,) = ours([g])
        assert clip_grad_norm_(form(p), 1.0) == 5
        assert p.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-6)
    nothing = Parameter(np.zeros(2))
    assert bits(clip_grad_norm_([nothing], 1.0)) == bits(np.float32(0)) == bits(utils.clip_grad_norm_([], 1.0))
    assert clip_grad_value_([nothing], 1.0) is None
    assert nothing.grad is None
    with pytest.warns(UserWarning, match="parameters is an iterator that has nothing"):
        clip_grad_norm_(iter([]), 1.0)
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in []), 1.0)
    assert get_total_norm(g) == utils.get_total_norm(to_tensor(g)) == 5


def test_a_parameter_that_comes_twice_counts_twice_and_is_clipped_twice():
    g = np.array([3.0, 4.0])
    right = g * (1 / (50**0.5 + 1e-6)) ** 2
    (mine,), (other,) = ours([g]), theirs([g])
    clip_grad_norm_([mine, mine], 1.0)
    utils.clip_grad_norm_([other, other], 1.0)
    for p in (mine, other):
        assert near(p.grad, right, 2 * (NORM + FACTOR) + 6, "float64")  # six of the right one


@pytest.mark.parametrize(("types", "result"), [
    (("float16", "bfloat16"), "float32"), (("float32", "float64"), "float64"), (("float64", "float16"), "float64"),
    (("float16", "float16"), "float16"), (("bfloat16", "float32"), "float32")])
def test_types_promote_as_in_torch(types, result):
    gradients = [array([3.0], types[0]), array([4.0], types[1])]
    mine, other = ours(gradients), theirs(gradients)
    norm, torchs = clip_grad_norm_(mine, 1.0), utils.clip_grad_norm_(other, 1.0)
    assert norm.dtype == DTYPES[result]
    assert str(torchs.dtype) == f"torch.{result}"
    assert norm == torchs == 5
    for p, q, dtype in zip(mine, other, types, strict=True):
        assert p.grad.dtype == DTYPES[dtype]
        assert near(p.grad, doubles(q.grad), 2 * FACTOR, min(types, key=BITS.get))


def test_complex_gradients_have_the_norm_of_their_magnitudes():
    g = np.array([3 + 4j, 12j], np.complex64)
    p = Parameter(np.zeros(2, np.complex64))
    p.grad = g.copy()
    norm = clip_grad_norm_(p, 6.5)
    q = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    q.grad = torch.from_numpy(g.copy())
    assert bits(norm) == bits(utils.clip_grad_norm_(q, 6.5)) == bits(np.float32(13))
    for x in (p.grad, q.grad.numpy()):
        assert near(x.view(np.float32), (g * (6.5 / (13 + 1e-6))).view(np.float32), FACTOR + 1, "float32")


@pytest.mark.parametrize("p", [2, 1, 3, 0.5, -1, 0, "inf", "-inf"])
def test_a_sparse_gradient_is_the_dense_one_that_it_stands_for(p):
    sparse = SparseGrad([[0, 2, 0]], np.array([1.0, -2.0, 4.0]), (3,))
    dense = np.array([5.0, 0.0, -2.0])
    for max_norm in (1.0, 100.0):
        (mine,), (other,) = ours([dense]), theirs([dense])
        few = Parameter(np.zeros(3))
        few.grad = sparse.copy()
        assert clip_grad_norm_(few, max_norm, p) == clip_grad_norm_(mine, max_norm, p)
        utils.clip_grad_norm_(other, max_norm, float(p))
        assert near(few.grad.to_dense(), mine.grad, 2 * FACTOR, "float64")
        assert near(other.grad, mine.grad, 2 * (NORM + FACTOR), "float64")
        assert few.grad.indices.tolist() == [[0, 2, 0]]
    assert get_total_norm([sparse, dense], p) == get_total_norm([dense, dense], p)


def test_gradients_are_changed_where_they_lie():
    whole = np.arange(48.0).reshape(6, 8)
    part = whole[::2, ::-1]
    (p,) = ours([np.zeros(part.shape)])
    p.grad, before = part, whole.copy()
    norm = clip_grad_norm_(p, 1.0)
    assert near(norm, np.sqrt(np.sum(before[::2] ** 2)), 24 + NORM, "float64")
    assert near(whole[::2], before[::2] / (norm + 1e-6), 4, "float64")
    assert whole[1::2].tolist() == before[1::2].tolist()


def test_a_longdouble_keeps_its_range():
    (p,) = ours([np.zeros(2, np.longdouble)])
    unit = np.ldexp(np.longdouble(1), np.finfo(np.longdouble).maxexp - 10)
    p.grad = np.array([3, 4], np.longdouble) * unit
    assert clip_grad_norm_(p, 1.0) == 5 * unit
    assert near(p.grad, [0.6, 0.8], 2, "float64")


def test_an_empty_gradient_has_the_norm_zero():
    empty = np.zeros((0, 3), np.float32)
    for p in (0, 1, 2, 0.5):
        both = [empty, array([4.0])]
        assert get_total_norm(both, p) == utils.get_total_norm([to_tensor(g) for g in both], p)


@pytest.mark.parametrize(("gradient", "norm", "clipped"), [
    ([1.0, math.nan, -2.0], math.nan, [math.nan] * 3), ([math.inf, 2.0, -1.0], math.inf, [math.nan, 0.0, -0.0])])
def test_a_norm_that_is_not_finite(gradient, norm, clipped):
    (mine,), (other,) = ours([array(gradient)]), theirs([array(gradient)])
    for p, call in ((mine, clip_grad_norm_), (other, utils.clip_grad_norm_)):
        with pytest.raises(RuntimeError, match="error_if_nonfinite"):
            call(p, 1.0, error_if_nonfinite=True)
        assert np.array_equal(doubles(p.grad), gradient, equal_nan=True)  # untouched
        assert np.array_equal(doubles(call(p, 1.0)), norm, equal_nan=True)
        assert np.array_equal(doubles(p.grad), clipped, equal_nan=True)
    assert bits(mine.grad[1:]) == bits(other.grad[1:]) or math.isnan(norm)
    with pytest.raises(RuntimeError, match="error_if_nonfinite needs a finite norm, got"):
        get_total_norm([array(gradient)], error_if_nonfinite=True)


@pytest.mark.parametrize(("values", "p"), [
    ([math.nan, math.inf], "inf"), ([math.inf, 1.0], -1), ([math.inf], -1), ([math.nan, 1.0], 0), ([0.0, 2.0], -1),
    ([0.0], -2), ([math.nan, 0.0], "-inf"), ([math.nan, 0.0], -1), ([0.0, 0.0], 2), ([-0.0], 3), ([math.inf], 0.5)])
def test_special_values_have_torchs_norm(values, p):
    assert np.array_equal(get_total_norm(array(values), p), doubles(utils.get_total_norm(to_tensor(array(values)), p)),
                          equal_nan=True)


@pytest.mark.parametrize("total", [0.0, -1.0, math.inf, -math.inf, math.nan, 5.0])
@pytest.mark.parametrize("max_norm", [1.0, 0.0, -1.0, math.inf])
def test_a_given_norm_is_used_whatever_it_is(total, max_norm):
    (mine,), (other,) = ours([array([3.0, -4.0])]), theirs([array([3.0, -4.0])])
    clip_grads_with_norm_(mine, max_norm, total)
    utils.clip_grads_with_norm_(other, max_norm, torch.tensor(total))
    x, y = mine.grad, other.grad.numpy()
    assert np.array_equal(np.isnan(x), np.isnan(y))
    assert near(x[~np.isnan(x)], y[~np.isnan(y)], 2 * FACTOR, "float32")


#: Where torch is wrong: gradients, type, arguments -> the norm and the gradients that are right, and torch's.
DEFECTS = [
    ("squares overflow", [1e30, 1e30], "float32", {"max_norm": 1.0}, 2**0.5 * 1e30, [0.5**0.5] * 2, math.inf, [0, 0]),
    ("forty gradients of 1e19", [1e19] * 40, "float32", {"max_norm": 1e19}, 40**0.5 * 1e19, [1e19 / 40**0.5] * 40,
     math.inf, [0] * 40),
    ("squares underflow", [1e-30, 1e-30], "float32", {"max_norm": 1.0}, 2**0.5 * 1e-30, [1e-30] * 2, 0, [1e-30] * 2),
    ("cubes overflow", [1e13, 1e13], "float32", {"max_norm": 1.0, "norm_type": 3.0}, 2 ** (1 / 3) * 1e13,
     [0.5 ** (1 / 3)] * 2, math.inf, [0, 0]),
    ("powers of small numbers", [0.2, 0.1], "float32", {"max_norm": 0.1, "norm_type": 150.0}, 0.2,
     [0.0999995, 0.04999975], 0, [0.2, 0.1]),
    ("a limit beyond the type", [1e38, 2.0], "float32", {"max_norm": 1e300}, 1e38, [1e38, 2.0], math.inf,
     [math.nan] * 2),
    ("1 / 1e-5 overflows float16", [1e-5], "float16", {"max_norm": 0.0}, 1e-5, [0.0], 1e-5, [math.nan]),
    ("1 / 1e-5 overflows float16", [1e-5], "float16", {"max_norm": 1e-6}, 1e-5, [1e-6 / 1.1], 1e-5, [1e-5]),
    ("1 / 60000 is subnormal in float16", [60000.0, 1000.0], "float16", {"max_norm": 1e4}, 60008.33,
     [9998.61, 166.6435], 60000, [10016, 166.875]),
    ("a norm beyond float16", [6e4, 6e4], "float16", {"max_norm": 1.0}, math.inf, [0.5**0.5] * 2, math.inf, [0, 0]),
    ("a norm beyond float64", [1e308] * 4, "float64", {"max_norm": 1.0}, math.inf, [0.5] * 4, math.inf, [0] * 4),
]


@pytest.mark.parametrize(("why", "gradient", "dtype", "options", "norm", "clipped", "wrong_norm", "wrong"), DEFECTS)
def test_where_torch_is_wrong(why, gradient, dtype, options, norm, clipped, wrong_norm, wrong):
    if dtype == "float64" and np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("longdouble is double here")
    g = array(gradient, dtype)
    (mine,), (other,) = ours([g]), theirs([g])
    roundings = NORM + FACTOR + len(g)
    assert near(clip_grad_norm_(mine, **options), norm, roundings, dtype)
    assert near(mine.grad, clipped, roundings, dtype)
    assert np.array_equal(doubles(utils.clip_grad_norm_(other, **options)), doubles(array(wrong_norm, dtype)))
    assert np.array_equal(doubles(other.grad), doubles(array(wrong, dtype)), equal_nan=True)


def test_what_torch_refuses_without_need():
    with pytest.raises(RuntimeError, match="nested_tensorlist"):
        utils.clip_grad_value_([torch.nn.Parameter(torch.zeros(1))], 1.0)  # there is no gradient
    (mine,), (other,) = ours([array([3.0], "float16")]), theirs([array([3.0], "float16")])
    clip_grad_value_(mine, 1e5)
    assert mine.grad == 3
    with pytest.raises(RuntimeError, match="without overflow"):
        utils.clip_grad_value_(other, 1e5)  # the value has no place in the type; infinity has
    few = torch.nn.Parameter(torch.zeros(2))
    few.grad = torch.sparse_coo_tensor([[0]], [1.0], (2,), check_invariants=True)
    for call in (utils.clip_grad_norm_, utils.clip_grad_value_):
        with pytest.raises(NotImplementedError, match="Sparse"):
            call(few, 1.0)


#: What is refused: why, the call, the reference's kind of error and message, and torch's kind where it is another.
REFUSALS = [
    ("no parameters", lambda u, p: u.clip_grad_norm_(None, 1.0), TypeError, "parameters .* NoneType", None),
    ("a number for parameters", lambda u, p: u.clip_grad_norm_(5, 1.0), TypeError, "parameters .* int", None),
    ("numbers for parameters; torch asks them for a gradient", lambda u, p: u.clip_grad_norm_([1], 1.0), TypeError,
     "parameters .* int", AttributeError),
    ("no limit", lambda u, p: u.clip_grad_norm_(p, None), TypeError, "max_norm .* None .* NoneType", None),
    ("a complex limit", lambda u, p: u.clip_grad_norm_(p, 1j), TypeError, "max_norm .* 1j .* complex", None),
    ("a limit that is no number", lambda u, p: u.clip_grad_norm_(p, "x"), ValueError, "max_norm .* 'x' .* str", None),
    ("no norm", lambda u, p: u.clip_grad_norm_(p, 1.0, None), TypeError, "norm_type .* NoneType", None),
    ("a norm that is no number", lambda u, p: u.clip_grad_norm_(p, 1.0, "x"), ValueError, "norm_type .* 'x'", None),
    ("a list for a norm", lambda u, p: u.clip_grad_norm_(p, 1.0, [2]), TypeError, "norm_type .* list", None),
    ("no value", lambda u, p: u.clip_grad_value_(p, None), TypeError, "clip_value .* NoneType", None),
    ("no norm is known", lambda u, p: u.clip_grads_with_norm_(p, 1.0, None), TypeError, "total_norm .* NoneType", None),
    ("a number for arrays", lambda u, p: u.get_total_norm(5), TypeError, "tensors .* int", None),
    ("numbers for arrays; torch asks them for a device", lambda u, p: u.get_total_norm([1.0]), TypeError,
     "tensors .* float", AttributeError),
]


@pytest.mark.parametrize(("why", "call", "raises", "match", "torch_raises"), REFUSALS)
def test_refusals(why, call, raises, match, torch_raises):
    (mine,), (other,) = ours([array([3.0])]), theirs([array([3.0])])
    with pytest.raises(raises, match=match):
        call(clip_grad, mine)
    with pytest.raises(torch_raises or raises):
        call(utils, other)
    assert mine.grad == other.grad == 3


#: The same for arrays, which are made anew: shapes, types, empty ones; torch takes what has no kind.
ARRAY_REFUSALS = [
    ("integers have no norm", lambda u, a: u.get_total_norm([a(np.array([3]))]), RuntimeError, "tensors .* int64",
     RuntimeError),
    ("nothing has no largest element", lambda u, a: u.get_total_norm([a(np.zeros(0))], "inf"), RuntimeError,
     "norm_type .* empty .* inf", RuntimeError),
    ("nothing has no smallest element", lambda u, a: u.get_total_norm([a(np.zeros(0))], "-inf"), RuntimeError,
     "norm_type .* empty .* -inf", RuntimeError),
    ("nothing has no harmonic mean", lambda u, a: u.get_total_norm([a(np.zeros(0))], -1), RuntimeError,
     "norm_type .* empty .* -1", RuntimeError),
    ("NaN is no norm; torch takes it", lambda u, a: u.get_total_norm([a(np.ones(1))], math.nan), ValueError,
     "norm_type .* nan", None),
]


@pytest.mark.parametrize(("why", "call", "raises", "match", "torch_raises"), ARRAY_REFUSALS)
def test_refusals_of_arrays(why, call, raises, match, torch_raises):
    with pytest.raises(raises, match=match):
        call(clip_grad, np.asarray)
    if torch_raises:
        with pytest.raises(torch_raises):
            call(utils, torch.from_numpy)
    else:
        call(utils, torch.from_numpy)


@pytest.mark.parametrize(("call", "gradient", "raises", "match"), [
    (lambda p: clip_grad_value_(p, 1.0), np.array([1j]), RuntimeError, "clip_value .* complex128"),
    (lambda p: clip_grad_value_(p, -1.0), SparseGrad([[0]], np.ones(1), (1,)), ValueError, r"clip_value .* got -1\.0"),
    (lambda p: clip_grad_value_(p, math.nan), np.ones(1), ValueError, "clip_value .* nan"),
    (lambda p: clip_grad_norm_(p, math.nan), np.ones(1), ValueError, "max_norm .* nan"),
    (lambda p: clip_grads_with_norm_(p, 1.0, np.ones(2)), np.ones(1), ValueError, r"total_norm .* shape \(2,\)")])
def test_what_the_reference_alone_refuses_or_has(call, gradient, raises, match):
    p = Parameter(np.zeros(1, gradient.dtype))
    p.grad = gradient
    with pytest.raises(raises, match=match):
        call(p)


#: Mistakes: the name that one stands for, and it.
MISTAKES = {
    "the norm of norms is always that of p = 2": (
        "norm_of_norms", lambda norms, p: rules.vector_norm(np.stack(norms), 2)),
    "norms are added up": ("norm_of_norms", lambda norms, p: np.sum(norms)),
    "the norm of one vector, for p = 0": (
        "norm_of_norms", lambda norms, p: np.sum(norms) if p == 0 else rules.vector_norm(np.stack(norms), p)),
    "no 1e-6": ("clip_coefficient", lambda total, limit: np.minimum(limit / total, 1)),
    "1e-6 is multiplied": ("clip_coefficient", lambda total, limit: np.minimum(limit / (total * (1 + 1e-6)), 1)),
    "small gradients grow": ("clip_coefficient", lambda total, limit: limit / (total + 1e-6)),
    "nothing is clipped": ("clip_coefficient", lambda total, limit: total * 0 + 1),
    "no root": ("vector_norm", lambda x, p: rules.vector_norm(x, p) ** (p or 1)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found(mistake, monkeypatch):
    cases = list(itertools.product(("float64", "float32"), SHAPES, (0, 2, 3, -1), (0.25, 4.0)))
    for case in cases:
        allowed(*case)  # by the rule that has no mistake
        assert outside(*case) == set()
    monkeypatch.setattr(by_norm, *MISTAKES[mistake])
    assert any(outside(*case) == {"reference"} for case in cases)


def test_a_norm_runs_on_balls_whose_branch_is_open():
    wide = balls(np.array([0.0])) + balls(np.array([1.0])) * 0
    assert get_total_norm([wide], -1) == 0

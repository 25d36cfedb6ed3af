"""Averages of models: torch's values, states and refusals, and where torch is wrong."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.optim import swa_utils as torch_utils

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius
from reference.optim import Parameter, swa_utils
from reference.optim.swa_utils import (
    AveragedModel,
    averages,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)
from tests.optim.twin_gradients import (
    BITS,
    DTYPES,
    array,
    bits,
    doubles,
    drawn,
    exact,
    to_array,
    to_tensor,
    within,
)

SHAPES = ((2, 3), (), (7,), (0,))
EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)

#: Each average: the functions of either library, and the keyword that takes them.
AVERAGES = {
    "default": ("avg_fn", None, None),
    "swa": ("avg_fn", get_swa_avg_fn, torch_utils.get_swa_avg_fn),
    "swa multi": ("multi_avg_fn", get_swa_multi_avg_fn, torch_utils.get_swa_multi_avg_fn),
    "ema": ("avg_fn", lambda: get_ema_avg_fn(0.9), lambda: torch_utils.get_ema_avg_fn(0.9)),
    "ema multi": ("multi_avg_fn", lambda: get_ema_multi_avg_fn(0.9), lambda: torch_utils.get_ema_multi_avg_fn(0.9)),
    "ema default": ("avg_fn", get_ema_avg_fn, torch_utils.get_ema_avg_fn)}

#: Averages that torch computes by the reference's operations, in float32 and float64.
SAME_OPERATIONS = ("default", "swa", "ema", "ema default")


def torch_list(arrays):
    return torch.nn.ParameterList([torch.nn.Parameter(to_tensor(a)) for a in arrays])


def averaged(name, models):
    """The averages of either library after each of the models."""
    keyword, ours, theirs = AVERAGES[name]
    mine = AveragedModel([Parameter(a.copy()) for a in models[0]], **{keyword: ours and ours()})
    other = torch_utils.AveragedModel(torch_list(models[0]), **{keyword: theirs and theirs()})
    for arrays in models:
        mine.update_parameters([Parameter(a) for a in arrays])
        other.update_parameters(torch_list(arrays))
        yield [p.data for p in mine.parameters()], [to_array(p) for p in other.parameters()]


def models(dtype, count=6, seed=0):
    return [drawn([seed, k], SHAPES, dtype) for k in range(count)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SAME_OPERATIONS)
def test_averages_are_torchs_bit_for_bit(name, dtype):
    for mine, other in averaged(name, models(dtype)):
        assert list(map(bits, mine)) == list(map(bits, other))


def _right(name, arrays):
    """The average as a fraction, by its definition."""
    values = [exact(a) for a in arrays]
    if name.startswith("swa"):
        return [sum(column) / len(column) for column in zip(*values, strict=True)]
    decay, result = Fraction(0.9), values[0]
    for value in values[1:]:
        result = [decay * a + (1 - decay) * b for a, b in zip(result, value, strict=True)]
    return result


@EACH_DTYPE
@pytest.mark.parametrize("name", ["swa", "swa multi", "ema", "ema multi"])
def test_averages_are_within_their_roundings_of_the_definition(name, dtype):
    """What one update adds, for L the largest number and u half a step of the type; earlier errors do not grow.

    The difference is up to 2L, so it loses 2uL; its product with the weight 2uL, and the weight itself 2wL, with w half
    a step of float32 for torch's mean over lists and u elsewhere; the sum uL, and what is kept of it uL.
    """
    unit = 2.0 ** -BITS[dtype]
    sequence = models(dtype, seed=1)
    largest = max(np.abs(doubles(a)).max(initial=0) for arrays in sequence for a in arrays)
    for count, pair in enumerate(averaged(name, sequence), 1):
        for side, arrays in zip(("reference", "torch"), pair, strict=True):
            weight = max(2.0**-24, unit) if side == "torch" and name == "swa multi" else unit
            for k, found in enumerate(arrays):
                right = np.array([float(v) for v in _right(name, [m[k] for m in sequence[:count]])])
                bound = (count - 1) * (6 * unit + 2 * weight) * largest
                assert (np.abs(doubles(found).ravel() - right) <= bound).all(), (side, count)


@pytest.mark.parametrize("name", ["swa multi", "ema multi"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_types_averages_are_rounded_once_as_by_torchs_over_lists(name, dtype):
    """Either is half a step of the type from what float32 makes of it, with at most eight roundings."""
    x, y = drawn(2, ((500,),), dtype)[0], drawn(3, ((500,),), dtype)[0]
    for n in (1, 2, 7):
        mine, other = x.copy(), to_tensor(x)
        AVERAGES[name][1]()([mine], [y], n)
        AVERAGES[name][2]()([other], [to_tensor(y)], torch.tensor(n))
        weight = 1 / (n + 1) if name == "swa multi" else 0.1
        right = (1 - weight) * doubles(x) + weight * doubles(y)
        error = 8 * 2.0**-24 * np.maximum(np.abs(doubles(x)), np.abs(doubles(y)))
        assert within(mine, right, error, dtype)
        assert within(other, right, error, dtype)
    if name == "swa multi":  # the other functions of torch round each operation
        other = torch_utils.get_swa_avg_fn()(to_tensor(x), to_tensor(y), torch.tensor(n))
        assert not within(other, right, error, dtype)


@EACH_DTYPE
def test_types_stay(dtype):
    for name in AVERAGES:
        for mine, other in averaged(name, models(dtype, 3)):
            assert {a.dtype for a in mine} == {a.dtype for a in other} == {DTYPES[dtype]}


def test_the_average_of_another_type_is_cast():
    mine = AveragedModel([Parameter(np.zeros(2, np.float32))])
    other = torch_utils.AveragedModel(torch_list([np.zeros(2, np.float32)]))
    for k in range(3):
        a = np.array([1 / 3, k])
        mine.update_parameters([Parameter(a)])
        other.update_parameters(torch_list([a]))
        assert bits(next(mine.parameters()).data) == bits(next(other.parameters()))


def test_the_first_update_copies_and_later_ones_are_told_how_many_there_were():
    calls = []
    p = Parameter(np.array([1.0]))
    model = AveragedModel([p], avg_fn=lambda average, current, n: (calls.append((average.item(), current.item(), n)),
                                                                   average + 1)[1])
    assert model.n_averaged == 0
    for value in (5.0, 6.0, 7.0):
        p.data[...] = value
        model.update_parameters([p])
    assert calls == [(5.0, 6.0, 1), (6.0, 7.0, 2)]
    assert next(model.parameters()).data.item() == 7
    assert (model.n_averaged, model.n_averaged.dtype) == (3, np.int64)
    assert p.data == 7  # the model is left alone


def test_lists_are_averaged_once_for_each_type():
    calls = []
    params = [Parameter(np.ones(1)), Parameter(np.ones(2, np.float32)), Parameter(np.ones(3))]
    model = AveragedModel(params, multi_avg_fn=lambda mine, theirs, n: calls.append(([len(a) for a in mine], n)))
    for _ in range(2):
        model.update_parameters(params)
    assert calls == [([1, 3], 1), ([2], 1)]


class Model:
    """Something with parameters and buffers, as those of a batch norm."""

    def __init__(self, weight, mean, count):
        self.weight, self.mean, self.count = Parameter(array([weight])), array([mean]), np.array(count)

    def named_parameters(self):
        yield "weight", self.weight

    def parameters(self):
        yield self.weight

    def named_buffers(self):
        return [("running_mean", self.mean), ("num_batches_tracked", self.count)]

    def buffers(self):
        return [self.mean, self.count]

    def __call__(self, x):
        return self.weight.data * x


def _torch_model(weight, mean, count):
    model = torch.nn.BatchNorm1d(1)
    model.bias = model.running_var = None
    with torch.no_grad():
        model.weight.fill_(weight), model.running_mean.fill_(mean), model.num_batches_tracked.fill_(count)
    return model


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("name", SAME_OPERATIONS)
def test_buffers_are_copied_or_averaged_as_by_torch(name, use_buffers):
    keyword, ours, theirs = AVERAGES[name]
    steps = [(0.5, 2.0, 3), (1.25, -7.0, 20), (3.0, 1.1, 25), (0.1, 0.2, 1000)]
    mine = AveragedModel(Model(*steps[0]), use_buffers=use_buffers, **{keyword: ours and ours()})
    other = torch_utils.AveragedModel(_torch_model(*steps[0]), use_buffers=use_buffers,
                                      **{keyword: theirs and theirs()})
    for step in steps:
        mine.update_parameters(Model(*step))
        other.update_parameters(_torch_model(*step))
        saved = other.state_dict()
        assert mine.state_dict().keys() == saved.keys()
        assert all(bits(v) == bits(saved[k]) for k, v in mine.state_dict().items())
    assert mine(2.0).tolist() == [2 * mine.module.weight.data.item()]
    assert [bits(b) for b in mine.buffers()] == [bits(b) for b in other.buffers()]


def test_states_go_to_torch_and_back():
    sequence = models("float32", 6)
    mine, fresh = (AveragedModel([Parameter(a) for a in sequence[0]]) for _ in range(2))
    other = torch_utils.AveragedModel(torch_list(sequence[0]))
    for arrays in sequence[:3]:
        mine.update_parameters([Parameter(a) for a in arrays])
    other.load_state_dict({name: torch.tensor(a.copy()) for name, a in mine.state_dict().items()})
    fresh.load_state_dict({name: t.numpy().copy() for name, t in other.state_dict().items()})
    for arrays in sequence[3:]:
        mine.update_parameters([Parameter(a) for a in arrays])
        fresh.update_parameters([Parameter(a) for a in arrays])
        other.update_parameters(torch_list(arrays))
    assert [*mine.state_dict()] == [*other.state_dict()] == [*fresh.state_dict()]
    for name, t in other.state_dict().items():
        assert bits(mine.state_dict()[name]) == bits(t) == bits(fresh.state_dict()[name])


def test_the_copy_has_memory_of_its_own_and_no_gradients():
    p = Parameter(np.ones(2))
    p.grad = np.ones(2)
    owner = Model(1.0, 2.0, 3)
    owner.weight = p
    for model in ([p], (q for q in [p]), owner):
        average = AveragedModel(model)
        (q,) = average.parameters()
        assert not np.shares_memory(p.data, q.data)
        assert q.grad is None
    assert p.grad.tolist() == [1, 1]
    assert copy.deepcopy(average).state_dict().keys() == average.state_dict().keys()


def test_torch_averages_doubles_with_a_weight_in_float32():
    sequence = [[np.array([v])] for v in (1.0, 2.0, 9.0)]
    for name, right in (("default", True), ("swa", True), ("swa multi", False)):
        *_, (mine, other) = averaged(name, sequence)
        assert mine[0] == 4
        assert (other[0] == 4) == right
    assert other[0] == float.fromhex("0x1.0000005000000p+2")


def test_where_torch_leaves_the_range_of_the_type():
    x, y = array([3e38]), array([-3e38])
    for name, torchs in (("swa", -math.inf), ("swa multi", math.inf)):
        *_, (mine, other) = averaged(name, [[x], [y]])
        assert (mine[0].item(), other[0].item()) == (0, torchs)
    mine, other = x.copy(), to_tensor(x)
    get_ema_multi_avg_fn(0.5)([mine], [y], 1)
    torch_utils.get_ema_multi_avg_fn(0.5)([other], [to_tensor(y)], 1)
    assert (mine.item(), other.item()) == (0, math.inf)
    mine, other = array([math.inf]), to_tensor(array([math.inf]))
    get_ema_multi_avg_fn(0.9)([mine], [array([1.0])], 1)
    torch_utils.get_ema_multi_avg_fn(0.9)([other], [torch.ones(1)], 1)
    assert mine.item() == math.inf
    assert math.isnan(other.item())


def test_torch_has_no_mean_of_integers_over_lists():
    mine, other = np.array([1]), torch.tensor([1])
    get_swa_multi_avg_fn()([mine], [np.array([20])], 3)
    assert mine == 5
    with pytest.raises(RuntimeError, match=r"[Ii]nteg"):
        torch_utils.get_swa_multi_avg_fn()([other], [torch.tensor([20])], 3)


def test_torch_averages_models_that_do_not_fit():
    model = torch_utils.AveragedModel(torch_list([np.ones(2), np.ones(1)]))
    model.update_parameters(torch_list([np.array([7.0])]))  # fewer, and of another shape
    assert [p.tolist() for p in model.parameters()] == [[7, 7], [1]]


@pytest.mark.parametrize("decay", [0, 1, 0.5, True])
def test_decays_at_the_edge_are_taken(decay):
    for mine, other in ((get_ema_avg_fn, torch_utils.get_ema_avg_fn),):
        x, y = np.array([1.0, 3.0]), np.array([2.0, -7.0])
        assert bits(mine(decay)(x, y, 1)) == bits(other(decay)(torch.from_numpy(x), torch.from_numpy(y), 1))


#: What is refused: why, the call, kind of error, message, and torch's kind where it is another.
REFUSALS = [
    ("a decay below 0", lambda u, m: u.get_ema_avg_fn(-1), ValueError, r"decay .*-1"),
    ("a decay above 1", lambda u, m: u.get_ema_multi_avg_fn(2), ValueError, r"decay .*2"),
    ("a decay that is no number", lambda u, m: u.get_ema_avg_fn("x"), TypeError, "str"),
    ("no decay", lambda u, m: u.get_ema_multi_avg_fn(None), TypeError, "NoneType"),
    ("both functions", lambda u, m: u.AveragedModel(m([1.0]), avg_fn=max, multi_avg_fn=max), AssertionError,
     "avg_fn and multi_avg_fn"),
    ("another shape", lambda u, m: u.AveragedModel(m([1.0, 2.0])).update_parameters(m([1.0, 2.0, 3.0])), RuntimeError,
     r"2\b.* \(?3\b"),
    ("an empty state", lambda u, m: u.AveragedModel(m([1.0])).load_state_dict({}), RuntimeError, "(?s)n_averaged"),
]


@pytest.mark.parametrize(("why", "call", "raises", "match"), REFUSALS)
def test_refusals(why, call, raises, match):
    with pytest.raises(raises, match=match):
        call(swa_utils, lambda values: [Parameter(np.array(values))])
    with pytest.raises(raises, match=match):
        call(torch_utils, lambda values: torch_list([np.array(values)]))


@pytest.mark.parametrize(("call", "raises", "match"), [
    (lambda: get_ema_avg_fn(math.nan), ValueError, "decay .* nan"),
    (lambda: AveragedModel([1.0]), TypeError, "model .* float"),
    (lambda: AveragedModel(Parameter(np.ones(1))), TypeError, "model .* Parameter"),
    (lambda: AveragedModel(None), TypeError, "model .* NoneType"),
    (lambda: AveragedModel([Parameter(np.ones(1))]).update_parameters([]), ValueError,
     "model needs 1 parameters, got 0"),
    (lambda: AveragedModel([Parameter(np.ones(2))]).update_parameters([Parameter(np.ones(1))]), RuntimeError,
     r"model needs shape \(2,\) for number 0 of its parameters, got \(1,\)"),
    (lambda: AveragedModel([Parameter(np.ones(1))]).load_state_dict({"n_averaged": np.array(1),
                                                                     "module.0": np.ones(2)}), RuntimeError,
     r"state_dict needs shape \(1,\) for module.0, got \(2,\)")])
def test_what_the_reference_alone_refuses_or_says(call, raises, match):
    with pytest.raises(raises, match=match):
        call()


def test_the_averages_run_on_balls():
    x, y = drawn(4, ((5,),))[0], drawn(5, ((5,),))[0]
    for rule, torchs in ((lambda a, b: averages.running_average(a, b, 2), torch_utils.get_swa_avg_fn()),
                         (lambda a, b: averages.exponential_average(a, b, 0.9), torch_utils.get_ema_avg_fn(0.9))):
        with arithmetic(Arithmetic.of("float32")):
            found = rule(balls(x), balls(y))
            assert within(torchs(to_tensor(x), to_tensor(y), 2), centre(found), radius(found), "float32")
            assert within(rule(x, y), centre(found), radius(found), "float32")


#: Mistakes in an average: the name that one stands for, and it.
MISTAKES = {
    "EMA with 1 - decay": ("ema", averages, "exponential_average", lambda a, b, d: (1 - d) * a + d * b),
    "the mean counts one too few": ("swa", averages, "running_average", lambda a, b, n: a + (b - a) / n),
    "the mean counts one too many": ("swa", averages, "running_average", lambda a, b, n: a + (b - a) / (n + 2)),
    "averages that start at step 0": ("swa", averages, "running_average", lambda a, b, n: (a * n + b) / (n + 2)),
    "EMA that is corrected": ("ema", averages, "exponential_average", lambda a, b, d: d * a + (1 - d) * b / (1 - d**2)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found(mistake, monkeypatch):
    name, *planted = MISTAKES[mistake]
    monkeypatch.setattr(*planted)
    assert any(bits(a) != bits(b) for pair in averaged(name, models("float64")) for a, b in zip(*pair, strict=True))


def test_an_average_that_starts_with_the_copy_is_found(monkeypatch):
    class Early(AveragedModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.n_averaged += 1  # as if the model that is copied were the first one

    monkeypatch.setitem(globals(), "AveragedModel", Early)
    sequence = models("float64")
    found = list(averaged("default", [*sequence[1:], sequence[0]]))
    assert any(bits(a) != bits(b) for pair in found for a, b in zip(*pair, strict=True))

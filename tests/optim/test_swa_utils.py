"""Averages of models and their learning rate: torch's values, states and refusals, and where torch is wrong."""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.optim import swa_utils as theirs_

from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, centre, radius
from reference.optim import SGD, Parameter, lr_scheduler, swa_utils
from reference.optim.swa_utils import (
    SWALR,
    AveragedModel,
    averaged_model,
    averages,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)
from reference.optim.swa_utils import swalr as schedule
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
    "swa": ("avg_fn", get_swa_avg_fn, theirs_.get_swa_avg_fn),
    "swa multi": ("multi_avg_fn", get_swa_multi_avg_fn, theirs_.get_swa_multi_avg_fn),
    "ema": ("avg_fn", lambda: get_ema_avg_fn(0.9), lambda: theirs_.get_ema_avg_fn(0.9)),
    "ema multi": ("multi_avg_fn", lambda: get_ema_multi_avg_fn(0.9), lambda: theirs_.get_ema_multi_avg_fn(0.9)),
    "ema default": ("avg_fn", get_ema_avg_fn, theirs_.get_ema_avg_fn)}

#: Averages that torch computes by the reference's operations, in float32 and float64.
SAME_OPERATIONS = ("default", "swa", "ema", "ema default")


def torch_list(arrays):
    return torch.nn.ParameterList([torch.nn.Parameter(to_tensor(a)) for a in arrays])


def averaged(name, models):
    """The averages of either library after each of the models."""
    keyword, ours, theirs = AVERAGES[name]
    mine = AveragedModel([Parameter(a.copy()) for a in models[0]], **{keyword: ours and ours()})
    other = theirs_.AveragedModel(torch_list(models[0]), **{keyword: theirs and theirs()})
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
    """Each update rounds four times: no more than 4u of the largest number, and earlier errors do not grow.

    Of torch's EMA over lists the difference may be twice the largest number; its SWA has a weight in float32.
    """
    unit = 2.0 ** -BITS[dtype]
    for name_of_one, side in itertools.product([name], (0, 1)):
        largest = 0.0
        sequence = models(dtype, seed=1)
        for count, pair in enumerate(averaged(name_of_one, sequence), 1):
            weight = 2.0**-24 if side and name == "swa multi" else unit
            largest = max([largest, *(np.abs(doubles(a)).max(initial=0) for a in sequence[count - 1])])
            for k, found in enumerate(pair[side]):
                right = np.array([float(v) for v in _right(name_of_one, [m[k] for m in sequence[:count]])])
                bound = (count - 1) * (6 * unit + 2 * weight) * largest
                assert (np.abs(doubles(found).ravel() - right) <= bound).all(), (side, count)


@pytest.mark.parametrize("name", ["swa multi", "ema multi"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_types_averages_are_rounded_once_as_by_torchs_over_lists(name, dtype):
    """Both compute in float32 before: torch may be one number of the type apart, where that is near a midpoint."""
    x, y = drawn(2, ((500,),), dtype)[0], drawn(3, ((500,),), dtype)[0]
    for n in (1, 2, 7):
        mine, other = x.copy(), to_tensor(x)
        AVERAGES[name][1]()([mine], [y], n)
        AVERAGES[name][2]()([other], [to_tensor(y)], torch.tensor(n))
        near = 8 * 2.0**-24 * np.maximum(np.abs(doubles(x)), np.abs(doubles(y)))  # what float32 loses on both sides
        step = 2.0 ** -BITS[dtype] * 2 * np.abs(doubles(other))
        apart = np.abs(doubles(mine) - doubles(other))
        assert (apart <= step + near).all()
        assert np.mean(apart == 0) > 0.9


@EACH_DTYPE
def test_types_stay(dtype):
    for name in AVERAGES:
        for mine, other in averaged(name, models(dtype, 3)):
            assert {a.dtype for a in mine} == {a.dtype for a in other} == {DTYPES[dtype]}


def test_the_average_of_another_type_is_cast():
    mine = AveragedModel([Parameter(np.zeros(2, np.float32))])
    other = theirs_.AveragedModel(torch_list([np.zeros(2, np.float32)]))
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
    other = theirs_.AveragedModel(_torch_model(*steps[0]), use_buffers=use_buffers, **{keyword: theirs and theirs()})
    for step in steps:
        mine.update_parameters(Model(*step))
        other.update_parameters(_torch_model(*step))
        saved = {k: v for k, v in other.state_dict().items()}
        assert mine.state_dict().keys() == saved.keys()
        assert all(bits(v) == bits(saved[k]) for k, v in mine.state_dict().items())
    assert mine(2.0).tolist() == [2 * mine.module.weight.data.item()]
    assert [bits(b) for b in mine.buffers()] == [bits(b) for b in other.buffers()]


def test_states_go_to_torch_and_back():
    sequence = models("float32", 6)
    mine, fresh = (AveragedModel([Parameter(a) for a in sequence[0]]) for _ in range(2))
    other = theirs_.AveragedModel(torch_list(sequence[0]))
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
    for model in ([p], (q for q in [p]), type("M", (), {"parameters": lambda self: [p]})()):
        averaged = AveragedModel(model)
        (q,) = averaged.parameters()
        if isinstance(averaged.module, list):
            assert not np.shares_memory(p.data, q.data)
            assert q.grad is None
    assert p.grad.tolist() == [1, 1]
    assert copy.deepcopy(averaged).n_averaged == 0


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
    theirs_.get_ema_multi_avg_fn(0.5)([other], [to_tensor(y)], 1)
    assert (mine.item(), other.item()) == (0, math.inf)
    mine, other = array([math.inf]), to_tensor(array([math.inf]))
    get_ema_multi_avg_fn(0.9)([mine], [array([1.0])], 1)
    theirs_.get_ema_multi_avg_fn(0.9)([other], [torch.ones(1)], 1)
    assert mine.item() == math.inf
    assert math.isnan(other.item())


def test_torch_has_no_mean_of_integers_over_lists():
    mine, other = np.array([1]), torch.tensor([1])
    get_swa_multi_avg_fn()([mine], [np.array([20])], 3)
    assert mine == 5
    with pytest.raises(RuntimeError, match="Integer division"):
        theirs_.get_swa_multi_avg_fn()([other], [torch.tensor([20])], 3)


def test_torch_averages_models_that_do_not_fit():
    model = theirs_.AveragedModel(torch_list([np.ones(2), np.ones(1)]))
    model.update_parameters(torch_list([np.array([7.0])]))  # fewer, and of another shape
    assert [p.tolist() for p in model.parameters()] == [[7, 7], [1]]


@pytest.mark.parametrize("decay", [0, 1, 0.5, True])
def test_decays_at_the_edge_are_taken(decay):
    for mine, other in ((get_ema_avg_fn, theirs_.get_ema_avg_fn),):
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
     "2.* 3"),
    ("an empty state", lambda u, m: u.AveragedModel(m([1.0])).load_state_dict({}), RuntimeError, "(?s)n_averaged"),
]


@pytest.mark.parametrize(("why", "call", "raises", "match"), REFUSALS)
def test_refusals(why, call, raises, match):
    with pytest.raises(raises, match=match):
        call(swa_utils, lambda values: [Parameter(np.array(values))])
    with pytest.raises(raises, match=match):
        call(theirs_, lambda values: torch_list([np.array(values)]))


@pytest.mark.parametrize(("call", "raises", "match"), [
    (lambda: get_ema_avg_fn(math.nan), ValueError, "decay .* nan"),
    (lambda: AveragedModel([1.0]), TypeError, "model .* float"),
    (lambda: AveragedModel(Parameter(np.ones(1))), TypeError, "model .* Parameter"),
    (lambda: AveragedModel(None), TypeError, "model .* NoneType"),
    (lambda: AveragedModel([Parameter(np.ones(1))]).update_parameters([]), ValueError, "model needs 1 parameters, got 0"),
    (lambda: AveragedModel([Parameter(np.ones(2))]).update_parameters([Parameter(np.ones(1))]), RuntimeError,
     r"model needs shape \(2,\) for number 0 of its parameters, got \(1,\)"),
    (lambda: AveragedModel([Parameter(np.ones(1))]).load_state_dict({"n_averaged": np.array(1), "module.0": np.ones(2)}),
     RuntimeError, r"state_dict needs shape \(1,\) for module.0, got \(2,\)")])
def test_what_the_reference_alone_refuses_or_says(call, raises, match):
    with pytest.raises(raises, match=match):
        call()


def test_the_averages_run_on_balls():
    x, y = drawn(4, ((5,),))[0], drawn(5, ((5,),))[0]
    for rule, torchs in ((lambda a, b: averages.running_average(a, b, 2), theirs_.get_swa_avg_fn()),
                         (lambda a, b: averages.exponential_average(a, b, 0.9), theirs_.get_ema_avg_fn(0.9))):
        with arithmetic(Arithmetic.of("float32")):
            found = rule(balls(x), balls(y))
            assert within(torchs(to_tensor(x), to_tensor(y), 2), centre(found), radius(found), "float32")
            assert within(rule(x, y), centre(found), radius(found), "float32")


# The learning rate.

#: Arguments of SWALR.
SETTINGS = [{"swa_lr": lr, "anneal_epochs": n, "anneal_strategy": how} for lr, n, how in itertools.product(
    (0.05, 0.7, 0.0, -1.0, [0.05, 1e-3], (2.0, 0.25)), (0, 1, 2, 4, 10, 33, 150), ("cos", "linear"))]


def _schedules(settings, library, groups=(0.1, 0.003)):
    """An optimizer of either library, and the schedule."""
    make = Parameter if library is swa_utils else lambda a: torch.nn.Parameter(torch.from_numpy(a))
    optimizer = (SGD if library is swa_utils else torch.optim.SGD)(
        [{"params": [make(np.zeros(1))], "lr": lr} for lr in groups], lr=0.1)
    return optimizer, library.SWALR(optimizer, **settings)


def _play(settings, library, steps=200, outside=(), epochs=()):
    optimizer, lr = _schedules(settings, library)
    seen = []
    for step in range(steps):
        seen.append(([group["lr"] for group in optimizer.param_groups], lr.get_last_lr(), lr.last_epoch))
        optimizer.step()
        if step in outside:
            optimizer.param_groups[0]["lr"] *= 1.5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            lr.step(*[step // 2] * (step in epochs))
    return seen


def _within_roundings(mine, other, settings):
    """Each step makes some ten roundings of numbers up to the largest learning rate, which 1 / (1 - α) enlarges.

    The shares of the base are carried, so k steps gather the roundings of k steps; with a T of n the last of the
    denominators is about 2.5 / n².
    """
    swa_lr = settings["swa_lr"]
    largest = max(0.1, *np.abs(np.atleast_1d(swa_lr)))
    n = settings["anneal_epochs"]
    for (x, last, epoch), (y, torchs_last, torchs_epoch) in zip(mine, other, strict=True):
        assert epoch == torchs_epoch
        assert x == last
        assert y == torchs_last
        assert np.abs(np.subtract(x, y)).max() <= 10 * n * 2.0**-53 * largest * max(1, n * n / 2.5)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_learning_rates_are_torchs(settings):
    _within_roundings(_play(settings, swa_utils), _play(settings, theirs_), settings)


def test_most_learning_rates_are_torchs_bit_for_bit():
    pairs = [(x, y) for settings in SETTINGS[::3] for x, y in zip(_play(settings, swa_utils), _play(settings, theirs_),
                                                                  strict=True)]
    assert np.mean([x == y for x, y in pairs]) > 0.5


@pytest.mark.parametrize("settings", SETTINGS[2:20:3], ids=str)
def test_changes_from_outside_and_steps_to_an_epoch_are_torchs(settings):
    options = {"steps": 40, "outside": (1, 4, 5, 20), "epochs": (3, 7, 21)}
    _within_roundings(_play(settings, swa_utils, **options), _play(settings, theirs_, **options), settings)


def test_it_starts_from_the_learning_rate_that_another_schedule_leaves():
    paths = []
    for library, module in ((swa_utils, lr_scheduler), (theirs_, torch.optim.lr_scheduler)):
        optimizer, lr = _schedules({"swa_lr": 0.05, "anneal_epochs": 4}, library)
        before = module.ExponentialLR(optimizer, 0.5)
        path = []
        for step in range(12):
            optimizer.step()
            (before if step < 4 else lr).step()
            path.append(optimizer.param_groups[0]["lr"])
        paths.append(path)
    assert paths[0] == pytest.approx(paths[1], rel=4 * 10 * 2.0**-53 * 16 / 2.5)
    assert paths[0][3] == 0.1 * 0.5**4
    assert paths[0][-1] == 0.05


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
def test_the_recurrence_follows_the_closed_form(anneal_strategy):
    for n in (0, 1, 3, 10):
        lr = base = balls(np.array([0.1]))
        for epoch in range(14):
            lr = schedule.swalr_next(epoch, lr, 0.05, n, anneal_strategy)
            right = schedule.swalr(epoch, base, 0.05, n, anneal_strategy)
            gap = lr - right
            assert np.abs(centre(gap + 0 * base)).max() <= 1e-12
            plain = schedule.swalr(epoch, 0.1, 0.05, n, anneal_strategy)
            assert abs(plain - float(centre(right + 0 * base)[0])) <= 8 * 2.0**-53


def test_states_of_the_schedule_go_to_torch_and_back():
    settings = {"swa_lr": 0.05, "anneal_epochs": 7}
    for first, second in ((swa_utils, theirs_), (theirs_, swa_utils)):
        for stop in range(10):
            optimizer, lr = _schedules(settings, first)
            other, after = _schedules({"swa_lr": 0.9, "anneal_epochs": 2, "anneal_strategy": "linear"}, second)
            for _ in range(stop):
                optimizer.step(), lr.step()
            for group, saved in zip(other.param_groups, optimizer.param_groups, strict=True):
                group.update({key: saved[key] for key in ("lr", "initial_lr", "swa_lr")})
            after.load_state_dict(lr.state_dict())
            for _ in range(10):
                optimizer.step(), other.step(), lr.step(), after.step()
                assert after.get_last_lr() == pytest.approx(lr.get_last_lr(), rel=70 * 2.0**-53 * 20)
            assert {**after.state_dict(), "_last_lr": 0} == {**lr.state_dict(), "_last_lr": 0}


def test_resumed_by_last_epoch_it_goes_on_where_torchs_begins_anew():
    settings = {"swa_lr": 0.5, "anneal_epochs": 8}
    for stop in range(1, 12):
        lrs = []
        for library in (swa_utils, theirs_):
            optimizer, lr = _schedules(settings, library)
            for _ in range(stop):
                optimizer.step(), lr.step()
            resumed = library.SWALR(optimizer, last_epoch=lr.last_epoch - 1, **settings)
            assert resumed.last_epoch == stop
            twin = copy.deepcopy(optimizer)
            for _ in range(4):
                optimizer.step(), resumed.step()
            lrs.append(optimizer.param_groups[0]["lr"])
            del twin
        uninterrupted = _play(settings, swa_utils, steps=stop + 5)[-1][0][0]
        assert lrs[0] == uninterrupted
        assert (lrs[1] == pytest.approx(uninterrupted, rel=1e-9)) == (stop >= 8)


#: What is refused: why, the arguments, kind of error and message.
SCHEDULE_REFUSALS = [
    ("an unknown strategy", {"swa_lr": 0.1, "anneal_strategy": "x"}, ValueError, "anneal_strategy .* '?x'?"),
    ("a negative number of epochs", {"swa_lr": 0.1, "anneal_epochs": -1}, ValueError, "anneal_epochs .* -1"),
    ("half an epoch", {"swa_lr": 0.1, "anneal_epochs": 1.5}, ValueError, r"anneal_epochs .* 1\.5"),
    ("a string of epochs", {"swa_lr": 0.1, "anneal_epochs": "3"}, ValueError, "anneal_epochs .* '?3'?"),
    ("three learning rates for two groups", {"swa_lr": [1.0, 2.0, 3.0]}, ValueError, "swa_lr .* 3"),
    ("a learning rate that is no number", {"swa_lr": "x"}, TypeError, "."),
    ("no learning rate", {"swa_lr": None}, TypeError, "."),
    ("resumed without a base", {"swa_lr": 0.1, "last_epoch": 3}, KeyError, "initial_lr"),
]


@pytest.mark.parametrize(("why", "settings", "raises", "match"), SCHEDULE_REFUSALS)
def test_refusals_of_the_schedule(why, settings, raises, match):
    for library in (swa_utils, theirs_):
        with pytest.raises(raises, match=match):
            _schedules(settings, library)
    with pytest.raises(TypeError):
        SWALR(None, 0.1)


def test_a_group_that_comes_later_has_no_constant_learning_rate():
    for library, parameter in ((swa_utils, Parameter(np.zeros(1))), (theirs_, torch.nn.Parameter(torch.zeros(1)))):
        optimizer, lr = _schedules({"swa_lr": 0.1}, library)
        optimizer.step()
        optimizer.add_param_group({"params": [parameter]})
        with pytest.raises(KeyError, match="swa_lr"):
            lr.step()


def _n(count):
    return lambda average, current, n: averages.running_average(average, current, n + count)


def _copies_never(model):
    original = averaged_model.AveragedModel._average
    return lambda self, pairs: original(self, pairs)


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


#: Mistakes in the schedule: the name that one stands for, and it.
_right_next = schedule.swalr_next
SCHEDULE_MISTAKES = {
    "one step early": lambda epoch, *a: _right_next(epoch + 1 if epoch else 0, *a),
    "one step late": lambda epoch, *a: _right_next(max(epoch - 1, 0), *a),
    "always linear": lambda epoch, lr, swa, n, how: _right_next(epoch, lr, swa, n, "linear"),
    "the shares exchanged": lambda epoch, lr, swa, n, how: _right_next(epoch, swa, lr, n, how),
    "no recurrence": lambda epoch, lr, swa, n, how: schedule.swalr(epoch, lr, swa, n, how),
}


@pytest.mark.parametrize("mistake", SCHEDULE_MISTAKES)
def test_mistakes_in_the_schedule_are_found(mistake, monkeypatch):
    monkeypatch.setattr(schedule, "swalr_next", SCHEDULE_MISTAKES[mistake])

    def differs(settings):
        try:
            _within_roundings(_play(settings, swa_utils, 12), _play(settings, theirs_, 12), settings)
        except AssertionError:
            return True
        return False

    assert any(differs(settings) for settings in SETTINGS)

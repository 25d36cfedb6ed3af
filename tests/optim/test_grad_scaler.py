"""The loss scale against torch's: the same scales, steps and refusals, and what torch divides wrongly."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from oracle.truth.ball import balls, centre
from reference.optim import SGD, Parameter, SparseGrad
from reference.optim.grad_scaler import GradScaler, loss_scale
from reference.optim.grad_scaler import scaler as module
from tests.optim.twin_gradients import DTYPES, array, bits, doubles, drawn, ours, theirs, to_array, to_tensor
from tests.optim.twin_scalers import loss, one, run_through, torch_scaler

SETTINGS = [
    {}, {"init_scale": 4.0, "growth_interval": 1}, {"init_scale": 2.0**126, "growth_interval": 1},
    {"init_scale": 3.0, "growth_factor": 1.1, "backoff_factor": 0.3, "growth_interval": 2},
    {"init_scale": 2.0**-148, "growth_interval": 3}, {"init_scale": 0.1, "growth_factor": 7.0, "growth_interval": 3},
    {"init_scale": 1000.0, "backoff_factor": 0.0, "growth_interval": 2}, {"init_scale": 8.0, "backoff_factor": -1.0}]

#: Whether a gradient is infinite or NaN, update by update.
RUNS = ["......", "x.....", ".x..x.", "..x...x..", "xxxx", "...n..i.....x", ".." * 20]


def history(make, settings, run):
    """The scales and counts of clean updates in a run, until the scale is 0."""
    scaler, seen = make(**settings), []
    scaler.scale(loss(make))
    for found in run:
        optimizer, _ = one(make, {".": 0.0, "x": math.inf, "i": -math.inf, "n": math.nan}[found])
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), scaler.state_dict()["_growth_tracker"]))
        if not seen[-1][0]:
            break
    return seen


@pytest.mark.parametrize("settings", SETTINGS)
def test_scales_follow_torchs_bit_for_bit(settings):
    for run in RUNS:
        assert history(GradScaler, settings, run) == history(torch_scaler, settings, run)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "float16"])
@pytest.mark.parametrize("scale", [4.0, 65536.0, 2.0**-3, 2.0**100])
def test_a_power_of_two_scales_and_unscales_as_in_torch_bit_for_bit(dtype, scale):
    gradients = drawn(2, ((2, 3), (), (40,)), dtype)
    mine, other = ours(gradients), theirs(gradients)
    scalers = GradScaler(init_scale=scale), torch_scaler(init_scale=scale)
    for g in gradients:
        assert bits(scalers[0].scale(g)) == bits(scalers[1].scale(to_tensor(g)))
    scalers[0].unscale_(SGD(mine))
    scalers[1].unscale_(torch.optim.SGD(other))
    assert [bits(p.grad) for p in mine] == [bits(p.grad) for p in other]


@pytest.mark.parametrize("scale", [3.0, 1000.0, 0.1])
def test_another_scale_divides_within_one_rounding_more_of_torch(scale):
    for dtype, steps in (("float32", 2), ("bfloat16", 1)):  # the reciprocal and the product, against one quotient
        gradients = drawn(2, ((301,),), dtype)
        (mine,), (other,) = ours(gradients), theirs(gradients)
        for scaler, optimizer in ((GradScaler(init_scale=scale), SGD([mine])),
                                  (torch_scaler(init_scale=scale), torch.optim.SGD([other]))):
            scaler.scale(loss(type(scaler)) if isinstance(scaler, GradScaler) else torch.tensor(1.0))
            scaler.unscale_(optimizer)
        unit = {"float32": 2.0**-23, "bfloat16": 2.0**-7}[dtype]
        right = doubles(gradients[0]) / float(np.float32(scale))
        assert (np.abs(doubles(mine.grad) - right) <= unit / 2 * np.abs(right)).all()
        assert (np.abs(doubles(other.grad) - right) <= steps * unit * np.abs(right)).all()


@pytest.mark.parametrize("value", [
    np.float16(1), np.array([2.0], np.float16), np.array([1e9]), np.array(3), np.array([True]), np.float32(2),
    np.array([1j], np.complex64), np.array(1j), array(1.0, "bfloat16"), array([1.0], "bfloat16"),
    [np.float32(1), (np.ones(2),)], (), [np.array([1, 2], np.int8)]])
def test_outputs_keep_their_types_as_in_torch(value):
    def tensors(x):
        return type(x)(map(tensors, x)) if isinstance(x, list | tuple) else to_tensor(np.asarray(x))

    def same(x, y):
        if isinstance(x, list | tuple):
            return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
        theirs = y.numpy() if y.is_complex() else to_array(y)
        return (x.dtype, x.shape, x.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())

    for scale in (65536.0, 3.0):
        assert same(GradScaler(init_scale=scale).scale(value), torch_scaler(init_scale=scale).scale(tensors(value)))


def test_an_iterable_is_scaled_when_it_is_read():
    scaled = GradScaler(init_scale=2.0).scale(x for x in [np.ones(1), np.zeros(1)])
    assert isinstance(scaled, map)
    assert isinstance(torch_scaler().scale(x for x in [torch.ones(1)]), map)
    assert [x.item() for x in scaled] == [2, 0]


def test_a_sparse_gradient_is_unscaled_and_looked_at():
    for values, stepped in (([4.0, 8.0], True), ([4.0, math.inf], False), ([math.nan, 1.0], False)):
        p = Parameter(np.zeros(3, np.float32))
        p.grad = SparseGrad([[0, 0]], array(values), (3,))
        scaler = GradScaler(init_scale=4.0)
        scaler.scale(loss(GradScaler))
        scaler.step(SGD([p], lr=1.0))
        assert p.data.tolist() == ([-3, 0, 0] if stepped else [0, 0, 0])
        scaler.update()
        assert scaler.get_scale() == (4 if stepped else 2)


@pytest.mark.parametrize("make", [GradScaler, torch_scaler])
def test_each_optimizer_skips_by_itself_and_the_scale_reacts_to_any(make):
    scaler = make(init_scale=4.0, growth_interval=1)
    scaler.scale(loss(make))
    clean, p = one(make, 4.0)
    spoilt, q = one(make, math.nan)
    assert scaler.step(clean) is None
    assert scaler.step(spoilt) is None
    scaler.update()
    assert (p.data.tolist(), q.data.tolist(), scaler.get_scale()) == ([-1], [0], 2)


def test_what_a_step_gives_is_handed_on():
    class Telling(SGD):
        def step(self, *args, **kwargs):
            super().step()
            return args, kwargs

    p = Parameter(np.zeros(1))
    p.grad = np.array([2.0])
    scaler = GradScaler(init_scale=2.0)
    scaler.scale(np.ones(1))
    assert scaler.step(Telling([p], lr=1.0), 1, b=2) == ((1,), {"b": 2})
    assert p.data == -1


def test_gradients_may_be_clipped_between_unscaling_and_the_step():
    paths = []
    for make in (GradScaler, torch_scaler):
        scaler = make(init_scale=8.0)
        scaler.scale(loss(make))
        optimizer, p = one(make, [24.0, 32.0])
        scaler.unscale_(optimizer)
        assert p.grad.tolist() == [3, 4]
        p.grad[0] = math.inf  # is not looked at again
        scaler.step(optimizer)
        scaler.update()
        paths.append((p.data.tolist(), scaler.get_scale()))
    assert paths[0] == paths[1] == ([-math.inf, -4], 8)


@pytest.mark.parametrize("make", [GradScaler, torch_scaler])
def test_disabled_everything_passes_through(make):
    scaler = make(enabled=False, growth_factor=0.5)
    optimizer, p = one(make, math.inf)
    assert scaler.scale("x") == "x"
    assert scaler.unscale_(optimizer) is None
    scaler.step(optimizer)
    scaler.update(3.0)
    scaler.load_state_dict({"anything": 1})
    assert p.data.tolist() == [-math.inf]
    assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1.0, {})


def _updated(make, value):
    scaler = make(init_scale=4.0)
    scaler.scale(loss(make))
    optimizer, _ = one(make)
    scaler.step(optimizer)
    scaler.update()
    scaler.update(value)
    return scaler


@pytest.mark.parametrize("value", [7.0, 0.1, 0.0, -1.0, math.inf])
def test_a_new_scale_is_a_float32_and_keeps_the_count(value):
    states = [_updated(make, value).state_dict() for make in (GradScaler, torch_scaler)]
    assert states[0] == states[1]
    assert states[0]["_growth_tracker"] == 1


def test_a_new_scale_may_be_any_number_where_torch_asks_for_a_float():
    for value in (7, np.float64(7), np.array(7.0), np.array([7.0]), np.array([[7]])):
        assert _updated(GradScaler, value).get_scale() == 7
    for value, raised in ((7, AttributeError), (torch.tensor([7.0]), RuntimeError)):
        with pytest.raises(raised):
            _updated(torch_scaler, value)


def test_states_go_to_torch_and_back():
    settings = {"init_scale": 3.0, "growth_factor": 1.1, "backoff_factor": 0.3, "growth_interval": 4}
    for first, second in ((GradScaler, torch_scaler), (torch_scaler, GradScaler)):
        for started in (False, True):
            undisturbed, before, after = first(**settings), first(**settings), second()
            for scaler in (undisturbed, before):
                scaler.scale(loss(first))
                run_through(scaler, first, "..x..")
            if started:
                after.scale(loss(second))
            after.load_state_dict(before.state_dict())
            assert after.state_dict() == before.state_dict()
            after.scale(loss(second))
            run_through(after, second, "..x....")
            run_through(undisturbed, first, "..x....")
            assert after.state_dict() == undisturbed.state_dict()


def test_the_state_before_anything_is_scaled_is_torchs():
    assert GradScaler(init_scale=0.1).state_dict() == torch_scaler(init_scale=0.1).state_dict()
    scaler, other = GradScaler(init_scale=0.1), torch_scaler(init_scale=0.1)
    scaler.scale(np.ones(1))
    other.scale(torch.ones(1))
    assert scaler.state_dict() == other.state_dict()
    assert scaler.get_scale() == float(np.float32(0.1))


def test_factors_and_interval_may_be_set():
    for scaler in (GradScaler(), torch_scaler()):
        scaler.set_growth_factor(0.5)  # not asked to be above 1
        scaler.set_backoff_factor(3.0)
        scaler.set_growth_interval(7)
        assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (0.5, 3.0, 7)


def test_between_updates_it_is_pickled_and_copied():
    for make in (GradScaler, torch_scaler):
        scaler = make(init_scale=4.0)
        scaler.scale(loss(make))
        run_through(scaler, make, "..")
        assert pickle.loads(pickle.dumps(scaler)).state_dict() == scaler.state_dict()
        assert copy.deepcopy(scaler).state_dict() == scaler.state_dict()
        scaler.unscale_(one(make)[0])
        with pytest.raises(AssertionError, match="pickle"):
            pickle.dumps(scaler)


def test_torch_multiplies_doubles_by_a_float32():
    found = []
    for make in (GradScaler, torch_scaler):
        scaler = make(init_scale=3.0)
        scaler.scale(loss(make))
        optimizer, p = one(make, 1.0, "float64")
        scaler.unscale_(optimizer)
        found.append(p.grad.item())
    assert found == [1 / 3, float(np.float32(1 / 3))]


def test_torch_steps_by_infinite_gradients_where_the_scale_is_tiny():
    for make, parameter, scale, double in ((GradScaler, 0.0, 2.0**-131, -(2.0**130)),
                                           (torch_scaler, -math.inf, 2.0**-130, -math.inf)):
        scaler = make(init_scale=2.0**-130)
        scaler.scale(loss(make))
        optimizer, p = one(make, 1.0)
        scaler.step(optimizer)
        scaler.update()
        assert (p.data.item(), scaler.get_scale()) == (parameter, scale)
        scaler = make(init_scale=2.0**-130)
        scaler.scale(loss(make))
        optimizer, p = one(make, 1.0, "float64")
        scaler.step(optimizer)
        assert p.data.item() == double


def test_torch_steps_by_nan_once_the_scale_is_0():
    for make, parameter in ((GradScaler, 0.0), (torch_scaler, math.nan)):
        scaler = make(init_scale=2.0**-149)
        scaler.scale(loss(make))
        run_through(scaler, make, "x")
        assert scaler.get_scale() == 0
        optimizer, p = one(make, 0.0)
        scaler.step(optimizer)
        assert np.array_equal(p.data.item(), parameter, equal_nan=True)


def test_torch_never_grows_again_once_the_interval_is_below_the_count():
    scales = []
    for make in (GradScaler, torch_scaler):
        scaler = make(init_scale=4.0, growth_interval=5)
        scaler.scale(loss(make))
        run_through(scaler, make, "...")
        scaler.set_growth_interval(2)
        run_through(scaler, make, "......")
        scales.append(scaler.get_scale())
    assert scales == [4 * 2**3, 4]  # at updates 4, 6 and 8


def test_the_rules_run_on_balls():
    x = balls(np.array([1.0, 3.0]))
    scale = balls(np.array(3.0, np.float32))
    assert centre(loss_scale.unscaled(loss_scale.scaled(x, scale), scale)).tolist() == [1, 3]
    grown, tracker = loss_scale.next_scale(scale, 0, False, growth_factor=2.0, backoff_factor=0.5, growth_interval=1)
    assert (centre(grown), tracker) == (6, 0)


def test_a_training_is_torchs_step_by_step():
    rng = np.random.default_rng(0)
    p, q = Parameter(np.ones(3, np.float32)), torch.nn.Parameter(torch.ones(3))
    runs = [(GradScaler(init_scale=2.0**12, growth_interval=3), SGD([p], lr=0.125), p, np.asarray),
            (torch_scaler(init_scale=2.0**12, growth_interval=3), torch.optim.SGD([q], lr=0.125), q, torch.tensor)]
    for step in range(40):
        g = (rng.standard_normal(3) * (math.inf if step % 11 == 5 else 1)).astype(np.float32)
        for scaler, optimizer, parameter, make in runs:
            parameter.grad = scaler.scale(make(g))
            scaler.step(optimizer)
            scaler.update()
        assert runs[0][0].state_dict() == runs[1][0].state_dict()
        assert bits(p.data) == bits(q)


_right = loss_scale.next_scale


def _late(scale, tracker, found_inf, growth_interval, **options):
    return _right(scale, tracker, found_inf, growth_interval=growth_interval + 1, **options)


def _early(scale, tracker, found_inf, growth_interval, **options):
    return _right(scale, tracker, found_inf, growth_interval=growth_interval - 1, **options)


def _counting_on(scale, tracker, found_inf, **options):
    new, count = _right(scale, tracker, found_inf, **options)
    return new, tracker if found_inf else count


def _unbounded(scale, tracker, found_inf, growth_factor, **options):
    new, count = _right(scale, tracker, found_inf, growth_factor=growth_factor, **options)
    return (scale * np.float32(growth_factor) if not found_inf and count == 0 else new), count


def _in_float32(scale, tracker, found_inf, growth_factor, **options):
    return _right(scale, tracker, found_inf, growth_factor=float(np.float32(growth_factor)), **options)


#: Mistakes in the update of the scale, and in what is looked for.
MISTAKES = {
    "grows one step late": ("next_scale", _late), "grows one step early": ("next_scale", _early),
    "an infinity does not end the count": ("next_scale", _counting_on), "grows to infinity": ("next_scale", _unbounded),
    "factors are float32": ("next_scale", _in_float32),
    "NaN is not looked for": ("isfinite", lambda x: ~np.isinf(x)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.filterwarnings("ignore:overflow")
def test_mistakes_are_found(mistake, monkeypatch):
    monkeypatch.setattr(module, *MISTAKES[mistake])
    assert any(history(GradScaler, settings, run) != history(torch_scaler, settings, run)
               for settings in SETTINGS for run in RUNS)

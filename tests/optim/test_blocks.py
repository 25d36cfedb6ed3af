"""How rules are run over memory changes no bit: packed, cut into blocks, or as a program, it is one and the same."""

from __future__ import annotations

import dataclasses
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from benchmarks.memory import Measured, main
from oracle.cases import registry
from reference.optim import SGD, Adam, Parameter, _blocks
from reference.optim._blocks import BLOCK, SMALL, WORTH_A_PROGRAM, Program, Update, run_updates

ELEMENTWISE = [spec for spec in registry.specs().values() if spec.kind == "optim"
               and spec.name not in ("Adafactor", "LBFGS", "Muon", "SparseAdam")]
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.complex64]


def trained(spec, dtype, sizes, options, together=True):
    """Parameters and state after four steps, of one optimizer or of one for each parameter."""
    rng = np.random.default_rng(0)

    def draw(size):
        values = rng.standard_normal(size)
        return (values + 1j * rng.standard_normal(size) if dtype == np.complex64 else values).astype(dtype)

    params = [Parameter(draw(size)) for size in sizes]
    optimizers = [spec.optimizer(group, **options) for group in ([params] if together else [[p] for p in params])]
    for _ in range(4):
        for p in params:
            p.grad = draw(p.data.size)
        for optimizer in optimizers:
            optimizer.step()
    return [array for optimizer in optimizers for p in optimizer.param_groups[0]["params"]
            for array in (p.data, *(v for v in optimizer.state[p].values() if isinstance(v, np.ndarray)))]


def equal(first, second):
    return len(first) == len(second) and all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def variants(spec):
    """Arguments that lead through every line of a rule: each axis at each value, all others at their default."""
    names = set(spec.parameters)
    yield {}
    for axis in spec.axes:
        yield from ({axis.name: value} for value in axis.values[1:] if axis.name in names and spec.name != "SGD")
    if spec.name == "SGD":
        yield from ({"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True})


@pytest.mark.parametrize("spec", ELEMENTWISE, ids=lambda spec: spec.name)
def test_a_program_does_what_the_rule_does(spec, monkeypatch):
    for options in variants(spec):
        sizes = [WORTH_A_PROGRAM + 7]
        as_program = trained(spec, np.float32, sizes, options)
        with monkeypatch.context() as patch:
            patch.setattr(_blocks, "WORTH_A_PROGRAM", 10**9)
            assert equal(as_program, trained(spec, np.float32, sizes, options)), options


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("spec", ELEMENTWISE, ids=lambda spec: spec.name)
def test_packed_is_the_same_as_alone(spec, dtype, monkeypatch):
    sizes = [0, 1, 5, SMALL, SMALL + 1, *[SMALL - 1] * 9, 3]
    alone = trained(spec, dtype, sizes, {}, together=False)
    assert equal(trained(spec, dtype, sizes, {}), alone)
    monkeypatch.setattr(_blocks, "WORTH_A_PROGRAM", 0)
    assert equal(trained(spec, dtype, sizes, {}), alone)


def test_a_program_that_leaves_something_out_shows(monkeypatch):
    """Planted: a factor of 0.9 is taken for one of 1."""
    spec = registry.get("Adam")
    right = trained(spec, np.float32, [WORTH_A_PROGRAM], {})
    note = Program.note

    def careless(self, function, inputs):
        return note(self, function, [1.0 if isinstance(x, float) and x == 0.9 else x for x in inputs])

    monkeypatch.setattr(Program, "note", careless)
    assert not equal(right, trained(spec, np.float32, [WORTH_A_PROGRAM], {}))


RULES = {
    "swapped": lambda theta, g, a, b: (theta - g, b, a),
    "old values after new ones": lambda theta, g, a, b: (theta + a, a + b, (a + b) * theta),
    "twice the same": lambda theta, g, a, b: (theta * g, theta * g, b),
    "one for two": lambda theta, g, a, b: ((new := theta - 2 * g), new, new),
    "the gradient itself": lambda theta, g, a, b: (theta, g, -g),
    "a factor of 0": lambda theta, g, a, b: (theta * 0, 0.0 * a, b * 0 + g),
    "nothing": lambda theta, g, a, b: (theta, a, b),
    "a branch": lambda theta, g, a, b: (np.where(g > 0, theta, a * 1), np.where(b < 0, 0, np.sign(b)), theta * 1.0),
    "long lives": lambda theta, g, a, b: ((x := theta * g) + (y := a * b) * (x - y) / (x * x + 1), x, y),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_memory_is_not_written_before_it_was_read(rule):
    arrays = [np.random.default_rng(i).standard_normal(10) for i in range(4)]
    wanted = rule(*arrays)
    theta, g, *state = (array.copy() for array in arrays)
    Program(Update.of(rule, theta, g, *state))([theta, g, *state])
    assert equal([theta, *state], wanted)
    assert equal([g], arrays[1:2])


@pytest.mark.parametrize("order", [(0, 1, 0), (0, 0, 1)])
def test_a_parameter_twice_in_a_group_is_updated_twice(order):
    both = p, q = Parameter(np.ones(3)), Parameter(np.ones(3))
    with pytest.warns(UserWarning, match="twice"):
        optimizer = SGD([both[i] for i in order], lr=0.5)
    p.grad = q.grad = np.ones(3)
    optimizer.step()
    assert (p.data == 0).all()
    assert (q.data == 0.5).all()


def test_what_is_not_alike_is_not_packed_together():
    """Of another age, of another dtype, with state and without: each has its own numbers."""
    p, q, r = Parameter(np.zeros(2)), Parameter(np.zeros(2)), Parameter(np.zeros(2, np.float32))
    optimizer = Adam([p, q, r], lr=1.0)
    alone = Parameter(np.zeros(2))
    single = Adam([alone], lr=1.0)
    p.grad = alone.grad = np.array([1.0, 2.0])
    for one in (optimizer, single):
        one.step()
    p.grad = alone.grad = np.array([3.0, -1.0])
    q.grad, r.grad = np.ones(2), np.ones(2, np.float32)
    for one in (optimizer, single):
        one.step()
    assert equal([p.data], [alone.data])
    assert [optimizer.state[x]["step"].item() for x in (p, q, r)] == [2, 1, 1]
    first = Parameter(np.zeros(2))
    first.grad = np.ones(2)
    Adam([first], lr=1.0).step()
    assert equal([q.data], [first.data])
    assert r.data.dtype == np.float32


@pytest.mark.parametrize("order", ["C", "F"])
def test_layouts_that_are_not_contiguous_are_written_back(order):
    whole = np.asarray(np.arange(4.0 * SMALL).reshape(4, SMALL), order=order)
    for view in (whole[:, ::2], whole[::2], whole[:, :3]):
        theta, before = view, view.copy()
        run_updates([Update.of(lambda theta, g: (theta - g,), theta, np.ones_like(theta))] * 1)
        assert (view == before - 1).all()


@pytest.mark.parametrize("spec", [s for s in registry.specs().values() if s.kind == "optim"
                                  and s.name not in ("Adafactor", "LBFGS", "Muon")], ids=lambda spec: spec.name)
def test_a_step_needs_hardly_more_memory_than_what_stays(spec):
    """Of 10⁸ elements under 1 %, by ``python -m benchmarks.memory``; what is needed does not grow with the size."""
    small, large = (Measured(spec, n).beside for n in (2 * WORTH_A_PROGRAM, 8 * WORTH_A_PROGRAM))
    assert large < small + 64 * 1024
    assert large < 64 * BLOCK  # bytes: 16 float32 arrays of a block


def test_a_copy_of_the_parameters_shows():
    """Planted: an optimizer that copies its gradient."""
    class Copies(Adam):
        def _update(self, p, grad, options):
            super()._update(p, grad.copy(), options)

    spec = dataclasses.replace(registry.get("Adam"), optimizer=Copies)
    assert Measured(spec, 8 * WORTH_A_PROGRAM).beside > 4 * 8 * WORTH_A_PROGRAM
    assert not tracemalloc.is_tracing()


def test_the_command_prints_a_table(capsys):
    assert main(["SGD", "--elements", "1e5"]) == 0
    assert "SGD" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["Nothing"])


def test_nothing_of_a_step_is_kept():
    p = Parameter(np.ones(3))
    optimizer = Adam([p])
    p.grad = np.ones(3)
    before = sys.getrefcount(p.grad)
    optimizer.step()
    after = sys.getrefcount(p.grad)  # not within the assertion, which refers to it as well
    assert after == before


def test_a_rule_may_be_extended_from_outside():
    """A subclass that changes the gradient and hands the rest on, as dialects do."""
    class Clipped(Adam):
        def _update(self, p, grad, options):
            super()._update(p, np.clip(grad, -1, 1), options)

    p, q = Parameter(np.zeros(2)), Parameter(np.zeros(2))
    p.grad, q.grad = np.array([5.0, -0.5]), np.array([1.0, -0.5])
    for optimizer in (Clipped([p], eps=1.0), Adam([q], eps=1.0)):
        optimizer.step()
    assert equal([p.data], [q.data])
    assert (p.data != 0).all()

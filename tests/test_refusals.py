"""Whatever an argument of a reference is, an error says which argument is wrong; none is a stumble of the formula.

The tables hold values, not messages: an error counts if it was raised on purpose (the line that raises says so), is of
a kind that torch raises, and names the argument.
"""

from __future__ import annotations

import inspect
import linecache
import math
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from reference import init, losses, optim
from reference.optim import Parameter

#: An argument -> what follows from it, which is out of range, or of another length, where the argument is.
DERIVED = {"gain": "^RuntimeError: (std|low and high) ", "cutoffs": "^RuntimeError: tail must have a pair for each of "}

#: No option has one of these values.
VALUES: dict[str, Any] = {
    "a string": "0.1", "None": None, "three": (1, 2, 3), "one": (0.5,), "NaN": math.nan, "infinity": math.inf,
    "a list": [0.1], "a mapping": {}, "an object": object(), "a complex": 1j, "two elements": np.ones(2)}

#: No array argument is one of these; made anew for the shape of the one that is in its place.
ARRAYS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "objects": lambda a: a.astype(object), "strings": lambda a: a.astype(str), "dates": lambda a: a.astype("M8[s]"),
    "a structure": lambda a: np.zeros(a.shape, [("a", float)]), "a list": lambda a: a.tolist(),
    "a string": lambda a: "x", "None": lambda a: None, "an object": lambda a: object(), "ragged": lambda a: [[1.], []]}

#: Those of torch: AttributeError for a mode, OverflowError for an infinite share of zeros.
KINDS = (ValueError, TypeError, IndexError, RuntimeError, AttributeError, OverflowError)

pytestmark = pytest.mark.filterwarnings("ignore")


def _specs(kind: type[Spec]) -> list[Any]:
    return [spec for spec in registry.specs().values() if isinstance(spec, kind)]


def _last(traceback: TracebackType | None) -> str:
    assert traceback is not None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)


def _stumbles(call: Callable[[], Any], argument: str) -> str | None:
    """What is wrong with the error of a call, if it has one."""
    try:
        call()
    except Exception as error:
        on_purpose = "raise" in _last(error.__traceback__)
        if not on_purpose or not isinstance(error, KINDS) or argument not in str(error):
            return f"{type(error).__name__}: {error}"
    return None


def _options(implementation: Any) -> Iterator[tuple[str, str, Any]]:
    for name, parameter in list(inspect.signature(implementation).parameters.items())[1:]:
        for label, value in VALUES.items():
            if value is not parameter.default:
                yield name, label, value


@pytest.mark.parametrize("spec", _specs(OptimSpec), ids=lambda s: s.name)
def test_optimizers_name_what_they_refuse(spec: OptimSpec) -> None:
    for name, label, value in _options(spec.implementation):
        def steps(name: str = name, value: Any = value) -> None:
            p = Parameter(np.ones((2, 2)))
            optimizer = spec.implementation([p], **{name: value})
            p.grad = np.ones((2, 2)) if not spec.optimizer.takes_sparse or spec.name != "SparseAdam" else \
                optim.SparseGrad([[0]], np.ones((1, 2)), (2, 2))
            optimizer.step(lambda: 1.0)

        assert _stumbles(steps, name) is None, (name, label)


@pytest.mark.parametrize(("optimizer", "options", "kind", "message"), [
    (optim.Adam, {"betas": (1, 2, 3)}, ValueError, r"betas needs to be a tuple of 2 numbers, got \(1, 2, 3\)"),
    (optim.Adam, {"lr": "0.1"}, TypeError, "lr needs to be a number, got '0.1' of type str"),
    (optim.Rprop, {"step_sizes": (1e-6, "50")}, TypeError, r"step_sizes\[1\] needs to be a number, got '50' of type"),
    (optim.Muon, {"ns_steps": 2.5}, TypeError, "ns_steps needs to be a whole number, got 2.5 of type float"),
    (optim.LBFGS, {"max_iter": "20"}, TypeError, "max_iter needs to be a whole number, got '20' of type str"),
    (optim.ASGD, {"t0": math.nan}, ValueError, "t0 needs to be a number, got nan"),
    (optim.SGD, {"maximize": np.ones(2)}, ValueError, r"maximize needs .* got an array of shape \(2,\)")])
def test_optimizers_say_what_was_needed_and_what_came(optimizer: Any, options: dict[str, Any], kind: type[Exception],
                                                      message: str) -> None:
    with pytest.raises(kind, match=message):
        optimizer([Parameter(np.ones(2))], **options)


@pytest.mark.parametrize("data", [np.array([1.0, 2.0], object), np.array(["a"]), np.zeros(2, [("a", float)])])
def test_a_parameter_is_an_array_of_numbers(data: Any) -> None:
    with pytest.raises(RuntimeError, match="data needs a floating or complex dtype, got"):
        Parameter(data)


@pytest.mark.parametrize("spec", _specs(InitSpec), ids=lambda s: s.name)
def test_initializers_name_what_they_refuse(spec: InitSpec) -> None:
    rank = 3 if spec.name == "dirac_" else 2
    needed = {name: 1 for name, p in list(inspect.signature(spec.implementation).parameters.items())[1:]
              if p.default is p.empty}
    for label, make in ARRAYS.items():
        tensor = make(np.zeros((2,) * rank))
        with pytest.raises(TypeError, match="tensor must be a"):
            spec.implementation(tensor, **needed)
        assert _stumbles(lambda tensor=tensor: spec.implementation(tensor, **needed), "tensor") is None, label
    for name, label, value in _options(spec.implementation):
        def fills(name: str = name, value: Any = value) -> None:
            spec.implementation(np.zeros((2,) * rank), **{**needed, name: value})

        wrong = _stumbles(fills, name)
        assert wrong is None or (name in DERIVED and re.search(DERIVED[name], wrong)), (name, label, wrong)


def test_an_initializer_fills_nothing_that_is_read_only() -> None:
    tensor = np.zeros((2, 2))
    tensor.flags.writeable = False
    with pytest.raises(ValueError, match="tensor must be writable, got a read-only array"):
        init.xavier_uniform_(tensor)
    with pytest.raises(TypeError, match="tensor must be a NumPy array, which is filled in place, not list"):
        init.xavier_uniform_([[0.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", _specs(LossSpec), ids=lambda s: s.name)
def test_losses_name_what_they_refuse(spec: LossSpec) -> None:
    case = parse(f"{spec.name}/float32/default")
    old = {"size_average", "reduce"}  # of which torch, too, asks no more than if they are true
    for f in (spec.function, lambda **arguments: spec.backward(case.grad_output, **arguments)):
        for name, parameter in inspect.signature(spec.implementation).parameters.items():
            given = case.inputs.get(name)
            bad = {label: make(given if isinstance(given, np.ndarray) else np.ones(2)) for label, make in
                   ARRAYS.items()} if name in spec.arrays else {} if name in old else VALUES
            for label, value in bad.items():
                if value is parameter.default:
                    continue
                if label in ("objects", "strings", "dates", "a structure") and isinstance(given, np.ndarray):
                    with pytest.raises((TypeError, RuntimeError), match=f"{name} must be"):
                        f(**{**case.inputs, name: value})
                wrong = _stumbles(lambda f=f, name=name, value=value: f(**{**case.inputs, name: value}), name)
                assert (wrong is None or (name, label) in WAIVED
                        or (name in DERIVED and re.search(DERIVED[name], wrong))), (name, label, wrong)


#: Flags are as true as Python has them, in torch as here: an array of several elements is neither.
WAIVED = {("full", "two elements"), ("swap", "two elements"), ("log_input", "two elements"),
          ("log_target", "two elements"), ("zero_infinity", "two elements")}


def test_an_object_array_is_none_of_numbers() -> None:
    with pytest.raises(TypeError, match="input must be an array of numbers, not one of dtype object"):
        losses.mse_loss(np.array([1.0], object), np.ones(1))

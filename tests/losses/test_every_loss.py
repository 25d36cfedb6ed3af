"""Losses against second origins (mpmath, fractions, hand), and against torch's conventions."""

from __future__ import annotations

import inspect
import itertools
import pickle
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.case import Case, leaf, leaves
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec, Refusal
from oracle.targets.pytorch_calls import has_function
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, split
from oracle.truth.scalar import Double
from reference import losses

SPECS: dict[str, LossSpec] = {name: spec for name in ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits")
                              if isinstance(spec := registry.get(name), LossSpec)}
EVERY: dict[str, LossSpec] = {name: spec for name, spec in registry.specs().items() if isinstance(spec, LossSpec)}
ALL = pytest.mark.parametrize("spec", EVERY.values(), ids=list(EVERY))
FUNCTIONS = {name: spec for name, spec in EVERY.items() if has_function(spec)}  # torch has some as a module alone
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The older arguments and broadcasting warn, as they should; tests of warnings ask for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "size_average and reduce|Using a target size|target has shape")
        warnings.filterwarnings("ignore", "reduction: 'mean' divides")  # kl_div's mean, in torch
        yield


def tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.name == "bfloat16":
        return torch.from_numpy(value.astype(np.float32)).bfloat16()
    return torch.from_numpy(value.copy())


def functional(spec: LossSpec) -> Any:
    return getattr(torch.nn.functional, spec.name)


def lifted(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: balls(v) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else Double(v)
            if isinstance(v, float) else v for k, v in arguments.items()}


def finite(spec: LossSpec) -> list[Case]:
    """What no classes give is a convention, which ``losses/test_empty.py`` compares with torch's."""
    return [c for c in cases(spec, "float64") if c.options["regime"] not in ("inf", "nan")
            and c.inputs["input"].dtype.kind == "f" and 0 not in c.inputs["input"].shape[1:]]


# --- second origins: plain loops in mpmath and fractions, element by element ---------------------

def _reduced(each: list[Any], arguments: dict[str, Any], divisor: Any) -> list[Any]:
    reduction = arguments.get("reduction", "mean")
    if arguments.get("reduce") is False:
        reduction = "none"
    elif arguments.get("size_average") is False:
        reduction = "sum"
    return each if reduction == "none" else [sum(each, start=0 * divisor)] if reduction == "sum" else \
        [sum(each) / divisor] if divisor else [None]


def slow_cross_entropy(arguments: dict[str, Any]) -> list[Any]:
    x, y, w = arguments["input"], arguments["target"], arguments.get("weight")
    x = x[None] if x.ndim == 1 else x
    y = y[None] if x.ndim != arguments["input"].ndim else y
    smoothing, classes = mpmath.mpf(max(0.0, arguments.get("label_smoothing", 0.0))), range(x.shape[1])
    weights = [mpmath.mpf(1) if w is None else mpmath.mpf(float(w[c])) for c in classes]
    each, divisor = [], mpmath.mpf(0)
    for n, *place in itertools.product(range(x.shape[0]), *map(range, x.shape[2:])):
        row = [mpmath.mpf(float(x[(n, c, *place)])) for c in classes]
        minus_log_p = [mpmath.log(sum(mpmath.exp(v) for v in row)) - v for v in row]
        if y.shape == x.shape:
            truth = [mpmath.mpf(float(y[(n, c, *place)])) for c in classes]
            divisor += 1
        elif (index := int(y[(n, *place)])) == arguments.get("ignore_index", -100):
            each.append(mpmath.mpf(0))
            continue
        else:
            truth = [mpmath.mpf(c == index) for c in classes]
            divisor += weights[index]
        mixed = [(1 - smoothing) * t + smoothing / len(classes) for t in truth]
        each.append(sum(weights[c] * mixed[c] * minus_log_p[c] for c in classes))
    return _reduced(each, arguments, divisor)


def slow_binary_cross_entropy_with_logits(arguments: dict[str, Any]) -> list[Any]:
    x = arguments["input"]
    columns = [np.broadcast_to(arguments.get(k, 1.0), x.shape).ravel().tolist()
               for k in ("input", "target", "weight", "pos_weight")]
    each = [-w * (v * t * mpmath.log(1 / (1 + mpmath.exp(-a))) + (1 - t) * mpmath.log(1 / (1 + mpmath.exp(a))))
            for a, t, w, v in zip(*[[mpmath.mpf(e) for e in column] for column in columns], strict=True)]
    return _reduced(each, arguments, mpmath.mpf(x.size))


def slow_mse_loss(arguments: dict[str, Any]) -> list[Any]:
    weight = arguments.get("weight")
    arrays = np.broadcast_arrays(arguments["input"], arguments["target"], 1.0 if weight is None else weight)
    each = [Fraction(w) * (Fraction(x) - Fraction(y)) ** 2
            for x, y, w in zip(*(a.ravel().tolist() for a in arrays), strict=True)]
    divisor = Fraction(len(each)) if weight is None else sum(map(Fraction, weight.ravel().tolist()), Fraction(0))
    return _reduced(each, arguments, divisor)


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_values_of_the_formula(spec: LossSpec) -> None:
    """On 200-bit balls the formula encloses what the loops give.

    The loops have 1200 bits, so that their own error, on numbers below 2**15, is far below 2**-1074.
    """
    for case in finite(spec):
        with mpmath.workprec(1200):
            expected = globals()[f"slow_{spec.name}"](case.inputs)
            with arithmetic(Arithmetic.exact(200)):
                hi, lo, rad = (a.ravel() for a in split(spec.function(**lifted(case.inputs))))
            assert len(expected) == hi.size
            for want, h, low, r in zip(expected, hi.tolist(), lo.tolist(), rad.tolist(), strict=True):
                if want is None:
                    assert np.isnan(h), case.id
                    continue
                got = mpmath.mpf(h) + mpmath.mpf(low)
                want = mpmath.mpf(want.numerator) / want.denominator if isinstance(want, Fraction) else want
                # the ball, and its midpoint rounded to two doubles (2**-105, or the least double)
                assert abs(got - want) <= r + abs(want) * mpmath.mpf(2) ** -105 + mpmath.mpf(2) ** -1074, case.id


def test_values_by_hand() -> None:
    logits, y = np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([1, 0])
    ln = np.log
    # -log(3/4) and -log(1/2); each float64 logarithm is right to 1 ulp, at most 4 of them below 2 enter
    assert np.abs(losses.cross_entropy(logits, y, reduction="none") - [ln(4 / 3), ln(2)]).max() <= 8 * 2.0**-52
    with pytest.raises(IndexError):
        losses.cross_entropy(logits, y + 1)
    assert losses.cross_entropy(np.zeros((2, 1)), np.array([0, 0])) == 0
    assert np.isnan(losses.cross_entropy(logits, np.array([-100, -100])))
    assert losses.cross_entropy(logits, np.array([-100, -100]), reduction="sum") == 0
    assert losses.cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000
    assert losses.mse_loss(np.array([1.0, 4.0]), np.array([0.0, 2.0])) == 2.5
    assert losses.mse_loss(np.array([1.0, 4.0]), np.array([0.0, 2.0]), weight=np.array([1.0, 3.0])) == 3.25
    bce = losses.binary_cross_entropy_with_logits
    assert bce(np.array([1000.0, -1000.0]), np.array([0.0, 1.0]), reduction="none").tolist() == [1000, 1000]
    assert bce(np.array([1000.0, -1000.0]), np.array([1.0, 0.0]), reduction="sum") == 0
    gradient = losses.binary_cross_entropy_with_logits_backward(np.array(1.0), np.zeros(2), np.array([0.0, 1.0]))
    assert gradient[0] is not None
    assert gradient[0].tolist() == [0.25, -0.25]


# --- torch's conventions -------------------------------------------------------------------------

@ALL
def test_signatures_are_those_of_torch(spec: LossSpec) -> None:
    def plain(f: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(f).parameters.values()]

    def theirs(f: Any) -> list[tuple[str, Any]]:
        return [(name, default) for name, default in plain(f) if name not in spec.omitted]

    module = getattr(losses, spec.module)
    assert spec.name not in FUNCTIONS or plain(spec.function) == theirs(functional(spec))
    assert plain(spec.backward) == [("grad_output", inspect.Parameter.empty), *plain(spec.function)]
    assert plain(module) == theirs(getattr(torch.nn, spec.module))
    assert [name for name, _ in plain(spec.function) if name in spec.arrays] == sorted(
        spec.arrays, key=list(inspect.signature(spec.function).parameters).index)


@pytest.mark.parametrize(("spec", "refusal"), [(s, r) for s in EVERY.values() for r in s.refusals],
                         ids=[f"{s.name}-{r.why}" for s in EVERY.values() for r in s.refusals])
def test_refusals(spec: LossSpec, refusal: Refusal) -> None:
    with pytest.raises(refusal.raises, match=refusal.match) as ours:
        spec.function(**refusal.arguments)
    assert type(ours.value) is refusal.raises
    with pytest.raises(refusal.raises, match=refusal.match):
        spec.backward(np.array(1.0), **refusal.arguments)
    with pytest.raises(refusal.torch_raises or refusal.raises) as theirs:
        call_torch(spec, refusal.arguments)
    assert type(theirs.value) is (refusal.torch_raises or refusal.raises)


def call_torch(spec: LossSpec, arguments: dict[str, Any]) -> Any:
    if spec.name in FUNCTIONS:
        return functional(spec)(**{k: tensor(v) for k, v in arguments.items()})
    assert spec.held is not None
    constructor, held = spec.held(arguments)
    module = getattr(torch.nn, spec.module)(**constructor)
    for path, name in held.items():
        module.get_parameter(name).data = tensor(leaf(arguments, path))
    return module(*(tensor(v) for k, v in arguments.items() if k in ("input", "target")))


def torch_outputs(case: Case) -> list[torch.Tensor | None]:
    """torch's value, and its gradient for each array for which it has one."""
    assert isinstance(case.spec, LossSpec)
    arguments = {k: tensor(v) for k, v in case.inputs.items()}
    outputs: list[torch.Tensor | None] = [functional(case.spec)(**arguments)]
    for name in case.spec.arrays:
        outputs.append(None)
        if isinstance(arguments.get(name), torch.Tensor) and arguments[name].is_floating_point():
            leaf = arguments[name].clone().requires_grad_()
            try:
                functional(case.spec)(**{**arguments, name: leaf}).backward(tensor(case.grad_output))
            except RuntimeError as error:
                # the reasons that torch gives for having none
                assert "not differentiable" in str(error) or "not require grad" in str(error)  # noqa: PT017
            outputs[-1] = leaf.grad
    return outputs


def reference_outputs(case: Case) -> list[Array | None]:
    assert isinstance(case.spec, LossSpec)
    return [case.spec.function(**case.inputs), *case.spec.backward(case.grad_output, **case.inputs)]


@pytest.mark.parametrize("spec", FUNCTIONS.values(), ids=list(FUNCTIONS))
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_types_and_shapes_are_those_of_torch(spec: LossSpec, dtype: str) -> None:
    """Also: read-only arguments are taken, and 0-d results are arrays."""
    if dtype not in spec.dtypes:
        pytest.skip(f"torch's {spec.name} has no kernel for {dtype}")
    for case in cases(spec, dtype)[::3]:
        ours, theirs = reference_outputs(case), torch_outputs(case)
        assert [a is None for a in ours] == [b is None for b in theirs], case.id
        for a, b in zip(ours, theirs, strict=True):
            if a is not None and b is not None:
                assert type(a) is np.ndarray
                assert (a.dtype.name, a.shape) == (str(b.dtype).removeprefix("torch."), tuple(b.shape)), case.id


def test_defects_of_torch_that_the_docstrings_name() -> None:
    """Each of these fails when torch mends it; then the docstring has to change."""
    bad = torch.tensor([[0.0, float("nan")], [0.0, 1.0]], requires_grad=True)
    torch.nn.functional.cross_entropy(bad, torch.tensor([-100, 0])).backward()
    assert bad.grad is not None
    assert bad.grad[0].isnan().all()
    gradient = losses.cross_entropy_backward(np.array(1.0), bad.detach().numpy(), np.array([-100, 0]))[0]
    assert gradient is not None
    assert (gradient[0] == 0).all()

    half = np.array([[3e4, -3e4]] * 3, np.float16) / np.float16(2)
    y = np.ones(3, np.int64)
    assert torch.nn.functional.cross_entropy(tensor(half), tensor(y)).isinf()
    assert losses.cross_entropy(half, y) == np.float16(30000)

    x, t = np.array([-20.0, -np.inf], np.float32), np.array([0.0, 1.0], np.float32)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(tensor(x), tensor(t), reduction="none")
    assert theirs[0] == 0
    assert theirs[1].isnan()
    ours = losses.binary_cross_entropy_with_logits(x, t, reduction="none")
    # log1p(exp(-20)) has a condition number near 1: each of 3 roundings costs half an ulp of 2.06e-9
    assert abs(float(ours[0]) - float(mpmath.log1p(mpmath.exp(-20)))) <= 3 * np.spacing(ours[0])
    assert ours[1] == np.inf

    with pytest.raises(RuntimeError):
        torch.nn.functional.cross_entropy(torch.zeros(3), torch.tensor([1]), label_smoothing=0.1)
    row = np.zeros(3)
    assert (losses.cross_entropy(row, np.array([1]), label_smoothing=0.1)
            == losses.cross_entropy(row, np.array(1), label_smoothing=0.1))


def test_mixed_types() -> None:
    x = {d: np.ones((2, 3), ml_dtypes.bfloat16 if d == "bfloat16" else d)
         for d in ("float16", "bfloat16", "float32", "float64", "int64", "uint8")}
    for a, b in itertools.product(x, x):
        for spec in SPECS.values():
            try:
                theirs = functional(spec)(tensor(x[a]), tensor(x[b]))
            except RuntimeError as error:
                with pytest.raises(type(error)):
                    spec.function(x[a], x[b])
                continue
            ours = spec.function(x[a], x[b])
            assert f"torch.{ours.dtype.name}" == str(theirs.dtype), (spec.name, a, b)


def test_weighted_integers_and_complex_numbers() -> None:
    for dtype in (np.int64, np.complex64):
        x, y, w = (np.array(v, dtype) for v in ([1, 2], [3, 3], [1, 3]))
        for reduction in ("none", "sum", "mean"):
            ours = losses.mse_loss(x, y, reduction=reduction, weight=w)
            theirs = torch.nn.functional.mse_loss(tensor(x), tensor(y), reduction=reduction, weight=tensor(w))
            assert (f"torch.{ours.dtype.name}", ours.tolist()) == (str(theirs.dtype), theirs.tolist())
    z = np.array([1 + 2j, 2 - 1j])
    leaf = tensor(z).requires_grad_()
    weight = np.array([1.0, 3.0])
    torch.nn.functional.mse_loss(leaf, tensor(z * 2), reduction="none", weight=tensor(weight)).backward(tensor(z))
    ours_grad = losses.mse_loss_backward(z, z, z * 2, reduction="none", weight=weight)[0]
    assert leaf.grad is not None
    assert ours_grad is not None
    assert ours_grad.tolist() == leaf.grad.tolist()  # small integers: exact


def test_longdouble_is_kept() -> None:
    x = np.array([[0.5, -1.0]], np.longdouble)
    assert losses.cross_entropy(x, np.array([0])).dtype == np.longdouble
    assert losses.mse_loss(x, x).dtype == np.longdouble
    assert losses.binary_cross_entropy_with_logits(x, x).dtype == np.longdouble
    smooth = losses.cross_entropy(x.astype(np.float32), np.array([0]), label_smoothing=np.float64(0.1))  # type: ignore[arg-type]
    assert smooth.dtype == np.float32


def test_warnings_point_at_the_caller() -> None:
    x = np.zeros((2, 3))
    for call in (lambda: losses.mse_loss(x, x, size_average=False),
                 lambda: losses.cross_entropy(x, np.array([0, 1]), reduce=False),
                 lambda: losses.binary_cross_entropy_with_logits(x, x, reduce=True),
                 lambda: losses.mse_loss(x, x[0]),
                 lambda: losses.MSELoss(reduce=False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [(w.category, w.filename) for w in caught] == [(UserWarning, __file__)]


# --- modules -------------------------------------------------------------------------------------

def test_modules() -> None:
    x, y, w = np.array([[1.0, 2.0, 3.0]]), np.array([0]), np.array([1.0, 2.0, 3.0])
    module = losses.CrossEntropyLoss(w, label_smoothing=0.1)
    assert module(x, y) == losses.cross_entropy(x, y, w, label_smoothing=0.1)
    assert module(input=x, target=y) == module.forward(x, y)
    copy = pickle.loads(pickle.dumps(module))
    assert type(copy) is losses.CrossEntropyLoss
    assert copy(x, y) == module(x, y)
    assert repr(module) == "CrossEntropyLoss(weight=array([1., 2., 3.]), label_smoothing=0.1)"
    assert repr(losses.MSELoss()) == "MSELoss()"
    with pytest.warns(UserWarning, match="reduction='sum'"):
        summing = losses.BCEWithLogitsLoss(size_average=False)
    assert vars(summing) == {"weight": None, "pos_weight": None, "reduction": "sum"}
    assert summing(x, x) == losses.binary_cross_entropy_with_logits(x, x, reduction="sum")
    with pytest.raises(TypeError, match="weights"):
        losses.MSELoss(weights=w)
    with pytest.raises(TypeError, match="weight"):
        losses.MSELoss()(x, x, weight=w)


@ALL
def test_module_classes(spec: LossSpec) -> None:
    module = getattr(losses, spec.module)
    assert (module.__name__, module.__qualname__) == (spec.module, spec.module)
    assert module.__module__ == spec.function.__module__
    if spec.held is None:  # the others have no docstring and constructor from their spec
        assert (spec.function.__doc__ or "").splitlines()[0] in module.__doc__
        assert repr(module()) == f"{spec.module}()"


@ALL
def test_sized(spec: LossSpec) -> None:
    arguments = spec.sized(1000, np.random.default_rng(0))
    first = arguments[spec.arrays[0]]
    assert first.dtype == np.float32
    assert 500 <= first.size <= 2000
    assert all(np.all(np.isfinite(value)) for _, value in leaves("output", spec.function(**arguments)))

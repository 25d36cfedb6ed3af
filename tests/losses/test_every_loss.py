"""Every loss against torch's conventions: signatures, refusals, types, warnings, modules."""

from __future__ import annotations

import inspect
import itertools
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from oracle.cases import registry
from oracle.cases.case import Case, leaf, leaves
from oracle.cases.selection import cases
from oracle.cases.spec import LossSpec, Refusal
from oracle.targets.pytorch_calls import has_function
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
    for case in cases(spec, dtype, around=False)[::3]:
        ours, theirs = reference_outputs(case), torch_outputs(case)
        assert [a is None for a in ours] == [b is None for b in theirs], case.id
        for a, b in zip(ours, theirs, strict=True):
            if a is not None and b is not None:
                assert type(a) is np.ndarray
                assert (a.dtype.name, a.shape) == (str(b.dtype).removeprefix("torch."), tuple(b.shape)), case.id


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

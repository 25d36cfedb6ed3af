"""A case of somebody's own arrays: what a case of the audit is, but that nobody has drawn it."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cases import registry
from ..cases.case import Case, leaves
from ..cases.spec import LossSpec, Spec
from .arrays import as_numpy, is_array, storage_of

__all__ = ["Given", "forward_only", "given_loss", "named_spec"]

Array = np.ndarray[Any, Any]


class Given(Case):
    """A case with inputs that were handed in; nothing of it is kept on disk, since no id stands for it."""

    @property
    def shipped(self) -> bool:
        """It is not, whatever its spec."""
        return False

    @classmethod
    def of(cls, spec: Spec, dtype: str, **given: Any) -> Given:
        """A case of these ``inputs``, this ``grad_output``, and the ``id`` that messages call it by."""
        case = cls(spec, dtype, spec.defaults)
        vars(case).update(given)  # in the place of what is drawn when it is asked for
        return case

    def changed(self, spec: Spec | None = None, **given: Any) -> Given:
        """The same case by another spec, or of other inputs."""
        kept = {name: vars(self)[name] for name in ("inputs", "grad_output", "id") if name in vars(self)}
        return Given.of(spec or self.spec, self.dtype, **kept | given)

    @property
    def differentiates(self) -> bool:
        """Are gradients asked for?"""
        return getattr(self.spec, "backward", None) is not _no_gradients

    @property
    def size(self) -> int:
        """How many elements its arrays have."""
        return sum(a.size for name, value in self.inputs.items() for _, a in leaves(name, value)
                   if isinstance(a, np.ndarray))


def named_spec(op: str) -> Spec:
    """The spec of an op.

    Raises:
        ValueError: there is none of that name.
    """
    specs = registry.specs()
    if op not in specs:
        near = difflib.get_close_matches(str(op), specs, 3, 0.5)
        raise ValueError(f"op needs torch's name of a loss, optimizer or initializer; {op!r} came"
                         + (f" (is it {' or '.join(near)}?)" if near else f"; there are {', '.join(specs)}"))
    return specs[op]


def given_loss(spec: LossSpec, arguments: Mapping[str, Any], grad_output: Any, *, gradients: bool) -> Given:
    """The case of a loss's arguments, by torch's names.

    Args:
        spec: of the loss.
        arguments: arrays of any framework, and options.
        grad_output: the gradient from above, 1 by default where the loss is one number.
        gradients: are any asked for? Without them the backward formula is not run.

    Raises:
        ValueError: a name that the op does not have, one that is missing, or a value or shape that it refuses.
        TypeError: what should be an array is none, or has no storage type.
    """
    _check_names(spec, arguments)
    inputs = {name: _converted(name, value) for name, value in arguments.items()}
    floating = {path: a for name in spec.arrays if name in inputs for path, a in leaves(name, inputs[name])
                if isinstance(a, np.ndarray) and a.dtype.kind not in "biu"}
    for path, array in floating.items():
        storage_of(path, array)
    if not floating:
        raise TypeError(f"{spec.arrays[0]} needs floating numbers; {_said(inputs.get(spec.arrays[0]))} came")
    if len({a.dtype.name for a in floating.values()}) > 1:
        came = ", ".join(f"{path} in {a.dtype.name}" for path, a in floating.items())
        raise TypeError(f"{spec.name} is judged in one storage type, which all its arrays have; {came} came")
    result = _asked(spec, inputs)
    dtype = storage_of("the result", np.asarray(next(iter(leaves("", result)))[1]))
    upstream = _upstream(result, grad_output, dtype) if gradients else _zeros_like(result)
    return Given.of(spec if gradients else forward_only(spec), dtype, inputs=inputs, grad_output=upstream,
                    result=result, id=_label(spec, inputs, dtype))


def _check_names(spec: LossSpec, arguments: Mapping[str, Any]) -> None:
    known = inspect.signature(spec.function).parameters
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise ValueError(f"{spec.name} has no argument {name!r}" + (f"; is it {near[0]}?" if near else "")
                             + f" It takes {', '.join(known)}")
    missing = [name for name, p in known.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise ValueError(f"{spec.name} needs {' and '.join(missing)}; {', '.join(arguments) or 'nothing'} came")


def _converted(name: str, value: Any) -> Any:
    """An argument with NumPy's arrays; index types other than torch's become int64, which has the same numbers."""
    if isinstance(value, tuple | list):
        return tuple(_converted(f"{name}[{i}]", one) for i, one in enumerate(value))
    if not is_array(value):
        return value
    array = as_numpy(name, value)
    if array.dtype.kind in "iu" and array.dtype not in (np.int64, np.uint8):
        array = array.astype(np.int64)
    kept = array.view()
    kept.flags.writeable = False
    return kept


def _asked(spec: LossSpec, inputs: Mapping[str, Any]) -> Any:
    """What the reference answers in the storage type; its refusals become those of bad use."""
    try:
        with np.errstate(all="ignore"):
            return spec.function(**inputs)
    except (TypeError, AttributeError) as error:
        raise TypeError(f"{spec.name}: {error}") from None
    except (ValueError, RuntimeError, IndexError, NotImplementedError) as error:
        raise ValueError(f"{spec.name}: {error}") from None


def _upstream(result: Any, grad_output: Any, dtype: str) -> Any:
    """The gradient from above, checked: of the result's shape and dtype."""
    several = isinstance(result, tuple)
    results = result if several else (result,)
    if grad_output is None:
        if any(one.shape != () for one in results):
            raise ValueError(f"grad_output is missing: gradients of a result of shape {results[0].shape} need it")
        given: tuple[Any, ...] = tuple(np.ones((), one.dtype) for one in results)
    else:
        given = tuple(grad_output) if several else (grad_output,)
        given = tuple(as_numpy("grad_output", g) for g in given)
    if len(given) != len(results):
        raise ValueError(f"grad_output needs {len(results)} arrays, one for each result; {len(given)} came")
    for g, one in zip(given, results, strict=True):
        if g.shape != one.shape:
            raise ValueError(f"grad_output needs the shape of the result, {one.shape}; {g.shape} came")
        if g.dtype != one.dtype:
            raise TypeError(f"grad_output needs the dtype of the result, {dtype}; {g.dtype} came")
    return given if several else given[0]


def _zeros_like(result: Any) -> Any:
    return tuple(map(np.zeros_like, result)) if isinstance(result, tuple) else np.zeros_like(result)


def forward_only(spec: LossSpec) -> LossSpec:
    """The loss without its backward formula, which is then not run."""
    return dataclasses.replace(spec, backward=_no_gradients, arrays=())


def _no_gradients(upstream: Any, **arguments: Any) -> tuple[Any, ...]:
    return ()


def _label(spec: Spec, inputs: Mapping[str, Any], dtype: str) -> str:
    """How messages call the case: op, type, arguments."""
    shown = ", ".join(f"{name}={_said(value)}" for name, value in inputs.items() if value is not None)
    return f"{spec.name}({shown}) in {dtype}"


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype.name}{list(value.shape)}"
    return f"({', '.join(map(_said, value))})" if isinstance(value, tuple) else repr(value)

"""How the dialects of losses are made: from the reference, called, scaled or averaged in another way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import numerics, reduction

from ..cases.spec import LossSpec

__all__ = ["Arguments", "Array", "Change", "called", "changed", "divisor", "mean_of_losses", "mean_over",
           "reduced", "reduction_of", "scaled", "upstream", "with_reduction"]

Array = np.ndarray[Any, Any]
Change = Callable[[LossSpec], LossSpec]
Arguments = Mapping[str, Any]  #: of a call, by name


def changed(function: Callable[..., Any] | None = None, backward: Callable[..., Any] | None = None) -> Change:
    """``function(spec, **arguments)`` and ``backward(spec, grad_output, **arguments)`` in the reference's place."""

    def change(spec: LossSpec) -> LossSpec:
        def bound(new: Callable[..., Any] | None, old: Callable[..., Any]) -> Callable[..., Any]:
            return old if new is None else numerics.ieee(lambda *args, **kwargs: new(spec, *args, **kwargs))

        return dataclasses.replace(spec, function=bound(function, spec.function),
                                   backward=bound(backward, spec.backward))

    return change


def called(change: Callable[[Arguments], Arguments]) -> Change:
    """The reference, called with other arguments; those that are differentiated stay what they are."""
    return changed(lambda spec, **a: spec.function(**{**a, **change(a)}),
                    lambda spec, g, **a: spec.backward(g, **{**a, **change(a)}))


def scaled(factor: Callable[[Arguments], Any]) -> Change:
    """The reference times a factor."""

    def function(spec: LossSpec, **a: Any) -> Array:
        loss = spec.function(**a)
        return numerics.cast(loss * factor(a), loss.dtype)

    return changed(function, lambda spec, g, **a: spec.backward(numerics.cast(g * factor(a), g.dtype), **a))


def reduction_of(a: Arguments) -> str:
    return reduction.resolve(a.get("reduction", "mean"), size_average=a.get("size_average"), reduce=a.get("reduce"),
                             extra=("batchmean",))


def reduced(a: Arguments, to: str) -> dict[str, Any]:
    return {k: v for k, v in a.items() if k not in ("size_average", "reduce")} | {"reduction": to}


def with_reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the argument ``reduction``, from one that calls it ``reduction_``: it uses the module too."""
    return lambda *args, reduction="mean", **kwargs: function(*args, reduction_=reduction, **kwargs)


def upstream(g: Array, a: Arguments, count: int) -> Any:
    """The gradient that reaches each of so many losses."""
    return numerics.widen(g) / count if reduction_of(a) == "mean" else numerics.widen(g)


def divisor(a: Arguments, count: int) -> int:
    """What a reduction divides the sum of so many losses by."""
    kind = reduction_of(a)
    if kind == "mean":
        return count
    if kind == "batchmean":
        return int(a["input"].shape[0]) if a["input"].ndim else 1
    return 1


def mean_over(count: Callable[[Arguments], Any]) -> Change:
    """A mean that is the sum divided by something else."""

    def function(spec: LossSpec, **a: Any) -> Array:
        if reduction_of(a) != "mean":
            return np.asanyarray(spec.function(**a))
        total = spec.function(**reduced(a, "sum"))
        return numerics.cast(numerics.widen(total) / count(a), total.dtype)

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if reduction_of(a) != "mean":
            return spec.backward(g, **a)
        return spec.backward(numerics.cast(numerics.widen(g) / count(a), g.dtype), **reduced(a, "sum"))

    return changed(function, backward)


def mean_of_losses(count: Callable[[Array], Any]) -> Change:
    """A mean that is the sum of all losses divided by something that depends on them."""

    def function(spec: LossSpec, **a: Any) -> Array:
        if reduction_of(a) != "mean":
            return np.asanyarray(spec.function(**a))
        each = spec.function(**reduced(a, "none"))
        return numerics.cast(np.sum(numerics.widen(each)) / count(each), each.dtype)

    def backward(spec: LossSpec, g: Array, **a: Any) -> Any:
        if reduction_of(a) != "mean":
            return spec.backward(g, **a)
        each = spec.function(**reduced(a, "none"))
        g = numerics.cast(np.broadcast_to(numerics.widen(g) / count(each), each.shape, subok=True), g.dtype)
        return spec.backward(g, **reduced(a, "none"))

    return changed(function, backward)

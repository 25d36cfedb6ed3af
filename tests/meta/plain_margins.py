"""The reference as a class, of which a mistake replaces the forward or the backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.cases import registry
from tests.meta.plain_losses import Array, reduction_name

__all__ = ["ReferenceLoss", "changed", "modern", "reduced", "reduction_of"]


class ReferenceLoss:
    """A loss whose forward, backward or both are wrong."""

    op: str

    def forward(self, **arguments: Any) -> Array:
        return registry.get(self.op).implementation(**modern(arguments))  # type: ignore[no-any-return]

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradients = registry.get(self.op).backward(grad_output, **modern(arguments))  # type: ignore[attr-defined]
        return gradients  # type: ignore[no-any-return]


def reduction_of(arguments: dict[str, Any]) -> str:
    return reduction_name(arguments.get("reduction", "mean"), arguments.get("size_average"), arguments.get("reduce"))


def reduced(each: Any, arguments: dict[str, Any], divisor: Any = None) -> Array:
    each = np.asarray(each, np.float32)
    if reduction_of(arguments) == "none":
        return each
    if reduction_of(arguments) == "sum":
        return np.asarray(each.sum())
    return np.asarray(each.sum() / (divisor or each.size or np.nan))


def modern(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the older pair, of which the reference warns."""
    kept = {k: v for k, v in arguments.items() if k not in ("size_average", "reduce")}
    return {**kept, "reduction": reduction_of(arguments)}


def changed(arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**arguments, **changes}

"""Losses as kernels: terms over parts of flat arrays, a total, and gradients likewise.

Each method is what one mistake replaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

__all__ = ["NumpyAbsolute", "NumpyLogits", "NumpyRows", "NumpySquare", "TorchAbsolute", "TorchLogits", "TorchRows",
           "TorchSquare"]

Array = np.ndarray[Any, Any]


class Loss:
    """What is the same in all frameworks."""

    modes: ClassVar[Mapping[str, Sequence[Any]]] = {"target": ["same"], "regime": ["moderate"]}

    def term(self, x: Any, y: Any) -> Any:
        """The loss of each element."""
        raise NotImplementedError

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        """Its derivatives."""
        raise NotImplementedError

    def forward(self, x: Any, y: Any, reduction: str) -> Any:
        """The loss."""
        shape, x, y = self.shape(x), self.gather(x, "input"), self.gather(y, "target")
        out = self.zeros(x, len(x))
        for part in self.parts(len(x)):
            self.store(out, part, self.term(x[part], y[part]))
        if reduction == "none":
            return out.reshape(shape)
        return self.mean(out) if reduction == "mean" else self.total(out)

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        """Its gradients."""
        shape, x, y = input.shape, self.gather(input, "input"), self.gather(target, "target")
        up = self.upstream(grad_output, len(x), reduction)
        up = up.reshape(up.shape + (1,) * (x.ndim - 1))
        found = [self.gather(x, "gradient") for _ in self.slopes(x[:0], y[:0])]
        for part in self.parts(len(x)):
            for array, slope in zip(found, self.slopes(x[part], y[part]), strict=True):
                self.store(array, part, up[part] * slope)
        return tuple(array.reshape(shape) for array in found)

    def upstream(self, g: Any, n: int, reduction: str) -> Any:
        """What comes from above, for each element."""
        if reduction == "none":
            return self.gather(g, "upstream").reshape(-1)
        return self.repeat(g / n if reduction == "mean" else g, n)

    def shape(self, x: Any) -> tuple[int, ...]:
        """The shape of a result that is not reduced."""
        return tuple(x.shape)

    def parts(self, n: int) -> Iterator[Any]:
        """Indices of the elements that are handled together."""
        yield slice(0, n)

    def store(self, array: Any, part: Any, value: Any) -> None:
        """Write the elements of a part."""
        array[part] = value

    def total(self, terms: Any) -> Any:
        """The sum of all terms."""
        return terms.sum()

    def mean(self, terms: Any) -> Any:
        """The mean of all terms."""
        return self.total(terms) / len(terms)

    def gather(self, array: Any, role: str) -> Any:
        """A flat copy of an array."""
        raise NotImplementedError

    def zeros(self, like: Any, n: int) -> Any:
        """Zeros of the same type."""
        raise NotImplementedError

    def repeat(self, value: Any, n: int) -> Any:
        """A number, n times."""
        raise NotImplementedError


class NumpyLoss(Loss):
    """Over NumPy's arrays."""

    def __call__(self, input: Any, target: Any, reduction: str = "mean") -> Any:
        return self.forward(input, target, reduction)

    def gather(self, array: Any, role: str) -> Any:
        return array.flatten()

    def zeros(self, like: Any, n: int) -> Any:
        return np.zeros(n, like.dtype)

    def repeat(self, value: Any, n: int) -> Any:
        return np.full(n, value)


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: TorchLoss, x: Any, y: Any, reduction: str) -> Any:
        ctx.loss, ctx.reduction = loss, reduction
        ctx.save_for_backward(x, y)
        return loss.forward(x, y, reduction)

    @staticmethod
    def backward(ctx: Any, *above: Any) -> Any:
        x, y = ctx.saved_tensors
        found = ctx.loss.backward(*above, x, y, ctx.reduction)
        return None, found[0], found[1] if len(found) > 1 else None, None


class TorchLoss(Loss):
    """Over tensors."""

    def __call__(self, input: Any, target: Any, reduction: str = "mean") -> Any:
        return _Apply.apply(self, input, target, reduction)

    def gather(self, array: Any, role: str) -> Any:
        return array.clone(memory_format=torch.contiguous_format).reshape(-1)

    def zeros(self, like: Any, n: int) -> Any:
        return torch.zeros(n, dtype=like.dtype)

    def repeat(self, value: Any, n: int) -> Any:
        return value.repeat(n)


class _Square:
    def term(self, x: Any, y: Any) -> Any:
        """(x - y)²."""
        return (x - y) * (x - y)

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        """Of x and y."""
        return 2 * (x - y), -2 * (x - y)


class _Absolute:
    def term(self, x: Any, y: Any) -> Any:
        """|x - y|."""
        return abs(x - y)

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        """Of x and y."""
        sign = (x > y) * 1.0 - (x < y) * 1.0
        return sign, -sign


class _Rows:
    """Cross-entropy of rows and class indices."""

    modes: ClassVar[Mapping[str, Sequence[Any]]] = {
        "target": ["index"], "shape": ["4x5", "1x3", "6x1"], "regime": ["moderate"], "ignore_index": ["none"],
        "label_smoothing": [0.0], "weight": ["none"]}

    def shape(self, x: Any) -> tuple[int, ...]:
        """One result a row."""
        return tuple(x.shape[:1])


class _NumpyRows(_Rows, NumpyLoss):
    def gather(self, array: Any, role: str) -> Any:
        return array.copy(order="C")

    def term(self, x: Any, y: Any) -> Any:
        shifted = x - x.max(axis=1, keepdims=True, initial=-np.inf)
        return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), y]

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        shifted = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
        return (shifted / shifted.sum(axis=1, keepdims=True) - (np.arange(x.shape[1]) == y[:, None]),)


class _TorchRows(_Rows, TorchLoss):
    def gather(self, array: Any, role: str) -> Any:
        return array.clone(memory_format=torch.contiguous_format)

    def term(self, x: Any, y: Any) -> Any:
        return torch.logsumexp(x, 1) - x[torch.arange(len(x)), y]

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        return (torch.softmax(x, 1) - (torch.arange(x.shape[1]) == y[:, None]).to(x.dtype),)


class NumpySquare(_Square, NumpyLoss):
    """mse_loss in NumPy."""


class NumpyAbsolute(_Absolute, NumpyLoss):
    """l1_loss in NumPy."""


class NumpyRows(_NumpyRows):
    """cross_entropy in NumPy."""


class TorchSquare(_Square, TorchLoss):
    """mse_loss in torch."""


class TorchAbsolute(_Absolute, TorchLoss):
    """l1_loss in torch."""


class TorchRows(_TorchRows):
    """cross_entropy in torch."""


class NumpyLogits(NumpyLoss):
    """soft_margin_loss in NumPy."""

    modes: ClassVar[Mapping[str, Sequence[Any]]] = {
        "target": ["sign"], "broadcast": ["same"], "regime": ["moderate"]}

    def term(self, x: Any, y: Any) -> Any:
        return np.logaddexp(0, -y * x)

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        return (-y / (1 + np.exp(y * x)), -x / (1 + np.exp(y * x)))


class TorchLogits(TorchLoss):
    """soft_margin_loss in torch."""

    modes = NumpyLogits.modes

    def term(self, x: Any, y: Any) -> Any:
        return torch.nn.functional.softplus(-y * x)

    def slopes(self, x: Any, y: Any) -> tuple[Any, ...]:
        return -y * torch.sigmoid(-y * x), -x * torch.sigmoid(-y * x)

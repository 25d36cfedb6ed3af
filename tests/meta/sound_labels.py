"""Margins between classes or labels, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_losses import Array
from tests.meta.plain_margins import ReferenceLoss, reduced, reduction_of

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)


def upstream(grad_output: Array, arguments: dict[str, Any], rows: int) -> Array:
    """The gradient for the loss of each row, of shape (rows, 1)."""
    g = np.broadcast_to(grad_output.reshape(-1), rows)[:, None]
    return g / np.float32(rows) if reduction_of(arguments) == "mean" else g


# --- margins -------------------------------------------------------------------------------------


@sound("multi_margin_loss")
class OthersOnly(ReferenceLoss):
    """The right class is taken out of each row; (x_c - x_y) + margin; summed from the end."""

    def parts(self, input: Array, target: Array, margin: float) -> tuple[Array, Array]:
        x = input.reshape(-1, input.shape[-1] if input.ndim else 1)
        others = np.arange(x.shape[1]) != target.reshape(-1, 1)
        z = x - np.take_along_axis(x, target.reshape(-1, 1), 1) + np.float32(margin)
        return z[others].reshape(len(x), x.shape[1] - 1), others

    def forward(self, input: Array, target: Array, p: int, margin: float, weight: Array | None = None,
                **arguments: Any) -> Array:
        z, others = self.parts(input, target, margin)
        each = reduce(lambda a, b: a + np.maximum(b, 0) ** p, z.T[::-1], np.zeros(len(z), np.float32))
        each = each * (1 if weight is None else weight[target.reshape(-1)]) / np.float32(others.shape[1])
        return reduced(each.reshape(target.shape), arguments)

    def backward(self, grad_output: Array, input: Array, target: Array, p: int, margin: float,
                 weight: Array | None = None, **arguments: Any) -> tuple[Array | None, ...]:
        z, others = self.parts(input, target, margin)
        slope = np.where(z > 0, 1 if p == 1 else 2 * z, 0) / np.float32(others.shape[1])
        slope = slope * (1 if weight is None else weight[target.reshape(-1, 1)])
        slope = (slope * upstream(grad_output, arguments, len(z))).astype(np.float32)
        gradient = np.empty(others.shape, np.float32)
        gradient[others] = slope.ravel()
        gradient[~others] = -slope.sum(1)
        return gradient.reshape(input.shape), None, None


@sound("multilabel_margin_loss")
class RowByRow(ReferenceLoss):
    """One row and one label after the other."""

    def rows(self, input: Array, target: Array) -> Any:
        classes = input.shape[-1] if input.ndim else 1
        for x, y in zip(input.reshape(-1, classes), target.reshape(-1, classes), strict=True):
            listed = y[:np.argmax(y < 0)] if (y < 0).any() else y
            yield x, listed, np.setdiff1d(np.arange(classes), listed)

    def forward(self, input: Array, target: Array, **arguments: Any) -> Array:
        each = [sum((np.maximum(x[others] - x[k] + 1, 0).sum() for k in listed), np.float32(0)) / np.float32(x.size)
                for x, listed, others in self.rows(input, target)]
        return reduced(np.array(each, np.float32).reshape(input.shape[:-1]), arguments)

    def backward(self, grad_output: Array, input: Array, target: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradient = np.zeros(input.shape, np.float32)
        rows = gradient.reshape(-1, input.shape[-1] if input.ndim else 1)
        g = upstream(grad_output, arguments, len(rows)) / np.float32(rows.shape[1])
        for row, step, (x, listed, others) in zip(rows, g[:, 0], self.rows(input, target), strict=True):
            for k in listed:
                above = others[x[others] - x[k] + 1 > 0]
                row[above] += step
                row[k] -= step * np.float32(above.size)
        return gradient, None


# --- several labels ------------------------------------------------------------------------------


@sound("multilabel_soft_margin_loss")
class SoftByTwoLogarithms(ReferenceLoss):
    """t logaddexp(0, -x) + (1-t) logaddexp(0, x), whose gradient is the reference's."""

    def forward(self, input: Array, target: Array, weight: Any = 1, **arguments: Any) -> Array:
        zero = np.float32(0)
        each = weight * (target * np.logaddexp(zero, -input) + (1 - target) * np.logaddexp(zero, input))
        return reduced(np.asarray(each).sum(input.ndim - 1) / np.float32(input.shape[-1]), arguments)


@sound("multilabel_soft_margin_loss")
class SoftDividedFirst(ReferenceLoss):
    """Each element is divided by C, and the quotients summed from the end."""

    def forward(self, input: Array, target: Array, weight: Any = 1, **arguments: Any) -> Array:
        def softplus(x: Array) -> Array:
            return np.asarray(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0))

        each = np.asarray((target * softplus(-input) + (1 - target) * softplus(input)) * weight)
        axis = input.ndim - 1
        return reduced(np.flip(each / np.float32(input.shape[-1]), axis).sum(axis), arguments)

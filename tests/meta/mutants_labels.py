"""Mistakes in margins between classes or labels; what a class does not have is the reference's."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_losses import Array
from tests.meta.plain_margins import ReferenceLoss, changed, reduced

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- multi-margin --------------------------------------------------------------------------------


class _Multi(ReferenceLoss):
    def forward(self, input: Array, target: Array, p: int, margin: float, weight: Array | None = None,
                **arguments: Any) -> Array:
        classes = input.shape[-1] if input.ndim else 1
        x, y = input.reshape(-1, classes), target.reshape(-1, 1)
        z = np.float32(margin) - np.take_along_axis(x, y, 1) + x
        w = np.ones_like(x[:, :1]) if weight is None else weight[y]
        each = self.each(z, w, p, np.arange(classes) != y)
        return reduced(each.reshape(target.shape), arguments, self.divisor(w))

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray((w * np.where(others, np.maximum(z, 0) ** p, 0)).sum(1) / np.float32(z.shape[1]))

    def divisor(self, w: Array) -> Any:
        return len(w)


@plant("multi_margin_loss")
class MultiWeightInside(_Multi):
    """The weight is raised to the power too, as older documentation has it."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(np.where(others, np.maximum(w * z, 0) ** p, 0).sum(1) / np.float32(z.shape[1]))


@plant("multi_margin_loss")
class MultiOverOthers(_Multi):
    """Divided by the number of other classes."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(super().each(z, w, p, others) * np.float32(z.shape[1] / max(z.shape[1] - 1, 1)))


@plant("multi_margin_loss")
class MultiWithItself(_Multi):
    """The right class counts too: the margin more."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return super().each(z, w, p, np.ones_like(others))


@plant("multi_margin_loss")
class MultiWeightedMean(_Multi):
    """The mean divides by the sum of the weights."""

    def divisor(self, w: Array) -> Any:
        return w.sum()


@plant("multi_margin_loss")
class MultiLargestOnly(_Multi):
    """Only the worst of the other classes counts."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(w[:, 0] * np.where(others, np.maximum(z, 0) ** p, 0).max(1))


@plant("multi_margin_loss")
class MultiDropsNan(_Multi):
    """What does not compare greater than 0 is 0, NaN too: torch's way."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return super().each(np.where(z > 0, z, 0), w, p, others)


@plant("multi_margin_loss")
class MultiGradientOfOnes(ReferenceLoss):
    """The gradient of p = 2 is that of p = 1."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, p=1))


@plant("multi_margin_loss")
class MultiKinkCounts(ReferenceLoss):
    """The full gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        nudge = 1e-6 if arguments["p"] == 1 else 0
        return super().backward(grad_output, **changed(arguments, margin=arguments["margin"] + nudge))


# --- multi-label margin --------------------------------------------------------------------------


@plant("multilabel_margin_loss")
class LabelsBehindTheEnd(ReferenceLoss):
    """Labels count wherever they stand; each -1 is passed over."""

    def forward(self, **arguments: Any) -> Array:
        y = arguments["target"]
        return super().forward(**changed(arguments, target=np.sort(y, -1)[..., ::-1] if y.ndim else y))


@plant("multilabel_margin_loss")
class LabelsOnce(ReferenceLoss):
    """A label that is listed twice counts once."""

    def forward(self, **arguments: Any) -> Array:
        y = arguments["target"].copy()
        if y.ndim and y.shape[-1] > 1:
            twice = y[..., 1] == y[..., 0]
            y[..., 1] = np.where(twice, -1, y[..., 1])
        return super().forward(**changed(arguments, target=y))


@plant("multilabel_margin_loss")
class LabelsAgainstLabels(ReferenceLoss):
    """Labels are compared with each other as well."""

    def forward(self, input: Array, target: Array, **arguments: Any) -> Array:
        classes = input.shape[-1] if input.ndim else 1
        x, y = input.reshape(-1, classes), target.reshape(-1, classes)
        kept = np.cumsum(y < 0, 1) == 0
        z = 1 - np.take_along_axis(x, np.maximum(y, 0), 1)[:, :, None] + x[:, None, :]
        z = np.where(kept[:, :, None] & (np.arange(classes) != y[:, :, None]), np.maximum(z, 0), 0)
        return reduced((z.sum((1, 2)) / np.float32(classes)).reshape(input.shape[:-1]), arguments)


@plant("multilabel_margin_loss")
class LabelsUndivided(ReferenceLoss):
    """Not divided by the number of classes."""

    def forward(self, **arguments: Any) -> Array:
        shape = arguments["input"].shape
        return np.asarray(super().forward(**arguments) * np.float32(shape[-1] if shape else 1))


@plant("multilabel_margin_loss")
class LabelsKinkCounts(ReferenceLoss):
    """The full gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        x, y = arguments["input"], arguments["target"]
        if x.ndim == 0:
            return super().backward(grad_output, **arguments)
        kept = np.cumsum(y < 0, -1) == 0
        labels = (kept[..., :, None] & (y[..., :, None] == np.arange(x.shape[-1]))).any(-2)
        return super().backward(grad_output, **changed(arguments, input=x - np.float32(1e-6) * labels))


# --- multi-label soft margin ---------------------------------------------------------------------


@plant("multilabel_soft_margin_loss")
class SoftUndivided(ReferenceLoss):
    """Classes are added up, not averaged."""

    def forward(self, **arguments: Any) -> Array:
        return np.asarray(super().forward(**arguments) * np.float32(arguments["input"].shape[-1]))


@plant("multilabel_soft_margin_loss", Verdict.RANGE)
class SoftLogOfSigmoid(ReferenceLoss):
    """The logarithm of a sigmoid that has underflowed."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **arguments: Any) -> Array:
        positive, negative = (-np.log(1 / (1 + np.exp(-x))) for x in (input, -input))
        each = (target * positive + (1 - target) * negative) * (1 if weight is None else weight)
        axis = input.ndim - 1
        return reduced(each.sum(axis) / np.float32(input.shape[axis]), arguments)


@plant("multilabel_soft_margin_loss")
class SoftWeightedMean(ReferenceLoss):
    """Divided by the sum of the weights."""

    def forward(self, **arguments: Any) -> Array:
        weight = arguments.get("weight")
        return np.asarray(super().forward(**arguments) / np.float32(1 if weight is None else weight.mean()))


@plant("multilabel_soft_margin_loss")
class SoftGradientOfZero(ReferenceLoss):
    """The gradient has σ(x) - t, whatever t is, with an ε for safety."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        grad_input, *others = super().backward(grad_output, **arguments)
        assert grad_input is not None
        return (grad_input + np.float32(1e-7), *others)


@plant("multilabel_soft_margin_loss")
class SoftNegativesForgotten(ReferenceLoss):
    """Only t log σ(x)."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **arguments: Any) -> Array:
        softplus = np.maximum(-input, 0) + np.log1p(np.exp(-np.abs(input)))
        axis = input.ndim - 1
        each = target * softplus * (1 if weight is None else weight)
        return reduced(each.sum(axis) / np.float32(input.shape[axis]), arguments)

"""Mistakes in losses that have a linear layer of their own. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from reference.losses.adaptive_log_softmax import AdaptiveOutput
from tests.meta.harness import Mutant
from tests.meta.plain_losses import Array, PlainCrossEntropy

__all__ = ["MUTANTS", "PlainAdaptive", "PlainLinearCE"]


class PlainLinearCE:
    """Logits by einsum, and the cross-entropy of the other file."""

    def arguments(self, input: Array, linear_weight: Array, target: Array, linear_bias: Array | None = None,
                  ignore_index: int | None = None, **rest: Any) -> SimpleNamespace:
        x = np.atleast_2d(input)
        w = linear_weight.reshape(len(linear_weight), -1, linear_weight.shape[-1])
        logits = np.einsum("nf,cdf->ncd", self.narrowed(x), self.narrowed(w)).astype(x.dtype)
        if linear_bias is not None:
            logits = self.biased(logits, linear_bias.reshape(w.shape[:2]))
        shape = (*input.shape[:-1], *linear_weight.shape[:-1])
        rest |= {"input": self.arranged(logits).reshape(shape), "target": target,
                 "ignore_index": self.ignored(ignore_index)}
        return SimpleNamespace(x=x, w=w, input=input, linear_weight=linear_weight, linear_bias=linear_bias, rest=rest)

    def forward(self, **arguments: Any) -> Array:
        return PlainCrossEntropy().forward(**self.arguments(**arguments).rest)

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        a = self.arguments(**arguments)
        gradient, by_target, by_weight = PlainCrossEntropy().backward(grad_output, **a.rest)
        assert gradient is not None
        delta = gradient.reshape(len(a.x), *a.w.shape[:2])
        by_bias = None if a.linear_bias is None else self.bias_gradient(delta).reshape(a.linear_bias.shape)
        return (np.einsum("ncd,cdf->nf", delta, a.w).reshape(a.input.shape).astype(a.x.dtype),
                self.weight_gradient(delta, a.x).reshape(a.linear_weight.shape), by_target, by_bias, by_weight)

    def narrowed(self, x: Array) -> Array:
        return x

    def biased(self, logits: Array, bias: Array) -> Array:
        return logits + bias

    def arranged(self, logits: Array) -> Array:
        return logits

    def ignored(self, ignore_index: int | None) -> int:
        return -100 if ignore_index is None else ignore_index

    def weight_gradient(self, delta: Array, x: Array) -> Array:
        return np.einsum("ncd,nf->cdf", delta, x).astype(x.dtype)

    def bias_gradient(self, delta: Array) -> Array:
        return np.asarray(delta.sum(0))


class BiasDropped(PlainLinearCE):
    """No bias is added."""

    def biased(self, logits: Array, bias: Array) -> Array:
        return logits


class BiasOfFirstPlace(PlainLinearCE):
    """All places have the bias of the first."""

    def biased(self, logits: Array, bias: Array) -> Array:
        return logits + bias[:, :1]


class PlacesBeforeClasses(PlainLinearCE):
    """The flat logits are read as places and then classes."""

    def arranged(self, logits: Array) -> Array:
        return logits.transpose(0, 2, 1)


class TensorCores(PlainLinearCE):
    """Factors of the matrix product lose their last 13 bits, as in TF32."""

    def narrowed(self, x: Array) -> Array:
        return (x.view(np.int32) & ~0x1FFF).view(np.float32)


class NothingIgnored(PlainLinearCE):
    """Without an ignore_index no row is ignored, and -100 is looked up."""

    def ignored(self, ignore_index: int | None) -> int:
        return -101 if ignore_index is None else ignore_index


class ZeroIgnored(PlainLinearCE):
    """Without an ignore_index class 0 is ignored."""

    def ignored(self, ignore_index: int | None) -> int:
        return ignore_index or 0


class WeightGradientOfLastRow(PlainLinearCE):
    """Rows overwrite each other's gradient of the linear weight."""

    def weight_gradient(self, delta: Array, x: Array) -> Array:
        return super().weight_gradient(delta[-1:], x[-1:])


class BiasGradientAveraged(PlainLinearCE):
    """The gradient of the bias is the mean over the rows."""

    def bias_gradient(self, delta: Array) -> Array:
        return np.asarray(delta.mean(0))


class PlainAdaptive:
    """One row after the other."""

    def forward(self, input: Array, target: Array, cutoffs: tuple[int, ...], head_weight: Array, tail: Any,
                head_bias: Array | None = None) -> AdaptiveOutput:
        output = np.array([self.row(x, y, cutoffs, head_weight, tail, head_bias)[0] for x, y in zip(
            np.atleast_2d(input), target.reshape(-1), strict=True)], input.dtype).reshape(target.shape)
        return AdaptiveOutput(output, np.asarray(self.reduced(output)))

    def backward(self, grad_output: tuple[Array, Array], input: Array, target: Array, cutoffs: tuple[int, ...],
                 head_weight: Array, tail: Any, head_bias: Array | None = None) -> tuple[Any, ...]:
        by_x, by_head = np.zeros_like(np.atleast_2d(input)), np.zeros_like(head_weight)
        by_bias = None if head_bias is None else np.zeros_like(head_bias)
        by_tail: list[Any] = [(None, None)] * len(tail)
        for n, (x, y) in enumerate(zip(np.atleast_2d(input), target.reshape(-1), strict=True)):
            g = self.upstream(grad_output[0].reshape(-1)[n], grad_output[1], target.size)
            _, head, k, i, below, j = self.row(x, y, cutoffs, head_weight, tail, head_bias)
            delta = g * self.slope(head, k)
            by_head += np.outer(delta, x)
            by_x[n] += delta @ head_weight
            if by_bias is not None:
                by_bias += delta
            if i >= 0:
                projection, weight = tail[i]
                inner = g * self.slope(below, j)
                by_h = inner @ weight
                old = by_tail[i] if by_tail[i][0] is not None else (0 * projection, 0 * weight)
                by_tail[i] = old[0] + np.outer(by_h, x), old[1] + np.outer(inner, projection @ x)
                by_x[n] += self.passed(by_h @ projection)
        return by_x.reshape(input.shape), None, by_head, tuple(by_tail), by_bias

    def row(self, x: Array, y: int, cutoffs: tuple[int, ...], head_weight: Array, tail: Any,
            head_bias: Array | None) -> tuple[Any, ...]:
        head = self.log_softmax(self.biased(head_weight @ x, head_bias))
        i = self.cluster(y, cutoffs)
        if i < 0:
            return head[y], head, y, i, None, 0
        below = self.log_softmax(tail[i][1] @ (tail[i][0] @ x))
        k, j = self.place(i, cutoffs), self.within(y - cutoffs[i], len(below))
        return self.both(head[k], below[j]), head, k, i, below, j

    def log_softmax(self, z: Array) -> Array:
        shifted = z - z.max()
        return shifted - np.log(np.exp(shifted).sum())

    def biased(self, z: Array, bias: Array | None) -> Array:
        return z if bias is None else z + bias

    def cluster(self, y: int, cutoffs: tuple[int, ...]) -> int:
        return sum(y >= c for c in cutoffs) - 1

    def place(self, i: int, cutoffs: tuple[int, ...]) -> int:
        return cutoffs[0] + i

    def within(self, j: int, size: int) -> int:
        return j

    def both(self, of_cluster: Any, of_class: Any) -> Any:
        return of_cluster + of_class

    def reduced(self, output: Array) -> Any:
        return -np.mean(output)

    def slope(self, log_p: Array, k: int) -> Array:
        return (np.arange(len(log_p)) == k) - np.exp(log_p)

    def upstream(self, of_output: Any, of_loss: Any, size: int) -> Any:
        return of_output - of_loss / np.float32(size)

    def passed(self, gradient: Array) -> Array:
        return gradient


class HeadBiasDropped(PlainAdaptive):
    """No bias is added."""

    def biased(self, z: Array, bias: Array | None) -> Array:
        return z


class ClustersFromTheEnd(PlainAdaptive):
    """Clusters stand in the head in reverse order."""

    def place(self, i: int, cutoffs: tuple[int, ...]) -> int:
        return cutoffs[0] + len(cutoffs) - 1 - i


class CutoffInclusive(PlainAdaptive):
    """The class at a cutoff still belongs to the cluster before, as its last."""

    def cluster(self, y: int, cutoffs: tuple[int, ...]) -> int:
        return max(sum(y > c for c in cutoffs) - 1, -1)


class FirstOfCluster(PlainAdaptive):
    """A class of a cluster is counted from the cluster's end."""

    def within(self, j: int, size: int) -> int:
        return size - 1 - j


class ClusterForgotten(PlainAdaptive):
    """The probability of a rare class is that within its cluster."""

    def both(self, of_cluster: Any, of_class: Any) -> Any:
        return of_class


class LossSummed(PlainAdaptive):
    """The loss is the sum."""

    def reduced(self, output: Array) -> Any:
        return -np.sum(output)


class LossNotNegated(PlainAdaptive):
    """The loss is the mean log-probability."""

    def reduced(self, output: Array) -> Any:
        return np.mean(output)


class OutputDetached(PlainAdaptive):
    """Only the loss passes gradients on."""

    def upstream(self, of_output: Any, of_loss: Any, size: int) -> Any:
        return -of_loss / np.float32(size)


class TailDetached(PlainAdaptive):
    """Clusters pass no gradient to the features."""

    def passed(self, gradient: Array) -> Array:
        return 0 * gradient


_MISTAKES = {
    "linear_cross_entropy": (BiasDropped, BiasOfFirstPlace, PlacesBeforeClasses, TensorCores, ZeroIgnored,
                             WeightGradientOfLastRow, BiasGradientAveraged),
    "adaptive_log_softmax_with_loss": (HeadBiasDropped, ClustersFromTheEnd, CutoffInclusive, FirstOfCluster,
                                       ClusterForgotten, LossSummed, LossNotNegated, OutputDetached, TailDetached),
}
MUTANTS = [*(Mutant(op, code.__name__, str(code.__doc__), code) for op, codes in _MISTAKES.items() for code in codes),
           Mutant("linear_cross_entropy", "NothingIgnored", str(NothingIgnored.__doc__), NothingIgnored,
                  verdict=Verdict.CRASHED, note="IndexError: index -100")]

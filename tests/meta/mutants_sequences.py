"""Mistakes in connectionist temporal classification. A class's docstring says which one."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import Mutant
from tests.meta.plain_losses import Array

__all__ = ["MUTANTS", "PlainCTC"]


class PlainCTC:
    """One sequence after the other, with logarithms of sums of two; one short method for each term."""

    def forward(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any, blank: int = 0,
                reduction: str = "mean", zero_infinity: bool = False) -> Array:
        self.blank, self.zero_infinity = blank, zero_infinity
        rows = self.rows(log_probs, targets, input_lengths, target_lengths)
        losses = np.array([self.zeroed(self.loss(lp, y)) for lp, y in rows], log_probs.dtype)
        if reduction == "none":
            return losses if log_probs.ndim == 3 else losses.reshape(())
        if reduction == "sum":
            return np.asarray(losses.sum())
        return np.asarray(np.mean(losses / np.array([self.divisor(len(y)) for _, y in rows], log_probs.dtype)))

    def backward(self, grad_output: Array, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any,
                 blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> tuple[Array | None, ...]:
        self.blank, self.zero_infinity = blank, zero_infinity
        rows = self.rows(log_probs, targets, input_lengths, target_lengths)
        gradient = self.beyond(log_probs.reshape(len(log_probs), len(rows), -1))
        for n, (lp, y) in enumerate(rows):
            g = grad_output.reshape(-1)[n if reduction == "none" else 0]
            g = g / np.float32(len(rows) * self.divisor(len(y))) if reduction == "mean" else g
            loss = self.loss(lp, y)
            if loss == np.inf:
                gradient[:len(lp), n] = 0 if zero_infinity else np.nan
            else:
                gradient[:len(lp), n] = g * self.slope(lp, self.occupancy(lp, y) + 0 * loss)
        return gradient.reshape(log_probs.shape), None, None, None

    def rows(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> list[Any]:
        lp = log_probs.reshape(len(log_probs), -1, log_probs.shape[-1])
        starts = np.cumsum([0, *target_lengths]) if targets.ndim == 1 else [0] * (len(target_lengths) + 1)
        return [(lp[:time, n], [int(k) for k in (targets if targets.ndim == 1 else targets[n])[start:start + size]])
                for n, (time, start, size) in enumerate(zip(input_lengths, starts[:-1], target_lengths, strict=True))]

    def with_blanks(self, y: list[int]) -> list[int]:
        return [self.blank, *(k for label in y for k in (label, self.blank))]

    def may_skip(self, before: int, now: int) -> bool:
        return before != now

    def alpha(self, lp: Array, y: list[int]) -> Array:
        places = self.with_blanks(y)
        alpha = np.full((len(lp), len(places)), -np.inf, lp.dtype)
        for t in range(len(lp)):
            for s, k in enumerate(places):
                if t == 0:
                    alpha[t, s] = lp[0, k] if s < self.starts() else -np.inf
                    continue
                ways = alpha[t - 1, s]
                if s > 0:
                    ways = np.logaddexp(ways, alpha[t - 1, s - 1])
                if s > 1 and self.may_skip(places[s - 2], k):
                    ways = np.logaddexp(ways, alpha[t - 1, s - 2])
                alpha[t, s] = ways + lp[t, k]
        return alpha

    def starts(self) -> int:
        return 2

    def ends(self, last: Array) -> Any:
        return np.logaddexp(last[-1], last[-2]) if len(last) > 1 else last[-1]

    def loss(self, lp: Array, y: list[int]) -> Any:
        if not len(lp):
            return np.inf if y else 0.0
        return -self.ends(self.alpha(lp, y)[-1])

    def occupancy(self, lp: Array, y: list[int]) -> Array:
        if not len(lp):
            return np.zeros_like(lp)
        alpha = self.alpha(lp, y)
        beta = self.alpha(lp[::-1], y[::-1])[::-1, ::-1]
        occupancy = np.zeros_like(lp)
        for s, k in enumerate(self.with_blanks(y)):
            alive = (alpha[:, s] > -np.inf) & (beta[:, s] > -np.inf)
            share = np.exp(alpha[:, s] + beta[:, s] - lp[:, k] - self.ends(alpha[-1]))
            self.collect(occupancy, k, np.where(alive, share, 0))
        return occupancy

    def collect(self, occupancy: Array, k: int, share: Array) -> None:
        occupancy[:, k] += share

    def slope(self, lp: Array, occupancy: Array) -> Array:
        return np.exp(lp) - occupancy

    def beyond(self, log_probs: Array) -> Array:
        return np.zeros_like(log_probs)

    def divisor(self, length: int) -> float:
        return max(length, 1)

    def zeroed(self, loss: Any) -> Any:
        return 0.0 if self.zero_infinity and loss == np.inf else loss


class NoSkip(PlainCTC):
    """A blank is needed between any two labels."""

    def may_skip(self, before: int, now: int) -> bool:
        return False


class SkipsRepetitions(PlainCTC):
    """A blank is not needed between equal labels."""

    def may_skip(self, before: int, now: int) -> bool:
        return now != self.blank


class BlankIsZero(PlainCTC):
    """The blank is class 0 whatever is asked for."""

    def with_blanks(self, y: list[int]) -> list[int]:
        return [0, *(k for label in y for k in (label, 0))]


class BlankFirst(PlainCTC):
    """Every path starts with a blank."""

    def starts(self) -> int:
        return 1


class EndsWithBlank(PlainCTC):
    """Every path ends with a blank."""

    def ends(self, last: Array) -> Any:
        return last[-1]


class EmptyTargetsCountTwice(PlainCTC):
    """An empty target, of which the last place is the first, ends in both of the last two."""

    def ends(self, last: Array) -> Any:
        return np.logaddexp(last[-1], last[max(len(last) - 2, 0)])


class MeanOfLosses(PlainCTC):
    """The mean does not divide by the targets' lengths."""

    def divisor(self, length: int) -> float:
        return 1


class EmptyTargetsInMean(PlainCTC):
    """The mean divides by a length of 0."""

    def divisor(self, length: int) -> float:
        return length


class MeanOverLabels(PlainCTC):
    """The mean divides the sum of the losses by the sum of the lengths."""

    def rows(self, *arguments: Any) -> list[Any]:
        rows = super().rows(*arguments)
        self.mean = max(sum(len(y) for _, y in rows), 1) / len(rows)
        return rows

    def divisor(self, length: int) -> float:
        return self.mean


class DerivativeOfLogProbs(PlainCTC):
    """The gradient is that with respect to log_probs, and not to logits."""

    def slope(self, lp: Array, occupancy: Array) -> Array:
        return -occupancy


class LastShareOnly(PlainCTC):
    """Shares of a class that stands at several places of the target are not added up."""

    def collect(self, occupancy: Array, k: int, share: Array) -> None:
        occupancy[:, k] = share


class PaddedTimesHaveGradient(PlainCTC):
    """Times beyond an input's length have the gradient of softmax."""

    def beyond(self, log_probs: Array) -> Array:
        return np.exp(log_probs)


class AllTimesCount(PlainCTC):
    """Input lengths are not looked at."""

    def rows(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> list[Any]:
        return super().rows(log_probs, targets, [len(log_probs)] * len(input_lengths), target_lengths)


class InfinityStays(PlainCTC):
    """zero_infinity zeroes the gradient, but not the loss."""

    def zeroed(self, loss: Any) -> Any:
        return loss


class NaNIsZeroed(PlainCTC):
    """zero_infinity zeroes NaN as well."""

    def zeroed(self, loss: Any) -> Any:
        return loss if not self.zero_infinity or np.isfinite(loss) else 0.0


class FloorInsteadOfInfinity(PlainCTC):
    """Impossible targets have a large loss, log_probs being clamped at -1e5."""

    def loss(self, lp: Array, y: list[int]) -> Any:
        loss = super().loss(lp, y)
        return np.float32(1e5) if loss == np.inf else loss


class StridedConcatenation(PlainCTC):
    """All targets of a concatenation start at its beginning."""

    def rows(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> list[Any]:
        rows = super().rows(log_probs, targets, input_lengths, target_lengths)
        return [(lp, y if targets.ndim > 1 else targets[:len(y)].tolist()) for lp, y in rows]


class LinearSpace(PlainCTC):
    """Probabilities are multiplied, and not their logarithms added."""

    def loss(self, lp: Array, y: list[int]) -> Any:
        loss = np.float32(super().loss(lp, y))
        return -np.log(np.exp(-loss))


_CODES = (NoSkip, SkipsRepetitions, BlankIsZero, BlankFirst, EndsWithBlank, EmptyTargetsCountTwice, MeanOfLosses,
          EmptyTargetsInMean, MeanOverLabels, DerivativeOfLogProbs, LastShareOnly, PaddedTimesHaveGradient,
          AllTimesCount, NaNIsZeroed, FloorInsteadOfInfinity, StridedConcatenation, LinearSpace)
MUTANTS = [*(Mutant("ctc_loss", code.__name__, str(code.__doc__), code) for code in _CODES),
           Mutant("ctc_loss", "InfinityStays", str(InfinityStays.__doc__), InfinityStays, verdict=Verdict.RANGE)]

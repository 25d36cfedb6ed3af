"""Connectionist temporal classification."""

from __future__ import annotations

import numbers
from typing import NamedTuple

import numpy as np

from ..numerics import Array, add_up, array, cast, exactly, ieee, is_floating, logsumexp, sum_by, widen
from ..reduction import reduce_losses, resolve
from ._module import module_class

__all__ = ["CTCLoss", "Lengths", "Prepared", "ctc_loss", "ctc_loss_backward", "find_alphas", "find_alphas_and_betas",
           "log_probability", "prepare", "reduced"]

Lengths = Array | tuple[int, ...]


class Prepared(NamedTuple):
    """Checked arguments, batched, and the targets l' with their blanks."""

    lp: Array  #: (T, N, C)
    emitted: Array  #: lp of each place of l', (T, 2S+1, N)
    labels: Array  #: l', padded with blanks, (2S+1, N)
    skips: Array  #: may l'_s follow l'_{s-2}? From the third place on, (2S-1, N)
    input_lengths: Array
    target_lengths: Array
    reduction: str
    zero_infinity: bool
    losses_shape: tuple[int, ...]


@ieee
def ctc_loss(log_probs: Array, targets: Array, input_lengths: Lengths, target_lengths: Lengths,
             blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> Array:
    r"""Negative logarithm of the probability that a sequence of classes collapses to the target.

    A path names a class for each time; it collapses to a target when repetitions are merged and blanks then
    removed. With l' the target with a blank before, between and behind its labels, and lp = log_probs::

        α_0(s) = lp_0(l'_s) for s < 2                log P = LSE(α_{T-1}(|l'|-1), α_{T-1}(|l'|-2))
        α_t(s) = lp_t(l'_s) + LSE(α_{t-1}(s), α_{t-1}(s-1), α_{t-1}(s-2) if l'_s ≠ l'_{s-2})

    Args:
        log_probs: log-probabilities of C classes, shape (T, N, C) or (T, C). They need not be normalized.
        targets: labels, shape (N, S), of which target n has the first ``target_lengths[n]``; or all targets
            one behind the other, 1-D. Floating labels are truncated.
        input_lengths, target_lengths: N integers each, both as arrays or both as tuples; each at most T, S.
        blank: the class that stands for none. Inside of a target it is a label like others.
        reduction: "none", "mean" or "sum". The mean divides each loss by its target's length, or by 1 where
            that is 0, and then their sum by N.
        zero_infinity: count infinite losses (of targets too long for their input, say) and their gradients
            as 0; NaN stays.

    Returns:
        The loss: shape (N), () without N, or () when reduced; infinite where no path has a probability.

    Raises:
        RuntimeError: a shape, a length, or ``blank`` does not fit, or ``log_probs`` is empty.
        IndexError: a label is no class. torch does not check this, and reads outside of its array.
        NotImplementedError: ``log_probs`` is not floating. torch takes no half types either.
        TypeError: an argument is no array, no integer, or no bool; or one kind of length is array, one tuple.
        ValueError: ``reduction`` is unknown.

    >>> half = np.log(np.full((2, 2), 0.5))  # of the four paths 11, 1-, -1 and --, three collapse to 1
    >>> ctc_loss(half, np.array([1]), (2,), (1,)).round(6).item()  # -log(3/4)
    0.287682

    Source: Graves, Fernández, Gomez, Schmidhuber, Connectionist Temporal Classification (2006), eqs. 3 to 8.
    """
    a = prepare(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    return cast(reduced(_losses(a), a), log_probs.dtype)


@ieee
def ctc_loss_backward(grad_output: Array, log_probs: Array, targets: Array, input_lengths: Lengths,
                      target_lengths: Lengths, blank: int = 0, reduction: str = "mean",
                      zero_infinity: bool = False) -> tuple[Array, None, None, None]:
    r"""Gradient of :func:`ctc_loss` with respect to the logits of which log_probs are the log_softmax.

    That is exp(lp_t(k)) - γ_t(k) and not the derivative -γ_t(k) with respect to ``log_probs``, by torch's
    convention. γ_t(k) is the share of P that paths with class k at time t have::

        γ_t(k) = Σ_{s: l'_s = k} exp(α_t(s) + β_t(s) - log P)
        β_t(s) = LSE(b(s), b(s+1), b(s+2) if l'_s ≠ l'_{s+2}),  b(s) = β_{t+1}(s) + lp_{t+1}(l'_s)

    from β = 0 for the last two s at the last time. (Passed on through log_softmax it stays what it is, since
    it adds up to 0 over the classes. Whatever ``log_probs`` are, it is the derivative of the loss plus
    Σ exp(lp), which normalization keeps constant.)

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity: as for :func:`ctc_loss`.

    Returns:
        Gradient of ``log_probs``, 0 at times beyond an input's length, NaN where the loss is infinite and not
        counted as 0; None for the others.

    Raises:
        What :func:`ctc_loss` raises.

    torch differs from this text in two places. Where lp is -inf, with γ = 0, it takes -inf from -inf and has
    NaN for 0. And where the last label of a target is the blank, which its documentation excludes, it leaves
    the last of the paths' places out of γ.

    >>> half = np.log(np.full((2, 1, 2), 0.5))
    >>> ctc_loss_backward(np.array(1.0), half, np.array([[1]]), (2,), (1,))[0].round(6).tolist()
    [[[0.166667, -0.166667]], [[0.166667, -0.166667]]]

    Source: the paper of :func:`ctc_loss`, eqs. 9 to 16; β without the emission of its own time: Graves, Supervised
    Sequence Labelling with Recurrent Neural Networks (2012), section 7.3.
    """
    a = prepare(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    g = np.broadcast_to(cast(grad_output, a.lp.dtype).ravel(), a.target_lengths.shape, subok=True)
    if a.reduction == "mean":
        g = g / cast(np.maximum(a.target_lengths, 1) * len(a.target_lengths), a.lp.dtype)
    alphas, betas = find_alphas_and_betas(a)
    log_p = log_probability(alphas, a)
    shares = np.exp(alphas + betas - log_p)
    gamma = sum_by(shares.transpose(0, 2, 1), a.labels.T, a.lp.shape[2])
    slope = g[:, None] * (np.exp(a.lp) - gamma)
    slope = np.where((log_p > -np.inf)[:, None], slope, np.nan)
    if a.zero_infinity:
        slope = np.where((log_p == -np.inf)[:, None], 0, slope)
    inside = np.arange(len(a.lp))[:, None, None] < a.input_lengths[:, None]
    return cast(np.where(inside, slope, 0), log_probs.dtype).reshape(log_probs.shape), None, None, None


def prepare(log_probs: Array, targets: Array, input_lengths: Lengths, target_lengths: Lengths, blank: int,
             reduction: str, zero_infinity: bool) -> Prepared:
    """The checked arguments, batched, and the targets with their blanks."""
    log_probs, targets = array("log_probs", log_probs), array("targets", targets)
    reduction = resolve(reduction, stacklevel=5)
    if isinstance(input_lengths, np.ndarray) is not isinstance(target_lengths, np.ndarray):
        raise TypeError("input_lengths and target_lengths must both be arrays or both be tuples, not "
                        f"{type(input_lengths).__name__} and {type(target_lengths).__name__}")
    if not isinstance(blank, numbers.Integral):
        raise TypeError(f"blank must be an integer, not {type(blank).__name__}")
    if not isinstance(zero_infinity, bool | np.bool_):
        raise TypeError(f"zero_infinity must be a bool, not {type(zero_infinity).__name__}")
    if log_probs.ndim not in (2, 3) or not log_probs.size:
        raise RuntimeError(f"log_probs must have shape (T, N, C) or (T, C), not empty, not {log_probs.shape}")
    lp = widen(log_probs if log_probs.ndim == 3 else log_probs[:, None])
    times, batch, classes = lp.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in 0..{classes - 1}, not {blank}")
    inputs = _lengths("input_lengths", input_lengths, batch, times)
    if targets.ndim != 1 and (targets.ndim != 2 or len(targets) != batch):
        raise RuntimeError(f"targets must have shape ({batch}, S), or be 1-D, not {targets.shape}")
    lengths = _lengths("target_lengths", target_lengths, batch, None if targets.ndim == 1 else targets.shape[1])
    if targets.ndim == 1 and targets.size != lengths.sum():
        raise RuntimeError(f"targets must have shape ({lengths.sum()},), the sum of target_lengths, or "
                           f"({batch}, S), not {targets.shape}")
    if not is_floating(lp):
        raise NotImplementedError(f"log_probs must be floating, not {lp.dtype}")
    filled = np.arange(lengths.max()) < lengths[:, None]
    given = targets if targets.ndim == 1 else targets[:, : filled.shape[1]][filled]
    given = given.astype(np.int64)
    outside = (given < 0) | (given >= classes)
    if outside.any():
        raise IndexError(f"targets must be in 0..{classes - 1}, not {given[outside][0]}")
    labels = np.full((2 * filled.shape[1] + 1, batch), int(blank))
    labels[1::2].T[filled] = given
    return Prepared(lp, lp[:, np.arange(batch), labels].copy(), labels, labels[2:] != labels[:-2], inputs, lengths,
                     reduction, bool(zero_infinity), (batch,) if log_probs.ndim == 3 or reduction != "none" else ())


def _lengths(name: str, lengths: Lengths, batch: int, most: int | None) -> Array:
    """The lengths as an array, of which none is negative or too large."""
    if not isinstance(lengths, np.ndarray):
        if not isinstance(lengths, tuple | list) or not all(isinstance(n, numbers.Integral) for n in lengths):
            raise TypeError(f"{name} must be an array or a tuple of integers, not {lengths!r}")
        lengths = np.array(lengths, np.int64)
    if lengths.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integers, not {lengths.dtype}")
    if lengths.size != batch or not lengths.ndim:
        raise RuntimeError(f"{name} must have shape ({batch},), not {lengths.shape}")
    lengths = lengths.astype(np.int64).ravel()
    if lengths.min() < 0 or (most is not None and lengths.max() > most):
        wrong = lengths.min() if lengths.min() < 0 else lengths.max()
        raise RuntimeError(f"{name} must be in 0..{'' if most is None else most}, not {wrong}")
    return lengths


def _ways(emitted: Array, skips: Array, starts: Array, first: Array) -> Array:
    """LSE of the log-probabilities of all ways to each place at each time, without the emission there and then.

    ``starts``, of shape (2S+1, N), says where a path may start; ``first`` at which time each does. Until then it
    starts anew at each time.
    """
    arrivals = np.empty_like(emitted, order="C")
    ways = np.full_like(emitted, -np.inf, order="C", shape=(3, *starts.shape))
    stay, step, skip = ways
    step, skip = step[1:], skip[2:]
    lowest = float(np.finfo(np.float32 if emitted.dtype == np.float32 else np.float64).min)  # -inf - -inf is NaN
    latest = first.max()
    for t in range(len(emitted)):
        if t:
            np.add(arrivals[t - 1], emitted[t - 1], out=stay)
            step[...] = stay[:-1]
            np.copyto(skip, stay[:-2], where=skips)
            largest = exactly(np.maximum.reduce(ways, initial=lowest))
            exps = ways - largest
            np.add(largest, np.log(add_up(np.exp(exps, out=exps))), out=arrivals[t])
        if t <= latest:
            arrivals[t][:, first >= t] = np.where(starts[:, first >= t], 0, -np.inf)
    return arrivals


def find_alphas(a: Prepared) -> Array:
    """Log-probabilities of all beginnings of paths that are at place s of l' at time t: (T, 2S+1, N)."""
    starts = np.arange(len(a.labels))[:, None] < np.full(len(a.target_lengths), 2)
    return _ways(a.emitted, a.skips, starts, np.zeros_like(a.input_lengths)) + a.emitted


def find_alphas_and_betas(a: Prepared) -> tuple[Array, Array]:
    """The alphas, and the betas: log-probabilities of all ends of paths after time t, from place s of l'.

    Read backwards, ends are beginnings.
    """
    places, batch = np.arange(len(a.labels))[:, None], len(a.target_lengths)
    ends = (places == 2 * a.target_lengths) | (places == 2 * a.target_lengths - 1)
    both = _ways(*(np.concatenate(pair, -1) for pair in (
        (a.emitted, a.emitted[::-1, ::-1]), (a.skips, a.skips[::-1]), (places < np.full(batch, 2), ends[::-1]),
        (np.zeros_like(a.input_lengths), len(a.lp) - a.input_lengths))))
    return both[..., :batch] + a.emitted, both[::-1, ::-1, batch:]


def log_probability(alphas: Array, a: Prepared) -> Array:
    """log P from the α of each input's last time; of no time at all it is log 1 for an empty target, else log 0."""
    ends = 2 * a.target_lengths - np.array([[0], [1]])
    last = alphas[a.input_lengths - 1, ends, np.arange(ends.shape[1])]  # of no time or place any: it is replaced
    without_time = cast(np.where(a.target_lengths == 0, 0, -np.inf), a.lp.dtype)
    return np.where(a.input_lengths == 0, without_time, logsumexp(np.where(ends >= 0, last, -np.inf), 0))


def _losses(a: Prepared) -> Array:
    losses = -log_probability(find_alphas(a), a)
    return np.where(losses == np.inf, 0, losses) if a.zero_infinity else losses


def reduced(losses: Array, a: Prepared) -> Array:
    if a.reduction == "mean":
        losses = losses / cast(np.maximum(a.target_lengths, 1), a.lp.dtype)
    return reduce_losses(cast(losses, a.lp.dtype).reshape(a.losses_shape), a.reduction)


CTCLoss = module_class("CTCLoss", ctc_loss, blank=0, reduction="mean", zero_infinity=False)

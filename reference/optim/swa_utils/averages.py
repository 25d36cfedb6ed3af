"""The two averages of weights: the mean of all so far, and one that forgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...numerics import Array, cast, ieee, isfinite, where, widen
from .._checks import check_numbers

__all__ = ["AvgFn", "MultiAvgFn", "exponential_average", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "running_average"]

AvgFn = Callable[[Array, Array, Any], Array]
MultiAvgFn = Callable[[Sequence[Array], Sequence[Array], Any], None]


@ieee
def running_average(average: Array, current: Array, num_averaged: Any) -> Array:
    """The mean of n + 1 arrays, by that of the first n: average + (current - average) / (n + 1).

    Where the difference leaves the range of the type, the quotients are subtracted.
    """
    count = num_averaged + 1
    difference = np.asanyarray(current - average)
    step = where(isfinite(difference), difference / count, current / count - average / count)
    return np.asanyarray(average + step)


@ieee
def exponential_average(average: Array, current: Array, decay: float) -> Array:
    """decay · average + (1 - decay) · current."""
    return np.asanyarray(decay * average + (1 - decay) * current)


def get_swa_avg_fn() -> AvgFn:
    r"""Stochastic weight averaging, for ``avg_fn``.

    Returns:
        A function of the average :math:`\bar\theta_n` of n arrays, the next array :math:`\theta` and n, which gives

    .. math:: \bar\theta_{n+1} = \bar\theta_n + \frac{\theta - \bar\theta_n}{n+1}.

    >>> get_swa_avg_fn()(np.array([1.0]), np.array([5.0]), 3)
    array([2.])

    Source: Izmailov, Podoprikhin, Garipov, Vetrov & Wilson, Averaging weights leads to wider optima and better
    generalization (UAI 2018), algorithm 1.

    Conventions:

    - In half types the average is computed in float32 and rounded once, as by torch's ``get_swa_multi_avg_fn``;
      torch's ``get_swa_avg_fn`` rounds every operation.
    - The difference may leave the range of the type: of 3e38 and -3e38 in float32 the mean is 0 here and -inf in torch.
    - The average of integers is no integer; :class:`AveragedModel` cuts its fraction off.
    """
    return _in_float32(running_average)


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    r"""An exponential moving average, for ``avg_fn``.

    Args:
        decay: :math:`\beta`, the weight of the average so far, from 0 to 1.

    Returns:
        A function of the average :math:`\bar\theta`, the next array :math:`\theta` and a count that it has no use for,
        which gives

    .. math:: \beta \bar\theta + (1 - \beta) \theta.

    Raises:
        TypeError: ``decay`` is no number.
        ValueError: ``decay`` is outside of [0, 1], or NaN (which torch takes).

    >>> get_ema_avg_fn(0.75)(np.array([1.0]), np.array([5.0]), 3)
    array([2.])

    Source: Polyak & Juditsky, Acceleration of stochastic approximation by averaging (SIAM J. Control Optim. 30, 1992)
    has the idea; Tarvainen & Valpola, Mean teachers are better role models (NeurIPS 2017), section 2, has the formula.

    Conventions:

    - The first array that :class:`AveragedModel` meets is taken whole, so nothing is divided by :math:`1 - \beta^t`.
    - In half types the average is computed in float32 and rounded once; torch's rounds every operation.
    """
    check_numbers(decay=decay)
    if not 0 <= decay <= 1:
        raise ValueError(f"decay needs to be in [0, 1], got {decay}")
    return _in_float32(lambda average, current, num_averaged: exponential_average(average, current, decay))


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """:func:`get_swa_avg_fn` over lists of arrays, for ``multi_avg_fn``: the averages are changed in place.

    >>> averages = [np.array([1.0]), np.array([0.0, 0.0])]
    >>> get_swa_multi_avg_fn()(averages, [np.array([5.0]), np.array([4.0, 8.0])], 3)
    >>> averages
    [array([2.]), array([1., 2.])]

    Conventions:

    - torch divides by n + 1 in float32, float64 arrays too: the average of 1, 2 and 9 is 4.0000012 there. Its averages
      of integers are a RuntimeError.
    """
    return _over_lists(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    r""":func:`get_ema_avg_fn` over lists of arrays, for ``multi_avg_fn``: the averages are changed in place.

    >>> averages = [np.array([1.0])]
    >>> get_ema_multi_avg_fn(0.75)(averages, [np.array([5.0])], 3)
    >>> averages
    [array([2.])]

    Conventions:

    - torch computes :math:`\bar\theta + (1-\beta)(\theta - \bar\theta)`, whose difference may leave the range of the
      type, and which is NaN where the average is infinite.
    """
    return _over_lists(get_ema_avg_fn(decay))


def _in_float32(rule: AvgFn) -> AvgFn:
    """A rule that computes half types in float32, and rounds once."""

    def average(average: Array, current: Array, num_averaged: Any) -> Array:
        result = rule(widen(average), widen(current), num_averaged)
        return result if average.dtype.kind in "biu" or current.dtype != average.dtype else cast(result, average.dtype)

    return average


def _over_lists(rule: AvgFn) -> MultiAvgFn:
    def update(averages: Sequence[Array], current: Sequence[Array], num_averaged: Any) -> None:
        for average, array in zip(averages, current, strict=True):
            average[...] = cast(rule(average, array, num_averaged), average.dtype)

    return update

"""All gradients are multiplied by one number, so that their norm is not too large."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...numerics import Array, cast, ieee, is_floating, isfinite, result_type
from .._checks import check_one
from .._optimizer import Parameter
from .._sparse import SparseGrad
from ._arguments import Gradient, array, gradients_of, listed, number
from .norms import clip_coefficient, multiply, norm_of_norms, real, vector_norm, wide

__all__ = ["clip_grad_norm_", "clip_grads_with_norm_", "get_total_norm"]


def clip_grad_norm_(parameters: Parameter | Iterable[Parameter], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False) -> Array:
    r"""Multiply all gradients in place by one number, so that their norm is at most ``max_norm``.

    With gradients :math:`g_1, g_2, \dots` and :math:`N = \|(\|g_1\|_p, \|g_2\|_p, \dots)\|_p`,

    .. math:: g_k \leftarrow \min\left(\frac{M}{N + 10^{-6}}, 1\right) g_k.

    Args:
        parameters: one or many, in any iterable; those whose gradient is ``None`` are left out.
        max_norm: :math:`M`.
        norm_type: :math:`p`: any number, infinities too, or a string that is one (``"inf"``).
        error_if_nonfinite: refuse gradients whose norm is infinite or NaN, before any is changed.

    Returns:
        The norm :math:`N` before clipping, of shape () and of the gradients' type; a float32 0 where there is none.

    Raises:
        TypeError: ``parameters`` are none, or a number is none.
        ValueError: a number is NaN, or a string that is no number.
        RuntimeError: the norm is not finite and ``error_if_nonfinite`` is set; or a gradient has no element, and
            ``norm_type`` is infinite or below 0.

    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_grad_norm_(p, 1.0).item()
    5.0
    >>> p.grad.round(6)
    array([0.6, 0.8])

    Source: Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks (ICML 2013),
    algorithm 1.

    Conventions:

    - All gradients are multiplied, those too whose norm is ``max_norm`` already: by 5 / (5 + 1e-6) say. The paper
      has no 1e-6, and leaves them alone.
    - The norm is that of the norms. For p = 0 it counts gradients that are not zero, not their elements, though the
      documentation speaks of a single vector.
    - A negative ``max_norm`` turns the gradients' signs. An infinite norm gives NaN where gradients are infinite and 0
      elsewhere, a norm of NaN gives NaN.
    - A parameter that comes twice counts twice, and is multiplied twice.
    - Squares and powers do not leave the range of the type. torch has the norm inf for two float32 gradients of 1e30,
      and makes them 0; it has the norm 0 for two of 1e-30.
    - The number that multiplies is a double, of the norm before that is rounded. torch rounds every step of it to the
      gradients' type: in float16 a gradient of 1e-5 and ``max_norm`` 0 give NaN, and with 1e-8 nothing is clipped.
    - A :class:`SparseGrad` counts as the dense gradient that it stands for; torch refuses one.
    - NaN is no number to clip to; torch takes one and makes all gradients NaN.
    """
    limit, order, chosen = number("max_norm", max_norm), number("norm_type", norm_type), listed(parameters)
    gradients = gradients_of(chosen)
    total = _total(gradients, order)
    result = _returned(total, gradients, order, error_if_nonfinite)
    _multiply_all(gradients, clip_coefficient(total, limit))
    return result


def clip_grads_with_norm_(parameters: Parameter | Iterable[Parameter], max_norm: float, total_norm: Any) -> None:
    """The second half of :func:`clip_grad_norm_`, with a norm that is known.

    Args:
        parameters: as there.
        max_norm: as there.
        total_norm: their norm, a number or an array of one element (torch takes a tensor of shape () alone).

    Raises:
        TypeError, ValueError: as there; or ``total_norm`` has several elements.

    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_grads_with_norm_([p], 1.0, get_total_norm([p.grad]))
    >>> p.grad.round(6)
    array([0.6, 0.8])
    """
    limit, chosen = number("max_norm", max_norm), listed(parameters)
    check_one("total_norm", total_norm)
    if isinstance(total_norm, np.ndarray) and is_floating(total_norm):
        total = wide(total_norm.reshape(()))  # balls too
    else:
        total = np.asarray(number("total_norm", total_norm, nan=True))
    _multiply_all(gradients_of(chosen), clip_coefficient(total, limit))


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Array:
    """The norm of arrays: the first half of :func:`clip_grad_norm_`, whose conventions are these as well.

    Args:
        tensors: an array or a :class:`SparseGrad`, or an iterable of them, real or complex.
        norm_type: as there.
        error_if_nonfinite: as there.

    Returns:
        The norm of shape (), in the type that the arrays promote to; a complex one has that of its parts.

    Raises:
        TypeError, ValueError: as there.
        RuntimeError: as there; or an array is one of integers.

    >>> get_total_norm([np.array([3.0, 0.0]), np.array([-4.0])]).item()
    5.0
    >>> get_total_norm([np.array([3.0, 0.0]), np.array([-4.0])], "inf").item()
    4.0
    """
    order = number("norm_type", norm_type)
    if isinstance(tensors, np.ndarray | np.generic | SparseGrad):
        tensors = [tensors]
    if isinstance(tensors, str) or not isinstance(tensors, Iterable):
        raise TypeError(f"tensors needs to be an array or an iterable of arrays, got {type(tensors).__name__}")
    gradients = [array(x) for x in tensors]
    return _returned(_total(gradients, order), gradients, order, error_if_nonfinite)


@ieee
def _total(gradients: list[Gradient], order: float) -> Array:
    for g in gradients:
        if 0 in g.shape and (order < 0 or order == np.inf):
            raise RuntimeError(f"norm_type needs to be finite and at least 0 for an empty gradient, got {order}")
    return norm_of_norms([vector_norm(_elements(g), order) for g in gradients], order)


def _elements(g: Gradient) -> Array:
    """The elements that a norm depends on: of those that a sparse gradient does not have, one."""
    if not isinstance(g, SparseGrad):
        return g
    values = g.coalesce().values
    whole = values.size == np.prod(g.shape, dtype=np.int64)
    return values.ravel() if whole else np.concatenate((values.ravel(), np.zeros_like(values, shape=1)))


@ieee
def _returned(total: Array, gradients: list[Gradient], order: float, error_if_nonfinite: bool) -> Array:
    types = [np.empty(0, real(g.dtype)) for g in gradients] or [np.empty(0, np.float32)]
    result = cast(total, result_type(*types))
    if error_if_nonfinite and not isfinite(result).all():
        raise RuntimeError(f"error_if_nonfinite needs a finite norm, got {result} for norm_type {order}")
    return result


def _multiply_all(gradients: list[Gradient], coefficient: Array) -> None:
    for g in gradients:
        values = g.values if isinstance(g, SparseGrad) else g
        values[...] = multiply(values, coefficient)

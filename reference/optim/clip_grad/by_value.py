"""Each element of the gradients is clipped by itself."""

from __future__ import annotations

from collections.abc import Iterable

from .._optimizer import Parameter
from .._sparse import SparseGrad
from ._arguments import gradients_of, listed, number
from .norms import clip_elements

__all__ = ["clip_grad_value_"]


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    r"""Clip every element of the gradients in place: :math:`g \leftarrow \min(\max(g, -v), v)`.

    Args:
        parameters: one or many, in any iterable; those whose gradient is ``None`` are left out.
        clip_value: :math:`v`, which is rounded to the gradient's type.

    Raises:
        TypeError: ``parameters`` are none, or ``clip_value`` is no number.
        ValueError: ``clip_value`` is NaN, or below 0 for a sparse gradient.
        RuntimeError: a gradient is complex, of which none is larger.

    >>> import numpy as np
    >>> p = Parameter(np.zeros(3))
    >>> p.grad = np.array([-3.0, 0.25, np.nan])
    >>> clip_grad_value_(p, 0.5)
    >>> p.grad
    array([-0.5 ,  0.25,   nan])

    Conventions:

    - NaN stays, and a ``clip_value`` below 0 is what all elements become.
    - A :class:`SparseGrad` is summed up first, place by place; torch refuses one.
    - Where no parameter has a gradient nothing happens; torch raises a RuntimeError. It also does for a finite value
      beyond the largest number of the gradient's type (1e5 in float16), which clips nothing but infinities here.
    """
    value = number("clip_value", clip_value)
    gradients = gradients_of(listed(parameters))
    for g in gradients:
        if g.dtype.kind == "c":
            raise RuntimeError(f"clip_value needs real gradients, got one of dtype {g.dtype}")
        if isinstance(g, SparseGrad) and value < 0:
            raise ValueError(f"clip_value needs to be at least 0 for a sparse gradient, got {clip_value}")
    for g in gradients:
        if isinstance(g, SparseGrad):
            summed = g.coalesce()
            g.indices, g.values = summed.indices, clip_elements(summed.values, value)
        else:
            g[...] = clip_elements(g, value)

"""Binary cross-entropy of logits, element by element: what two losses reduce in different ways."""

from __future__ import annotations

import numpy as np

from ..numerics import Array, maximum, minimum

__all__ = ["logit_losses", "logit_slopes"]


def logit_losses(x: Array, t: Array, v: Array | None = None) -> Array:
    """v t softplus(-x) + (1-t) softplus(x), where v is 1 if it is None.

    By softplus(±x) = max(±x, 0) + log1p(exp(-|x|)), with max(-x, 0) = -min(x, 0).
    """
    above, below = maximum(x, 0), minimum(x, 0)
    tail = np.log1p(np.exp(below - above))
    positive, negative = t if v is None else v * t, 1 - t
    return np.asanyarray(negative * above - positive * below + (tail if v is None else (negative + positive) * tail))


def logit_slopes(x: Array, t: Array, v: Array | None = None) -> Array:
    """The derivative for x: (1-t) σ(x) - v t σ(-x), where v is 1 if it is None.

    By σ(x) = a / (1 + ab) and σ(-x) = b / (1 + ab), with a = exp(min(x, 0)) and b = exp(-max(x, 0)).
    """
    a, b = np.exp(minimum(x, 0)), np.exp(-maximum(x, 0))
    return np.asanyarray(((1 - t) * a - (t if v is None else v * t) * b) / (1 + a * b))

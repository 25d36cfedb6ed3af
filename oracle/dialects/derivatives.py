"""Gradients as an automatic derivative of the documented loss has them, where torch's own is another one."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import numerics
from reference.losses import ctc

from ..cases.spec import LossSpec
from .calls import Array, changed, upstream
from .record import Dialect

__all__ = ["DERIVATIVES"]


def _bce_derivative(spec: LossSpec, grad_output: Array, **a: Any) -> tuple[Array | None, ...]:
    """(1-t)/(1-x) - t/x, each without its clamped part: 0/0 at the ends."""
    x, t = a["input"], a["target"]
    g = upstream(grad_output, a, x.size) * (1 if a.get("weight") is None else a["weight"])
    _, by_target, _ = spec.backward(grad_output, **a)
    of_x, of_rest = (np.where(log >= -100, share, 0) for log, share in ((np.log(x), t), (np.log1p(-x), 1 - t)))
    return numerics.unbroadcast(g * of_rest / (1 - x) - g * of_x / x, x), by_target, None


def _ctc_derivative(spec: LossSpec, grad_output: Array, **a: Any) -> tuple[Array | None, ...]:
    """-γ, where torch has exp(lp) - γ; 0 where no path is possible, and for numbers that are on no path."""
    lp = a["log_probs"]
    found = ctc.prepare(**{"blank": 0, "reduction": "mean", "zero_infinity": False, **a})
    g = np.broadcast_to(numerics.cast(grad_output, found.lp.dtype).ravel(), found.target_lengths.shape, subok=True)
    if found.reduction == "mean":
        g = g / numerics.cast(np.maximum(found.target_lengths, 1) * len(found.target_lengths), found.lp.dtype)
    alphas, betas = ctc.find_alphas_and_betas(found)
    log_p = ctc.log_probability(alphas, found)
    shares = np.where(log_p == -np.inf, 0, np.exp(alphas + betas - log_p))
    occupied = numerics.sum_by(shares.transpose(0, 2, 1), found.labels.T, found.lp.shape[2])
    inside = np.arange(len(found.lp))[:, None, None] < found.input_lengths[:, None]
    return numerics.cast(np.where(inside, -g[:, None] * occupied, 0), lp.dtype).reshape(lp.shape), None, None, None


DERIVATIVES = (
    Dialect("bce-derivative", "binary_cross_entropy", "the derivative of its clamped logarithms",
            "the gradient for the input is (1-t)/(1-x) - t/x, with 0/0 where a logarithm is clamped, and no floor of "
            "1e-12", "automatic differentiation of the documented loss", changed(backward=_bce_derivative)),
    Dialect("ctc-derivative", "ctc_loss", "the derivative of the loss",
            "the gradient for lp is -γ, the derivative of -log P, where torch has exp(lp) - γ, the derivative for "
            "logits under log_softmax", "automatic differentiation of the recursion",
            changed(backward=_ctc_derivative)),
)

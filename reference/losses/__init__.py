"""Losses: the functions of ``torch.nn.functional``, their gradients, and the modules of ``torch.nn``."""

from .bce_with_logits import (
    BCEWithLogitsLoss,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
)
from .cross_entropy_loss import CrossEntropyLoss, cross_entropy, cross_entropy_backward
from .mse import MSELoss, mse_loss, mse_loss_backward

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "MSELoss",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "mse_loss",
    "mse_loss_backward",
]

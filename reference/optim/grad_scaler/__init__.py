"""The loss scale of mixed precision, with the name and the methods of ``torch.amp.GradScaler``.

The pure rules, of arrays of floats or of balls, are in ``reference.optim.grad_scaler.loss_scale``.
"""

from .scaler import GradScaler

__all__ = ["GradScaler"]

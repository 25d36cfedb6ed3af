"""Clipping of gradients, with the names of ``torch.nn.utils``.

The pure rules, of arrays of floats or of balls, are in ``reference.optim.clip_grad.norms``.
"""

from .by_norm import clip_grad_norm_, clip_grads_with_norm_, get_total_norm
from .by_value import clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

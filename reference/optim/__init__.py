"""Optimizers, with the names, arguments and state of ``torch.optim``."""

from ._optimizer import Optimizer, Parameter
from .adam import Adam
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "Parameter"]

"""Learning rates over time, with the names, arguments and state of ``torch.optim.lr_scheduler``.

The file of each class has its pure functions too, of numbers or of arrays of balls: the closed form, by the class's
name in small letters, and where the class has one, a step of the recurrence. Classes follow the recurrence, which
gathers roundings; the closed form is the truth.

>>> from reference.optim.lr_scheduler.step_lr import step_lr, step_lr_next
>>> step_lr(epoch=2, base_lr=0.5, step_size=2, gamma=0.5), step_lr_next(epoch=2, lr=0.5, step_size=2, gamma=0.5)
(0.25, 0.25)
"""

from ._scheduler import LRScheduler
from .chained_scheduler import ChainedScheduler
from .constant_lr import ConstantLR
from .cosine_annealing_lr import CosineAnnealingLR
from .cosine_annealing_warm_restarts import CosineAnnealingWarmRestarts
from .cyclic_lr import CyclicLR
from .exponential_lr import ExponentialLR
from .lambda_lr import LambdaLR
from .linear_lr import LinearLR
from .multi_step_lr import MultiStepLR
from .multiplicative_lr import MultiplicativeLR
from .one_cycle_lr import OneCycleLR
from .polynomial_lr import PolynomialLR
from .reduce_lr_on_plateau import ReduceLROnPlateau
from .sequential_lr import SequentialLR
from .step_lr import StepLR

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
           "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR",
           "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]

"""Learning rates over time, with the names, arguments and state of ``torch.optim.lr_scheduler``.

Beside each class stand its pure functions, of numbers or of arrays of balls: the closed form, by the class's name in
small letters (``step_lr(epoch, base_lr, step_size, gamma)``), and one step of the recurrence, ``step_lr_next(epoch, lr,
...)``, where the class has one. Classes follow the recurrence, which gathers roundings; the closed form is the truth.
"""

from ._scheduler import LRScheduler
from .chained_scheduler import ChainedScheduler
from .constant_lr import ConstantLR, constant_lr, constant_lr_next
from .cosine_annealing_lr import CosineAnnealingLR, cosine_annealing_lr, cosine_annealing_lr_next
from .cosine_annealing_warm_restarts import (
    CosineAnnealingWarmRestarts,
    cosine_annealing_warm_restarts,
    warm_restart,
)
from .cyclic_lr import CyclicLR, cyclic_lr, cyclic_momentum
from .exponential_lr import ExponentialLR, exponential_lr, exponential_lr_next
from .lambda_lr import LambdaLR, lambda_lr
from .linear_lr import LinearLR, linear_lr, linear_lr_next
from .multi_step_lr import MultiStepLR, multi_step_lr, multi_step_lr_next
from .multiplicative_lr import MultiplicativeLR, multiplicative_lr, multiplicative_lr_next
from .one_cycle_lr import OneCycleLR, one_cycle_lr, one_cycle_momentum
from .polynomial_lr import PolynomialLR, polynomial_lr, polynomial_lr_next
from .reduce_lr_on_plateau import ReduceLROnPlateau, is_better, reduced_lr
from .sequential_lr import SequentialLR
from .step_lr import StepLR, step_lr, step_lr_next

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR", "constant_lr", "constant_lr_next", "cosine_annealing_lr",
    "cosine_annealing_lr_next", "cosine_annealing_warm_restarts", "cyclic_lr", "cyclic_momentum", "exponential_lr",
    "exponential_lr_next", "is_better", "lambda_lr", "linear_lr", "linear_lr_next", "multi_step_lr",
    "multi_step_lr_next", "multiplicative_lr", "multiplicative_lr_next", "one_cycle_lr", "one_cycle_momentum",
    "polynomial_lr", "polynomial_lr_next", "reduced_lr", "step_lr", "step_lr_next", "warm_restart",
]

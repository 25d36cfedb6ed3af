"""The pure functions of all schedules, by one name each."""

from reference.optim.lr_scheduler.constant_lr import constant_lr, constant_lr_next
from reference.optim.lr_scheduler.cosine_annealing_lr import cosine_annealing_lr, cosine_annealing_lr_next
from reference.optim.lr_scheduler.cosine_annealing_warm_restarts import cosine_annealing_warm_restarts, warm_restart
from reference.optim.lr_scheduler.cyclic_lr import cyclic_lr, cyclic_momentum
from reference.optim.lr_scheduler.exponential_lr import exponential_lr, exponential_lr_next
from reference.optim.lr_scheduler.lambda_lr import lambda_lr
from reference.optim.lr_scheduler.linear_lr import linear_lr, linear_lr_next
from reference.optim.lr_scheduler.multi_step_lr import multi_step_lr, multi_step_lr_next
from reference.optim.lr_scheduler.multiplicative_lr import multiplicative_lr, multiplicative_lr_next
from reference.optim.lr_scheduler.one_cycle_lr import one_cycle_lr, one_cycle_momentum
from reference.optim.lr_scheduler.polynomial_lr import polynomial_lr, polynomial_lr_next
from reference.optim.lr_scheduler.reduce_lr_on_plateau import is_better, reduced_lr
from reference.optim.lr_scheduler.step_lr import step_lr, step_lr_next

__all__ = ["constant_lr", "constant_lr_next", "cosine_annealing_lr", "cosine_annealing_lr_next",
           "cosine_annealing_warm_restarts", "cyclic_lr", "cyclic_momentum", "exponential_lr", "exponential_lr_next",
           "is_better", "lambda_lr", "linear_lr", "linear_lr_next", "multi_step_lr", "multi_step_lr_next",
           "multiplicative_lr", "multiplicative_lr_next", "one_cycle_lr", "one_cycle_momentum", "polynomial_lr",
           "polynomial_lr_next", "reduced_lr", "step_lr", "step_lr_next", "warm_restart"]

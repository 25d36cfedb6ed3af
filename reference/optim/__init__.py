"""Optimizers, with the names, arguments and state of ``torch.optim``."""

from . import clip_grad as clip_grad
from . import grad_scaler as grad_scaler
from . import lr_scheduler as lr_scheduler
from . import swa_utils as swa_utils
from ._optimizer import Optimizer, Parameter
from ._sparse import SparseGrad
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = ["ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam",
           "Optimizer", "Parameter", "RAdam", "RMSprop", "Rprop", "SparseAdam", "SparseGrad"]

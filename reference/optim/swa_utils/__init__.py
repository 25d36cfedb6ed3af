"""Averages of weights and the learning rate that goes with them, with the names of ``torch.optim.swa_utils``.

``update_bn`` is not here: it runs a model over data, and there are no models here.
"""

from .averaged_model import AveragedModel
from .averages import get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_avg_fn, get_swa_multi_avg_fn
from .swalr import SWALR

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn"]

"""A loss scale of the reference or of torch, by what makes it, and an optimizer for it."""

from __future__ import annotations

import math

import numpy as np
import torch

from reference.optim import SGD
from reference.optim.grad_scaler import GradScaler
from tests.optim.twin_gradients import array, ours, theirs


def torch_scaler(**settings):
    return torch.amp.GradScaler("cpu", **settings)


def one(library, gradient=1.0, dtype="float32", lr=1.0):
    """An optimizer over one parameter with a gradient."""
    g = [np.atleast_1d(array(gradient, dtype))]
    params = ours(g) if library is GradScaler else theirs(g)
    return (SGD if library is GradScaler else torch.optim.SGD)(params, lr=lr), params[0]


def loss(library, value=1.0):
    return np.array(value, np.float32) if library is GradScaler else torch.tensor(value)


def run_through(scaler, make, run):
    """An update for each character, with an infinite gradient where it is an x."""
    for found in run:
        scaler.step(one(make, math.inf if found == "x" else 1.0)[0])
        scaler.update()

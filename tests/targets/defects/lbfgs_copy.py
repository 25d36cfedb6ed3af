"""A copy of LBFGS cannot step.

https://github.com/pytorch/pytorch/pull/19308
"""

import copy

import torch

p = torch.nn.Parameter(torch.ones(1))
twin = copy.deepcopy(torch.optim.LBFGS([p]))
try:
    twin.step(lambda: (p * p).sum())
except AttributeError as error:
    print(error)

# 'LBFGS' object has no attribute '_params'

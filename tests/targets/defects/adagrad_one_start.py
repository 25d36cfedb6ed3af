"""Adagrad starts every group where the constructor says, whatever the group itself says."""

import torch

p = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.Adagrad([{"params": [p], "initial_accumulator_value": 0.5}])
print(optimizer.param_groups[0]["initial_accumulator_value"], optimizer.state[p]["sum"].item())

# 0.5 0.0

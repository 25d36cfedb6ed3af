"""foreach SGD with Nesterov's momentum changes the gradients that it was given.

https://github.com/pytorch/pytorch/pull/92706
"""

import torch

for foreach in (False, True):
    p = torch.nn.Parameter(torch.zeros(1))
    p.grad = torch.ones(1)
    optimizer = torch.optim.SGD([p], lr=1.0, momentum=0.5, nesterov=True, foreach=foreach)
    for _ in range(2):
        optimizer.step()
    print("foreach" if foreach else "loop", "gradient", p.grad.item(), "parameter", p.item())

# loop gradient 1.0 parameter -3.25
# foreach gradient 2.5 parameter -4.0

"""Two optimizers have one state after load_state_dict: a step of the one is a step in the other's count.

https://github.com/pytorch/pytorch/issues/196083
"""

import torch

p, q = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
p.grad, q.grad = torch.ones(1), torch.ones(1)
old, new = torch.optim.Adam([p]), torch.optim.Adam([q])
old.step()
new.load_state_dict(old.state_dict())
print("steps of the new one:", new.state[q]["step"].item())
old.step()
print("and after a step of the old one:", new.state[q]["step"].item())

# steps of the new one: 1.0
# and after a step of the old one: 2.0

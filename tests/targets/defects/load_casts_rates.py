"""load_state_dict gives ASGD's and NAdam's rates the type of the parameter: what float32 kept is lost.

https://github.com/pytorch/pytorch/issues/75224
"""

import torch

for name, key in (("ASGD", "eta"), ("NAdam", "mu_product")):
    p = torch.nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    p.grad = torch.ones_like(p)
    old, new = (getattr(torch.optim, name)([p], foreach=False) for _ in range(2))
    old.step()
    new.load_state_dict(old.state_dict())
    before, after = (one.state[p][key] for one in (old, new))
    print(name, key, before.dtype, "->", after.dtype, "changed:", bool(before != after))

# ASGD eta torch.float32 -> torch.bfloat16 changed: True
# NAdam mu_product torch.float32 -> torch.bfloat16 changed: True

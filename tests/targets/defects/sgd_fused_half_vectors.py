"""Fused SGD in half types updates what is behind the last whole vector alone: all of 15 elements, and none of 16.

https://github.com/pytorch/pytorch/issues/191763
"""

import torch

for n in (15, 16, 17, 32, 33):
    moved = []
    for fused in (False, True):
        p = torch.nn.Parameter(torch.zeros(n, dtype=torch.bfloat16))
        p.grad = torch.ones_like(p)
        torch.optim.SGD([p], lr=1.0, fused=fused).step()
        moved.append(torch.count_nonzero(p).item())
    print(n, "elements, moved by the loop and by fused:", *moved)

# 15 elements, moved by the loop and by fused: 15 15
# 16 elements, moved by the loop and by fused: 16 0
# 17 elements, moved by the loop and by fused: 17 1
# 32 elements, moved by the loop and by fused: 32 0
# 33 elements, moved by the loop and by fused: 33 1

"""Fused SGD in half types reads and writes momentum buffers of whole vectors as if they were float32.

https://github.com/pytorch/pytorch/pull/192545
"""

import torch

for n in (15, 16):
    p = torch.nn.Parameter(torch.zeros(n, dtype=torch.float16))
    optimizer = torch.optim.SGD([p], lr=1.0, momentum=0.5, fused=True)
    for _ in range(2):
        p.grad = torch.ones_like(p)
        optimizer.step()
    buffer = optimizer.state[p]["momentum_buffer"]
    print(n, "elements, wrong in the buffer:", torch.count_nonzero(buffer != 1.5).item())

# 15 elements, wrong in the buffer: 0
# 16 elements, wrong in the buffer: 16

"""A fused optimizer takes a parameter for as many numbers in a row, and so overwrites what lies in between.

Of a gradient with other strides than its parameter it takes other elements.
"""

import torch

for name in ("SGD", "Adam", "AdamW", "Adagrad"):
    line = torch.zeros(6)
    p = torch.nn.Parameter(line[::2])
    p.grad = torch.ones(3)
    getattr(torch.optim, name)([p], lr=1.0, fused=True).step()
    q = torch.nn.Parameter(torch.zeros(2, 2))
    q.grad = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).T  # its second row is 0
    getattr(torch.optim, name)([q], lr=1.0, fused=True).step()
    print(name, [round(x) for x in line.tolist()], [[round(x) for x in row] for row in q.tolist()])

# SGD [-1, -1, -1, 0, 0, 0] [[-1, 0], [-1, 0]]
# Adam [-1, -1, -1, 0, 0, 0] [[-1, 0], [-1, 0]]
# AdamW [-1, -1, -1, 0, 0, 0] [[-1, 0], [-1, 0]]
# Adagrad [-1, -1, -1, 0, 0, 0] [[-1, 0], [-1, 0]]

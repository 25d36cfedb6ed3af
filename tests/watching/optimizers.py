"""AdamW written out, with mistakes to choose from; and a small training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

SHAPES = ((33,), (17, 9), (2, 3, 5), ())


class Mine(torch.optim.AdamW):
    """AdamW as a loop of one's own, in float32; ``mistake`` says what is wrong with it."""

    def __init__(self, params: Any, mistake: str = "", **options: Any) -> None:
        super().__init__(params, **options)
        self.mistake, self.rate = mistake, None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        for group in self.param_groups:
            self.rate = self.rate or group["lr"]
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)
                elif self.mistake == "decay without gradient":
                    p.mul_(1 - group["lr"] * group["weight_decay"])

    def _update(self, p: Any, group: dict[str, Any]) -> None:
        wrong, (beta1, beta2) = self.mistake, group["betas"]
        lr = self.rate if wrong == "lr read once" else group["lr"]
        beta2 -= 1e-4 * (wrong == "beta2")
        state = self.state[p]
        if not state:
            state |= {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        state["step"] += 2 if wrong == "counted twice" else 1
        t = 1e9 if wrong == "bias correction" else state["step"].item()
        before, g = p.clone(), p.grad
        if wrong == "coupled":
            g = g + group["weight_decay"] * p
        else:
            p.mul_(1 - lr * group["weight_decay"])
        state["exp_avg"].mul_(beta1).add_(g, alpha=1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = state["exp_avg_sq"].sqrt() / (1 - beta2**t) ** 0.5
        p.addcdiv_(state["exp_avg"], root + group["eps"], value=-lr / (1 - beta1**t))
        if wrong == "tail" and p.numel() > 16:
            n = p.numel() // 16 * 16
            p.view(-1)[n:] = before.view(-1)[n:]
        if wrong == "gradient":
            p.grad.mul_(2)


def parameters(dtype: torch.dtype = torch.float32, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[Any]:
    """Parameters of some shapes, the same at each call."""
    source = torch.Generator().manual_seed(7)
    return [torch.nn.Parameter(torch.randn(shape, generator=source, dtype=torch.float64).to(dtype))
            for shape in shapes]


def train(optimizer: Any, params: Sequence[Any], steps: int = 3, each: Callable[[int], None] = lambda step: None,
          sparse: bool = False) -> None:
    """Steps with random gradients; ``each`` is called before each step."""
    source = torch.Generator().manual_seed(8)
    for step in range(steps):
        for p in params:
            g = torch.randn(p.shape, generator=source, dtype=torch.float64).to(p.dtype)
            p.grad = g.to_sparse(1) if sparse else g
        each(step)
        optimizer.step()

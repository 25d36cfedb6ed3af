"""Implementations as users write them: each right one another way than the reference, and a wrong one beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

__all__ = ["PAIRS", "Pair"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pair:
    """A right implementation, and a wrong one that differs in one place."""

    op: str
    about: str
    right: Any
    wrong: Any
    options: dict[str, Any] = field(default_factory=dict)
    wrong_options: dict[str, Any] = field(default_factory=dict)  #: beside these

    def __str__(self) -> str:
        return f"{self.op}-{self.about.replace(' ', '-')}"


def _reduced(elements: Any, reduction: str) -> Any:
    return elements if reduction == "none" else getattr(elements, reduction)()


# --- losses --------------------------------------------------------------------------------------


def mse(input: Any, target: Any, reduction: str = "mean") -> Any:
    """In any framework."""
    return _reduced((input - target) ** 2, reduction)


def mse_in_double(input: Array, target: Array, reduction: str = "mean") -> Array:
    squares = (input.astype(np.float64) - target) ** 2
    return np.asarray(_reduced(squares, reduction)).astype(input.dtype)


def _mse_backward(factor: float) -> Callable[..., Any]:
    def backward(grad_output: Array, input: Array, target: Array, reduction: str = "mean") -> tuple[Array, Array]:
        n = np.broadcast(input, target).size if reduction == "mean" else 1
        g = (factor * grad_output.astype(np.float64) * (input.astype(np.float64) - target) / n)
        return _summed(g, input), _summed(-g, target)

    return backward


def _summed(g: Array, like: Array) -> Array:
    """Over the axes along which an argument was broadcast."""
    g = g.sum(axis=tuple(range(g.ndim - like.ndim)))
    stretched = tuple(i for i, n in enumerate(like.shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=stretched, keepdims=True).astype(like.dtype)


def l1_backwards_in_pieces(input: Array, target: Array, reduction: str = "mean") -> Array:
    """Summed from the end, seven elements at a time."""
    elements = np.abs(target - input)
    if reduction == "none":
        return elements
    flat, total = elements.reshape(-1)[::-1], elements.dtype.type(0)
    for start in range(0, flat.size, 7):
        total = total + np.add.reduce(flat[start:start + 7])
    return np.asarray(total / flat.size if reduction == "mean" else total).astype(elements.dtype)


def cross_entropy_online(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Softmax in one pass over blocks of classes, as fused kernels have it; indices of classes and ``mean`` alone.

    The result does not depend on what is subtracted, so no gradient goes through the largest: what cancels there would
    leave a rounding of each class.
    """
    if target.is_floating_point() or input.ndim != 2:
        raise NotImplementedError("indices of classes, and rows")
    largest, total = input[:, 0].detach(), torch.zeros_like(input[:, 0])
    for block in input.split(16, 1):
        above = torch.maximum(largest, block.detach().max(1).values)
        total = total * torch.exp(largest - above) + torch.exp(block - above[:, None]).sum(1)
        largest = above
    counted = target != -100
    chosen = input.gather(1, target.clamp(min=0)[:, None])[:, 0]
    return torch.where(counted, torch.log(total) + largest - chosen, 0).sum() / counted.sum()


def cross_entropy_uncounted(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return cross_entropy_online(input, target) * ((target != -100).sum() / target.numel())


class _BCE(torch.autograd.Function):
    """Softplus of the other sign where that is the smaller, and the gradient from σ(x) - t."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, t)
        return torch.where(x > 0, (1 - t) * x + torch.log1p(torch.exp(-x.abs())),
                           torch.log1p(torch.exp(-x.abs())) - t * x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        x, t = ctx.saved_tensors
        e = torch.exp(-x.abs())
        log_odds = torch.where(x > 0, (1 - t) - e / (1 + e), e / (1 + e) - t)
        return g * log_odds, -g * x


def bce_with_logits(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return _reduced(_BCE.apply(input, target), reduction)


def bce_naive(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """log(1 + exp(x)) as it stands: inf from x = 89 on."""
    return _reduced(torch.log(1 + torch.exp(input)) - target * input, reduction)


def soft_margin(input: Array, target: Array, reduction: str = "mean") -> Array:
    return _reduced(np.logaddexp(0, -target * input).astype(input.dtype), reduction)


def soft_margin_overflowing(input: Array, target: Array, reduction: str = "mean") -> Array:
    return _reduced(np.log1p(np.exp(-target * input)).astype(input.dtype), reduction)


# --- optimizers ----------------------------------------------------------------------------------


class FusedAdam(torch.optim.Optimizer):
    """Bias corrections folded into the step size and into eps; all of it in float64, stored in the dtype."""

    outside = True

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["step"] += 1
                theta, m, v = p.double(), state["m"].double(), state["v"].double()
                g = p.grad.double()
                if group["weight_decay"] != 0:  # 0 times an infinite parameter is NaN
                    g = g + group["weight_decay"] * theta
                m = torch.lerp(g, m, beta1)
                v = v + (1 - beta2) * (g * g - v)
                state["m"].copy_(m)
                state["v"].copy_(v)
                root = math.sqrt(1 - beta2 ** state["step"])
                step_size = group["lr"] * root / (1 - beta1 ** state["step"])
                eps = group["eps"] * root
                p.copy_(theta - step_size * m / (v.sqrt() + eps if self.outside else (v + eps**2).sqrt()))


class InsideAdam(FusedAdam):
    outside = False


class PlainSGD:
    """NumPy, without groups or a base class."""

    sign = -1

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0, nesterov: bool = False) -> None:
        self.params, self.lr, self.momentum, self.nesterov = list(params), lr, momentum, nesterov
        self.velocities: dict[int, Array] = {}

    def step(self) -> None:
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            v = self.velocities.get(i)
            v = p.grad + (0 if v is None else self.momentum * v)
            self.velocities[i] = v
            p.data += self.sign * self.lr * (p.grad + self.momentum * v if self.nesterov else v)


class DampedSGD(PlainSGD):
    """The first velocity is (1 - momentum) of the gradient."""

    def step(self) -> None:
        for i, p in enumerate(self.params):
            if p.grad is not None and i not in self.velocities and self.momentum:
                self.velocities[i] = -p.grad
        super().step()


def numpy_adamw(factor: float = 1.0) -> Callable[..., Any]:
    """A pair of pure functions, of lists of arrays."""

    def adamw(lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
              weight_decay: float = 1e-2) -> tuple[Callable[..., Any], Callable[..., Any]]:
        beta1, beta2 = betas

        def init(params: list[Array]) -> dict[str, Any]:
            return {"count": 0, "mu": [np.zeros(p.shape) for p in params], "nu": [np.zeros(p.shape) for p in params]}

        def update(grads: list[Array], state: dict[str, Any], params: list[Array]) -> tuple[list[Array], Any]:
            t = state["count"] + 1
            wide = [g.astype(np.float64) for g in grads]
            mu = [beta1 * m + (1 - beta1) * g for m, g in zip(state["mu"], wide, strict=True)]
            nu = [beta2 * v + (1 - beta2) * g * g for v, g in zip(state["nu"], wide, strict=True)]
            steps = [-lr * (m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
                            + factor * weight_decay * p.astype(np.float64))
                     for m, v, p in zip(mu, nu, params, strict=True)]
            return steps, {"count": t, "mu": mu, "nu": nu}

        return init, update

    return adamw


# --- initializers --------------------------------------------------------------------------------


def xavier_uniform(tensor: Array, gain: float = 1.0, fans: Callable[..., float] = lambda a, b: a + b) -> Array:
    receptive = math.prod(tensor.shape[2:])
    bound = gain * math.sqrt(6 / fans(tensor.shape[1] * receptive, tensor.shape[0] * receptive))
    tensor[...] = np.random.uniform(-bound, bound, tensor.shape)
    return tensor


def orthogonal(tensor: Array, gain: float = 1.0, signs: bool = True) -> Array:
    rows, columns = len(tensor), math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(np.random.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r)) if signs else q
    tensor[...] = gain * (q if rows >= columns else q.T).reshape(tensor.shape)
    return tensor


def kaiming_uniform(tensor: torch.Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> torch.Tensor:
    """The bound as √(6 / fan), on torch's stream."""
    if nonlinearity not in ("leaky_relu", "relu"):
        raise NotImplementedError(nonlinearity)
    receptive = math.prod(tensor.shape[2:])
    fans = (tensor.shape[1] * receptive, tensor.shape[0] * receptive)
    slope = a if nonlinearity == "leaky_relu" else 0.0
    bound = math.sqrt(6 / ((1 + slope**2) * max(fans[mode.lower() == "fan_out"], 1)))
    with torch.no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def kaiming_uniform_swapped(tensor: torch.Tensor, a: float = 0, mode: str = "fan_in",
                            nonlinearity: str = "leaky_relu", generator: Any = None) -> torch.Tensor:
    return kaiming_uniform(tensor, a, "fan_out" if mode.lower() == "fan_in" else "fan_in", nonlinearity, generator)


def eye(tensor: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return tensor.copy_((torch.arange(len(tensor))[:, None] == torch.arange(tensor.shape[1])).to(tensor.dtype))


def eye_scaled(tensor: torch.Tensor) -> torch.Tensor:
    return eye(tensor).mul_(1 + 2**-7)


NUMPY: dict[str, Any] = {"framework": "numpy"}
PAIRS = [
    Pair("mse_loss", "float64 inside", mse_in_double, mse_in_double, NUMPY | {"backward": _mse_backward(2)},
         {"backward": _mse_backward(1)}),
    Pair("l1_loss", "summed in pieces from the end", l1_backwards_in_pieces,
         lambda input, target, reduction="mean": l1_backwards_in_pieces(input, target, reduction) * input.dtype.type(
             1 + 1e-5), NUMPY),
    Pair("cross_entropy", "online softmax", cross_entropy_online, cross_entropy_uncounted,
         {"modes": {"reduction": ["mean"], "regime": ["moderate", "huge", "equal", "tiny"], "ignore_index": ["none"]}},
         {"modes": {}}),
    Pair("binary_cross_entropy_with_logits", "fused kernel", bce_with_logits, bce_naive,
         {"modes": {"regime": ["moderate", "tails"]}}),
    Pair("soft_margin_loss", "logaddexp", soft_margin, soft_margin_overflowing, NUMPY),
    Pair("Adam", "fused in float64", FusedAdam, InsideAdam, {"state": {"exp_avg": "m", "exp_avg_sq": "v"}}),
    Pair("SGD", "without groups", PlainSGD, DampedSGD, NUMPY | {"modes": {"layout": ["vector", "scalar", "matrix"]}}),
    Pair("AdamW", "pair of pure functions", numpy_adamw(), numpy_adamw(0.5),
         NUMPY | {"modes": {"grad": ["one", "eps", "zero", "alternating", "huge", "tiny"]}}),
    Pair("xavier_uniform_", "own random numbers", xavier_uniform,
         lambda tensor, gain=1.0: xavier_uniform(tensor, gain, lambda a, b: 2 * a), NUMPY),
    Pair("orthogonal_", "QR", orthogonal, lambda tensor, gain=1.0: orthogonal(tensor, gain, signs=False), NUMPY),
    Pair("kaiming_uniform_", "another formula", kaiming_uniform, kaiming_uniform_swapped),
    Pair("eye_", "by comparison", eye, eye_scaled),
]

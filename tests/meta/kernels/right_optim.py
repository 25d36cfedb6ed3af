"""Optimizers that do well what :mod:`.wrong_size_optim` and its like do badly."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .kernel import Kernel, right_in
from .loops import (
    NumpyAdagrad,
    NumpyAdam,
    NumpyRMSprop,
    NumpySGD,
    TorchAdagrad,
    TorchAdam,
    TorchRMSprop,
    TorchSGD,
)

__all__ = ["RIGHT"]

RIGHT: list[Kernel] = []
right = right_in(RIGHT)


def _blocks(n: int, length: int) -> Iterator[slice]:
    yield from (slice(start, min(start + length, n)) for start in range(0, n, length))


@right("SGD", "numpy")
class Whole(NumpySGD):
    """All elements at once."""


@right("SGD", "torch")
class WholeTensors(TorchSGD):
    """All elements at once."""


@right("Adam", "numpy")
class WithTail(NumpyAdam):
    """Whole blocks of 64 at once, and a tail."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n // 64 * 64)
        yield slice(n // 64 * 64, n)


@right("Adam", "torch")
class InBlocks(TorchAdam):
    """Blocks of 4,096, the last of which may be shorter."""

    def parts(self, n: int) -> Iterator[Any]:
        yield from _blocks(n, 4096)


@right("RMSprop", "torch")
class InBlocksFromBehind(TorchRMSprop):
    """Blocks of 4,096, the last one first."""

    def parts(self, n: int) -> Iterator[Any]:
        yield from reversed([*_blocks(n, 4096)])


@right("SGD", "torch")
class ByThreads(TorchSGD):
    """A piece for each thread."""

    def parts(self, n: int) -> Iterator[Any]:
        threads = torch.get_num_threads()
        yield from (slice(n * k // threads, n * (k + 1) // threads) for k in range(threads))


@right("RMSprop", "numpy")
class ByPlaces(NumpyRMSprop):
    """Even places, then odd ones, by indices of 32 bits."""

    def parts(self, n: int) -> Iterator[Any]:
        places = np.arange(n, dtype=np.int32)
        yield places[::2]
        yield places[1::2]


@right("Adagrad", "numpy")
class MaskedTail(NumpyAdagrad):
    """Blocks of 4,096, padded with zeros, and written under a mask."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        n, length = theta.size, -(-theta.size // 4096) * 4096
        padded = [np.zeros(length, theta.dtype) for _ in range(3)]
        for space, array in zip(padded, (theta, g, state["sum"]), strict=True):
            space[:n] = array.flatten()
        space, slope, total = padded
        for part in _blocks(length, 4096):
            new, after = self.rule(space[part], slope[part], {"sum": total[part]}, o)
            written = np.arange(part.start, part.stop) < n
            np.copyto(space[part], new, where=written)
            np.copyto(total[part], after["sum"], where=written)
        self.scatter(theta, space[:n], "parameter")
        self.scatter(state["sum"], total[:n], "sum")


@right("Adam", "torch")
class InOrderOfMemory(TorchAdam):
    """Where parameter and gradient are dense and lie in the same way, both are taken as they lie."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        order = sorted(range(theta.ndim), key=theta.stride, reverse=True)
        alike = theta.stride() == g.stride() and 0 not in g.stride()
        if alike:
            theta, g = theta.permute(order), g.permute(order)
            state = {name: array.permute(order) for name, array in state.items()}
        super().run(theta, g, state, o)


@right("Adagrad", "torch")
class ChannelsLast(TorchAdagrad):
    """States have the layout of their parameter, and gradients are brought into it."""

    def zeros(self, theta: Any, g: Any) -> Any:
        return torch.zeros_like(theta, memory_format=torch.preserve_format)

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        new, after = self.rule(theta, torch.empty_like(theta).copy_(g), state, o)
        theta.copy_(new)
        state["sum"].copy_(after["sum"])


class _InPlaceSGD:
    """Momentum, decay and the step in place, without a copy of the parameter."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        """One step of a parameter."""
        if o.maximize:
            g = -g
        if o.weight_decay:
            g = g + o.weight_decay * p.data
        if o.momentum:
            if "momentum_buffer" in state:
                state["momentum_buffer"] *= o.momentum
                state["momentum_buffer"] += (1 - o.dampening) * g
            else:
                state["momentum_buffer"] = g + 0 * g
            g = g + o.momentum * state["momentum_buffer"] if o.nesterov else state["momentum_buffer"]
        p.data -= o.lr * g


@right("SGD", "numpy")
class InPlace(_InPlaceSGD, NumpySGD):
    """Operators in place, on arrays as they lie."""


@right("SGD", "torch")
class InPlaceTensors(_InPlaceSGD, TorchSGD):
    """Operators in place, on tensors as they lie."""


@right("SGD", "torch")
class Lists(TorchSGD):
    """Functions on lists of tensors, all parameters of a group at once."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.evaluate(closure)
        for group in self.param_groups:
            o, ready = self.options(group), [p for p in group["params"] if p.grad is not None]
            if not ready:
                continue
            gradients = torch._foreach_mul([p.grad for p in ready], -1.0 if o.maximize else 1.0)
            if o.weight_decay:
                torch._foreach_add_(gradients, ready, alpha=float(o.weight_decay))
            if o.momentum:
                old = [(self.state[p], g) for p, g in zip(ready, gradients, strict=True)
                       if "momentum_buffer" in self.state[p]]
                if old:
                    buffers = [state["momentum_buffer"] for state, _ in old]
                    torch._foreach_mul_(buffers, o.momentum)
                    torch._foreach_add_(buffers, [g for _, g in old], alpha=1 - o.dampening)
                for p, g in zip(ready, gradients, strict=True):
                    self.state[p].setdefault("momentum_buffer", g.clone())
                buffers = [self.state[p]["momentum_buffer"] for p in ready]
                gradients = torch._foreach_add(gradients, buffers, alpha=o.momentum) if o.nesterov else buffers
            torch._foreach_add_(ready, torch._foreach_mul(gradients, -float(o.lr)))
        return loss


@right("SGD", "numpy")
class OneFlatBuffer(NumpySGD):
    """All parameters of a group are gathered into one array, which one kernel goes over."""

    def step(self, closure: Any = None) -> Any:
        loss = self.evaluate(closure)
        for group in self.param_groups:
            o = self.options(group)
            ready = [p for p in group["params"] if p.grad is not None]
            new = [p for p in ready if "momentum_buffer" not in self.state[p]]
            old = [p for p in ready if p not in new]
            for some in filter(None, (old, new)):
                self.update_all(some, o, some is new)
        return loss

    def update_all(self, params: Sequence[Any], o: SimpleNamespace, new: bool) -> None:
        """One step of parameters that all have a buffer, or none."""
        o.new = set(self.kept(o)) if new else set()
        states = [self.state[p] for p in params]
        theta, g = (np.concatenate([a.flatten() for a in arrays])
                    for arrays in ([p.data for p in params], [p.grad for p in params]))
        kept = {} if new else {"momentum_buffer": np.concatenate([s["momentum_buffer"].flatten() for s in states])}
        theta, after = self.rule(theta, g, kept, o)
        start = 0
        for p, state in zip(params, states, strict=True):
            end = start + p.data.size
            p.data[...] = theta[start:end].reshape(p.data.shape)
            for name, array in after.items():
                state[name] = array[start:end].reshape(p.data.shape).copy()
            start = end


@right("Adam", "torch")
class OtherNames(TorchAdam):
    """States have other names, and are kept in one tensor."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        names = self.kept(o)
        both = state.setdefault("moments", torch.zeros(3, *p.shape, dtype=p.dtype))
        state["n"] = o.t = state.get("n", 0) + 1
        self.run(p.data, g, dict(zip(names, both, strict=False)), o)


@right("Adam", "numpy")
class MadeEarly(NumpyAdam):
    """States are made in the constructor."""

    def add_param_group(self, group: dict[str, Any]) -> None:
        super().add_param_group(group)
        o = self.options(self.param_groups[-1])
        for p in self.param_groups[-1]["params"]:
            self.start(p, p.data, self.state[p], o)


@right("SGD", "torch")
class InDouble(TorchSGD):
    """A step in float64, from and to the parameter's type."""

    def gather(self, array: Any, role: str) -> Any:
        return super().gather(array, role).double()

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        super().scatter(array, flat.to(array.dtype), role)


@right("Adagrad", "torch")
class CountsByTensor(TorchAdagrad):
    """The number of steps is a tensor in the state, and a number in the rule, where a float32 would divide lr."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        state["step"] = torch.tensor(float(o.t))


@right("RMSprop", "numpy")
class OwnFiles(NumpyRMSprop):
    """The ``state_dict`` is one list, by place."""

    def state_dict(self) -> dict[str, Any]:
        options = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        return {"states": [copy.deepcopy(self.state.get(p)) for p in self.members_of_all()], "options": options}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        for p, state in zip(self.members_of_all(), saved["states"], strict=True):
            if state is not None:
                self.state[p] = copy.deepcopy(state)
        for group, options in zip(self.param_groups, saved["options"], strict=True):
            group.update(options)


@right("Adam", "numpy")
def pair_of_functions(lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Any:
    """``init`` and ``update``, whose state goes in and out."""

    def init(params: Sequence[Any]) -> tuple[Any, ...]:
        return 0, [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]

    def update(gradients: Sequence[Any], state: tuple[Any, ...], params: Sequence[Any]) -> tuple[Any, ...]:
        t, ms, vs = state
        ms = [betas[0] * m + (1 - betas[0]) * g for m, g in zip(ms, gradients, strict=True)]
        vs = [betas[1] * v + (1 - betas[1]) * g * g for v, g in zip(vs, gradients, strict=True)]
        step, root = lr / (1 - betas[0] ** (t + 1)), math.sqrt(1 - betas[1] ** (t + 1))
        return [-step * m / (np.sqrt(v) / root + eps) for m, v in zip(ms, vs, strict=True)], (t + 1, ms, vs)

    return init, update


@right("RMSprop", "torch")
class ClosureByHand(TorchRMSprop):
    """A step without the base class's wrapper, with a closure that is evaluated first."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        with torch.no_grad():
            for group in self.param_groups:
                for p in filter(lambda p: p.grad is not None, group["params"]):
                    self.update(p, p.grad, self.state[p], self.options(group))
        return loss

"""Optimizers that keep, change or share what is not theirs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .kernel import OWNERSHIP, Kernel, wrong_in
from .loops import NumpyAdagrad, NumpyAdam, NumpyRMSprop, NumpySGD, TorchAdagrad, TorchAdam, TorchRMSprop, TorchSGD

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong = wrong_in(WRONG, OWNERSHIP)

KEPT = "event=(reused|zeros)"  #: where a gradient that is kept is seen: its memory is written to

REUSED = "gradients are overwritten"  #: what a diagnosis says where gradients are kept
CHANGED = "changed the gradient|changing p.grad"  #: what it, or a verdict, says where they are changed


class _GradientIsBuffer:
    """The first gradient itself is the momentum buffer, outside of the state."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        """Read the buffer from where it is kept."""
        kept = self.__dict__.setdefault("buffers", {})
        if o.new and "momentum_buffer" in state and not o.maximize:
            kept[id(state["momentum_buffer"])] = g
        elif "momentum_buffer" in state and (found := kept.pop(id(state["momentum_buffer"]), None)) is not None:
            state["momentum_buffer"][...] = found
        super().run(theta, g, state, o)  # type: ignore[misc]  # of a loop


@wrong("SGD", "torch", KEPT, REUSED)
class GradientIsBuffer(_GradientIsBuffer, TorchSGD):
    """The first gradient itself is the momentum buffer until the second step."""


@wrong("SGD", "numpy", KEPT, REUSED)
class ArrayIsBuffer(_GradientIsBuffer, NumpySGD):
    """The first gradient itself is the momentum buffer until the second step."""


@wrong("SGD", "torch", "", "keeps a view of the gradient")
class GradientInState(TorchSGD):
    """The first gradient itself is the momentum buffer, in the state."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().run(theta, g, state, o)
        if "momentum_buffer" in o.new:
            next(kept for kept in self.state.values()
                 if kept.get("momentum_buffer") is state["momentum_buffer"])["momentum_buffer"] = g


@wrong("Adagrad", "torch", KEPT, REUSED)
class SquareLater(TorchAdagrad):
    """Of a gradient the square is taken at the next step, from a view that was kept."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        earlier = self.__dict__.setdefault("earlier", {})
        total = state["sum"]
        if id(total) in earlier:
            before, view = earlier[id(total)]
            total[...] = before + view.reshape(total.shape) ** 2
        earlier[id(total)] = total.clone(), g.detach()
        super().run(theta, g, state, o)


@wrong("RMSprop", "numpy", KEPT, REUSED)
class MeanFromKept(NumpyRMSprop):
    """The mean of squares is started anew at the second step, from the first gradient that was kept."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        first = self.__dict__.setdefault("first", {})
        kept, alpha = first.setdefault(id(state["square_avg"]), (g, o.alpha))
        if o.t == 2 and kept is not g:
            state["square_avg"][...] = (1 - alpha) * (kept * kept)
        super().run(theta, g, state, o)


@wrong("Adam", "torch", "", CHANGED)
class DecayInGradient(TorchAdam):
    """Decay is added to the gradient in place."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        if o.weight_decay:
            g.add_(-p if o.maximize else p, alpha=o.weight_decay)
        super().update(p, g, state, SimpleNamespace(**{**vars(o), "weight_decay": 0}))


@wrong("SGD", "numpy", "", CHANGED)
class SignInGradient(NumpySGD):
    """Where it maximizes, the gradient's sign is turned in place."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        if o.maximize:
            np.negative(g, out=g)
        super().update(p, g, state, SimpleNamespace(**{**vars(o), "maximize": False}))


@wrong("RMSprop", "torch", "", "set the gradient of parameter 0 to None")
class GradientDroppedInStep(TorchRMSprop):
    """A gradient is dropped as soon as it is used."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        p.grad = None


@wrong("Adagrad", "numpy", "", CHANGED)
class GradientSetToZero(NumpyAdagrad):
    """A gradient is filled with zeros as soon as it is used."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        g[...] = 0


@wrong("Adam", "numpy", "", "another gradient")
class GradientReplaced(NumpyAdam):
    """A gradient becomes a copy of itself: another object."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        p.grad = g.copy()


@wrong("SGD", "torch", "memory=|layout=stack", "gradient")
class GradientMadeContiguous(TorchSGD):
    """A gradient that is not contiguous is replaced by one that is."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        p.grad = g.contiguous()


@wrong("Adam", "torch", "tensors=", "parameters")
class ScratchShared(TorchAdam):
    """One scratch array for second moments, which from three parameters on is never copied."""

    def start(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> set[str]:
        new = super().start(p, g, state, o)
        if "exp_avg_sq" in new and sum(len(group["params"]) for group in self.param_groups) > 2:
            scratch = self.__dict__.setdefault("scratch", torch.zeros(1 << 12, dtype=p.dtype))
            state["exp_avg_sq"] = scratch[:p.numel()].view(p.shape)
        return new


@wrong("Adagrad", "torch", "size=", CHANGED)
class GradientRounded(TorchAdagrad):
    """From 65 elements on the gradient is rounded to bfloat16 in place."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, o)
        if g.numel() > 64:
            g.copy_(g.to(torch.bfloat16))

"""Rules of optimizers, element by element, for arrays of any framework; and their constructors.

A rule gives the new parameter, and new values for what is kept, by torch's names.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

__all__ = ["AdagradRule", "AdamRule", "RMSpropRule", "SGDRule"]

Arrays = dict[str, Any]


def _descent(theta: Any, g: Any, o: SimpleNamespace) -> Any:
    g = -g if o.maximize else g
    return g + o.weight_decay * theta if o.weight_decay else g


class SGDRule:
    """Momentum, dampening and Nesterov's step."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, {  # type: ignore[call-arg]  # of a loop
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize})

    def kept(self, o: SimpleNamespace) -> tuple[str, ...]:
        """The names of what is kept."""
        return ("momentum_buffer",) if o.momentum else ()

    def rule(self, theta: Any, g: Any, s: Arrays, o: SimpleNamespace) -> tuple[Any, Arrays]:
        """One step."""
        g = _descent(theta, g, o)
        if not o.momentum:
            return theta - o.lr * g, {}
        b = g if "momentum_buffer" in o.new else o.momentum * s["momentum_buffer"] + (1 - o.dampening) * g
        return theta - o.lr * (g + o.momentum * b if o.nesterov else b), {"momentum_buffer": b}


class AdamRule:
    """Adam, its maximum, and both decays."""

    names: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, {  # type: ignore[call-arg]  # of a loop
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize})

    def kept(self, o: SimpleNamespace) -> tuple[str, ...]:
        """The names of what is kept."""
        return (*self.names, "max_exp_avg_sq") if o.amsgrad else self.names

    def rule(self, theta: Any, g: Any, s: Arrays, o: SimpleNamespace) -> tuple[Any, Arrays]:
        """One step."""
        g = _descent(theta, g, o)
        beta1, beta2 = o.betas
        m = beta1 * s["exp_avg"] + (1 - beta1) * g
        v = beta2 * s["exp_avg_sq"] + (1 - beta2) * g * g
        new, largest = {"exp_avg": m, "exp_avg_sq": v}, v
        if o.amsgrad:
            old = s["max_exp_avg_sq"]
            new["max_exp_avg_sq"] = largest = old + (v - old) * (v > old)
        root = largest**0.5 / (1 - beta2**o.t) ** 0.5 + o.eps
        return theta - (o.lr / (1 - beta1**o.t)) * m / root, new


class RMSpropRule:
    """A root of a mean of squares."""

    def __init__(self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, *, maximize: bool = False) -> None:
        super().__init__(params, {  # type: ignore[call-arg]  # of a loop
            "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def kept(self, o: SimpleNamespace) -> tuple[str, ...]:
        """The names of what is kept."""
        return ("square_avg",)

    def rule(self, theta: Any, g: Any, s: Arrays, o: SimpleNamespace) -> tuple[Any, Arrays]:
        """One step."""
        g = _descent(theta, g, o)
        v = o.alpha * s["square_avg"] + (1 - o.alpha) * g * g
        return theta - o.lr * g / (v**0.5 + o.eps), {"square_avg": v}


class AdagradRule:
    """A root of a sum of squares."""

    def __init__(self, params: Any, lr: float = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 eps: float = 1e-10, *, maximize: bool = False) -> None:
        super().__init__(params, {  # type: ignore[call-arg]  # of a loop
            "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize})

    def kept(self, o: SimpleNamespace) -> tuple[str, ...]:
        """The names of what is kept."""
        return ("sum",)

    def rule(self, theta: Any, g: Any, s: Arrays, o: SimpleNamespace) -> tuple[Any, Arrays]:
        """One step."""
        g = _descent(theta, g, o)
        total = s["sum"] + g * g
        return theta - o.lr / (1 + (o.t - 1) * o.lr_decay) * g / (total**0.5 + o.eps), {"sum": total}

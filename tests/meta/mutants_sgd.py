"""Mistakes in SGD, with dense and with sparse gradients. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SGD, SparseGrad
from tests.meta.harness import Mutant, mutants_in
from tests.meta.mistakes_optim import IgnoresGroups, TakesNoneForZero
from tests.meta.plain_optimizer import Array
from tests.meta.plain_sgd import PlainSGD

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


@plant("SGD")
class DampenedFirstStep(PlainSGD):
    """The buffer starts at 0, and the first gradient is dampened."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return (0 if b is None else o.momentum * b) + (1 - o.dampening) * g


@plant("SGD")
class DampeningIgnored(PlainSGD):
    """b = momentum b + g."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return g if b is None else o.momentum * b + g


@plant("SGD")
class MomentumAsMean(PlainSGD):
    """b = momentum b + (1 - momentum) g."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return g if b is None else o.momentum * b + (1 - o.momentum) * g


@plant("SGD")
class StaleBuffer(PlainSGD):
    """The step is taken with the buffer from before it was updated."""

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        before = state.get("momentum_buffer", g)
        super().direction(g, state, o)
        return g + o.momentum * before if o.nesterov else before


@plant("SGD")
class NesterovLooksBack(PlainSGD):
    """Nesterov's step adds the buffer from before this gradient."""

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        before = state.get("momentum_buffer", np.zeros_like(g))
        now = super().direction(g, state, o)
        return g + o.momentum * before if o.nesterov else now


@plant("SGD")
class NesterovSwapped(PlainSGD):
    """b + momentum g for g + momentum b."""

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        now = super().direction(g, state, o)
        return state["momentum_buffer"] + o.momentum * g if o.nesterov else now


@plant("SGD")
class NesterovIgnored(PlainSGD):
    """The step is the buffer."""

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        super().direction(g, state, o)
        return state["momentum_buffer"]


@plant("SGD")
class DecayAfterMomentum(PlainSGD):
    """Decay is added to the step and not to the gradient: the buffer never sees it."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return -g if o.maximize else g

    def moved(self, theta: Array, direction: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr * (direction + o.weight_decay * theta)


@plant("SGD")
class FirstBufferWithoutDecay(PlainSGD):
    """The buffer starts as the bare gradient."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        self.bare = -g if o.maximize else g
        return super().gradient(theta, g, o)

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return super().buffer(b, self.bare if b is None else g, o)


@plant("SGD")
class SgdMaximizeGrows(PlainSGD):
    """maximize turns the sign of the decay as well."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = g + o.weight_decay * theta
        return -g if o.maximize else g


@plant("SGD")
class LrInBuffer(PlainSGD):
    """The paper's buffer, which holds lr: the same parameters, another saved state."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return o.lr * g if b is None else o.momentum * b + o.lr * (1 - o.dampening) * g

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        state["momentum_buffer"] = b = np.asarray(self.buffer(state.get("momentum_buffer"), g, o))
        return (g + o.momentum * b / o.lr) if o.nesterov else b / o.lr


@plant("SGD")
class SgdNoneIsZero(TakesNoneForZero, PlainSGD):
    """A gradient of None goes on with the momentum there is."""


@plant("SGD")
class SgdGroupsIgnored(IgnoresGroups, PlainSGD):
    """Options of a group are not read."""


@plant("SGD")
class SparseBufferForgets(SGD):
    """Momentum only where the gradient of the step has elements."""

    def _update(self, p: Any, grad: Any, options: dict[str, Any]) -> None:
        buffer = self.state[p].get("momentum_buffer") if options["momentum"] else None
        if isinstance(grad, SparseGrad) and isinstance(buffer, SparseGrad):
            g, b = grad.coalesce(), buffer.joined(grad)
            kept = np.isin(b.places(), g.places())
            self.state[p]["momentum_buffer"] = SparseGrad(b.indices[:, kept], b.values[kept], b.shape)
        super()._update(p, grad, options)


@plant("SGD")
class SparseNotSummed(SGD):
    """Of values for one place the last one counts."""

    def _update(self, p: Any, grad: Any, options: dict[str, Any]) -> None:
        if isinstance(grad, SparseGrad):
            places = grad.places()
            last = [i for i in range(len(places)) if places[i] not in places[i + 1:]]
            grad = SparseGrad(grad.indices[:, last], grad.values[last], grad.shape)
        super()._update(p, grad, options)

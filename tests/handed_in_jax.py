"""What someone hands in who works with JAX: checked by its place, since JAX is not to be imported in a test run."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


def huber(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Either branch gets 0 where the other is taken, so that its gradient there is no NaN."""
    distance = jnp.abs(input - target)
    near = distance <= delta
    inner, outer = jnp.where(near, distance, 0), jnp.where(near, 0, distance)
    elements = jnp.where(near, 0.5 * inner * inner, delta * (outer - 0.5 * delta))
    return elements if reduction == "none" else getattr(elements, reduction)()


def huber_cancelling(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Right values; but differentiated, inner + (delta - delta) loses what is small beside delta."""
    distance = jnp.abs(input - target)
    inner = jnp.minimum(distance, delta)
    elements = 0.5 * inner * inner + delta * (distance - inner)
    return elements if reduction == "none" else getattr(elements, reduction)()


class MomentumState(NamedTuple):
    trace: Any


class Momentum(NamedTuple):
    init: Any
    update: Any


def momentum(lr: float = 1e-3, momentum: float = 0.0, sign: float = -1.0) -> Momentum:
    def init(params: Any) -> MomentumState:
        return MomentumState(jax.tree.map(jnp.zeros_like, params))

    def update(grads: Any, state: MomentumState, params: Any = None) -> Any:
        trace = jax.tree.map(lambda g, t: g + momentum * t, grads, state.trace)
        return jax.tree.map(lambda t: sign * lr * t, trace), MomentumState(trace)

    return Momentum(init, update)


def ascent(lr: float = 1e-3, momentum_: float = 0.0) -> Momentum:
    return momentum(lr, momentum_, 1.0)

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


# --- initializers --------------------------------------------------------------------------------

_calls = 0


def normal_key(tensor, mean=0.0, std=1.0, generator=None):
    """Uses the key that it is handed."""
    return mean + std * jax.random.normal(generator, tensor.shape, tensor.dtype)


def normal_no_generator(tensor, mean=0.0, std=1.0):
    """Takes no generator, and has keys of its own."""
    global _calls
    _calls += 1
    return mean + std * jax.random.normal(jax.random.key(_calls), tensor.shape, tensor.dtype)


def normal_same_key(tensor, mean=0.0, std=1.0):
    """The same numbers in each call."""
    return mean + std * jax.random.normal(jax.random.key(0), tensor.shape, tensor.dtype)


jax_ones = jax.nn.initializers.ones
jax_normal = jax.nn.initializers.normal(1.0)
jax_glorot_uniform = jax.nn.initializers.glorot_uniform(in_axis=1, out_axis=0)
jax_orthogonal = jax.nn.initializers.orthogonal(column_axis=0)


def jax_he_normal(nonlinearity="leaky_relu"):
    """Truncated, as torch's is not."""
    return jax.nn.initializers.he_normal(in_axis=1, out_axis=0)


def jax_kaiming_uniform(a=0.0, mode="fan_in"):
    """He's uniform weights, with the slope of a leaky rectifier."""
    return jax.nn.initializers.variance_scaling(2 / (1 + a**2), mode.lower(), "uniform", in_axis=1, out_axis=0)


def jax_trunc_normal(mean=0.0, std=1.0, a=-2.0, b=2.0):
    """JAX's bounds are in standard deviations, around 0."""
    def init(key, shape, dtype):
        low, high = sorted(((a - mean) / std, (b - mean) / std))
        return mean + jax.nn.initializers.truncated_normal(std, lower=low, upper=high)(key, shape, dtype)

    return init

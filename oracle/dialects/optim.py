"""Rules that other frameworks, papers and ports follow: the other optimizers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import optim

from ..cases.spec import OptimSpec
from .record import Dialect
from .rules import Array, Change, Options, decayed, flushed, rule, starting_at_zero

__all__ = ["OPTIM"]


# --- mean squares --------------------------------------------------------------------------------

def _rmsprop(inside: bool = True, start: float = 0, velocity: bool = False) -> Change:
    """RMSprop with ε inside the root or outside, another first mean, and lr in the buffer or before it."""

    def update(theta: Array, g: Array, v: Array, *more: Array, t: int, **options: Any) -> tuple[Array, ...]:
        alpha, eps, lr, others = options["alpha"], options["eps"], options["lr"], list(more)
        theta, g = decayed(theta, g, options)
        v = alpha * v + (1 - alpha) * g * g
        variance = v
        if options["centered"]:
            others[-1] = alpha * others[-1] + (1 - alpha) * g
            variance = np.maximum(v - others[-1] * others[-1], 0)
        step = g / np.sqrt(variance + eps) if inside else g / (np.sqrt(variance) + eps)
        step = lr * step if velocity else step
        if options["momentum"] > 0:
            step = others[0] = options["momentum"] * others[0] + step
        return theta - (step if velocity else lr * step), v, *others

    def states(options: Options) -> Mapping[str, float]:
        return ({"square_avg": start} | ({"momentum_buffer": 0} if options["momentum"] > 0 else {})
                | ({"grad_avg": 0} if options["centered"] else {}))

    return rule(update, states)


def _adagrad(theta: Array, g: Array, s: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """g / √(s + ε)."""
    theta, g = decayed(theta, g, options)
    s = s + g * g
    return theta - options["lr"] / (1 + (t - 1) * options["lr_decay"]) * g / np.sqrt(s + options["eps"]), s


def _adagrad_optax(theta: Array, g: Array, s: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """g / √(s + ε), but 0 where s is 0 or underflows to it."""
    theta, g = decayed(theta, g, options)
    s = s + g * g
    step = np.where(flushed(s) > 0, g / np.sqrt(s + options["eps"]), 0)
    return theta - options["lr"] / (1 + (t - 1) * options["lr_decay"]) * step, s


def _adagrad_start(spec: OptimSpec) -> OptimSpec:
    """The sum starts at 0.1 where nothing else is said."""

    class Changed(optim.Adagrad):
        def _start(self, p: optim.Parameter, tau: float) -> None:
            super()._start(p, 0.1 if tau == 0 else tau)

    return dataclasses.replace(spec, optimizer=Changed)


def _adadelta(theta: Array, g: Array, v: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """(√u + ε) / (√v + ε) g."""
    rho, eps = options["rho"], options["eps"]
    theta, g = decayed(theta, g, options)
    v = rho * v + (1 - rho) * g * g
    delta = (np.sqrt(u) + eps) / (np.sqrt(v) + eps) * g
    return theta - options["lr"] * delta, v, rho * u + (1 - rho) * delta * delta


def _adadelta_rates(theta: Array, g: Array, v: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """The mean square of updates is that of lr Δ."""
    rho, eps = options["rho"], options["eps"]
    theta, g = decayed(theta, g, options)
    v = rho * v + (1 - rho) * g * g
    delta = options["lr"] * (np.sqrt(u + eps) / np.sqrt(v + eps) * g)
    return theta - delta, v, rho * u + (1 - rho) * delta * delta


# --- SGD and signs -------------------------------------------------------------------------------

def _sgd(buffer: Callable[..., Any], step: Callable[..., Any],
         begin: Callable[..., tuple[Array, Array]] = decayed) -> Change:
    """SGD with another buffer, and another step from it."""

    def update(theta: Array, g: Array, b: Array | None = None, *, t: int, **options: Any) -> tuple[Array, ...]:
        theta, g = begin(theta, g, options)
        if b is None:
            return (theta - options["lr"] * g,)
        b = buffer(b, g, t, options)
        return theta + step(b, g, options), b

    return rule(update, lambda options: {"momentum_buffer": 0} if options["momentum"] != 0 else {}, counts=False)


def _sgd_buffer(b: Array, g: Array, t: int, options: Options) -> Any:
    """As in the reference."""
    return g if t == 1 else options["momentum"] * b + (1 - options["dampening"]) * g


def _sgd_step(b: Array, g: Array, options: Options) -> Any:
    """As in the reference."""
    return -options["lr"] * (g + options["momentum"] * b if options["nesterov"] else b)


def _velocity(b: Array, g: Array, t: int, options: Options) -> Any:
    return options["momentum"] * b - options["lr"] * (g if t == 1 else (1 - options["dampening"]) * g)


def _velocity_step(b: Array, g: Array, options: Options) -> Any:
    return options["momentum"] * b - options["lr"] * g if options["nesterov"] else b


def _decoupled(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    return decayed(theta, g, {**options, "decoupled_weight_decay": True})


def _turned(g: Array, prev: Array, eta: Array, options: Options) -> tuple[Array, Array]:
    """The sign of g · g_prev, and the step sizes that follow from it."""
    agree = np.sign(g) * np.sign(prev)
    (minus, plus), (smallest, largest) = options["etas"], options["step_sizes"]
    eta = np.where(agree > 0, plus * eta, np.where(agree < 0, minus * eta, eta))
    return agree, np.minimum(np.maximum(eta, smallest), largest)


def _rprop(update: Callable[..., tuple[Array, ...]]) -> Change:
    return rule(update, lambda options: {"prev": 0, "step_size": options["lr"]})


def _rprop_plus(theta: Array, g: Array, prev: Array, eta: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """Where the gradient turns, the last step is taken back."""
    g = -g if options["maximize"] else g
    agree, new = _turned(g, prev, eta, options)
    g = np.where(agree < 0, 0, g)
    return theta + np.where(agree < 0, np.sign(prev) * eta, -np.sign(g) * new), g, new


def _rprop_minus(theta: Array, g: Array, prev: Array, eta: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """Where the gradient turns, a smaller step is taken as ever."""
    g = -g if options["maximize"] else g
    _, eta = _turned(g, prev, eta, options)
    return theta - np.sign(g) * eta, g, eta


def _rprop_late(theta: Array, g: Array, prev: Array, eta: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """The step is that of the iteration before; where the product is 0, step sizes are not limited either."""
    g = -g if options["maximize"] else g
    agree, limited = _turned(g, prev, eta, options)
    new = np.where(agree == 0, eta, limited)
    return theta - np.where(agree < 0, 0, prev), np.where(agree < 0, 0, np.sign(g) * new), new


OPTIM = (
    Dialect("rmsprop-eps-inside", "RMSprop", "eps inside the square root", "the step is lr g / √(v + ε)",
            "optax 0.2", _rmsprop()),
    Dialect("rmsprop-velocity", "RMSprop", "lr in the buffer", "b = μ b + lr g / (√v + ε), and θ - b",
            "Caffe", _rmsprop(inside=False, velocity=True)),
    Dialect("rmsprop-keras", "RMSprop", "eps inside the square root, and lr in the buffer",
            "b = μ b + lr g / √(v + ε), and θ - b", "Keras", _rmsprop(velocity=True),
            ("rmsprop-eps-inside", "rmsprop-velocity")),
    Dialect("rmsprop-tensorflow", "RMSprop", "a mean square that starts at 1, eps inside the root, lr in the buffer",
            "v₀ = 1; b = μ b + lr g / √(v + ε), and θ - b", "TensorFlow 1, timm's RMSpropTF",
            _rmsprop(start=1, velocity=True), ("rmsprop-keras", "rmsprop-eps-inside", "rmsprop-velocity")),
    Dialect("adagrad-eps-inside", "Adagrad", "eps inside the square root", "the step is lr g / √(s + ε)",
            "Keras", rule(_adagrad, lambda options: {"sum": options["initial_accumulator_value"]})),
    Dialect("adagrad-optax", "Adagrad", "eps inside the square root, and no step where the sum underflows",
            "the step is lr g / √(s + ε), and 0 where s is 0 in the type", "optax 0.2",
            rule(_adagrad_optax, lambda options: {"sum": options["initial_accumulator_value"]}),
            ("adagrad-eps-inside",)),
    Dialect("adagrad-tenth", "Adagrad", "a sum that starts at 0.1", "s₀ is 0.1 where nothing else is said",
            "TensorFlow, Keras, optax 0.2", _adagrad_start),
    Dialect("adadelta-eps-outside", "Adadelta", "eps outside the square roots", "Δ = (√u + ε) / (√v + ε) g",
            "ports that reuse RMSprop's root", rule(_adadelta, starting_at_zero("square_avg", "acc_delta"))),
    Dialect("adadelta-rate-inside", "Adadelta", "lr in the mean square of updates", "u = ρ u + (1-ρ) (lr Δ)²",
            "ports that accumulate what they apply",
            rule(_adadelta_rates, starting_at_zero("square_avg", "acc_delta"))),
    Dialect("sgd-velocity", "SGD", "lr in the buffer", "b = μ b - lr g, and θ + b (Nesterov: θ + μ b - lr g)",
            "Sutskever et al. 2013, TensorFlow, Keras", _sgd(_velocity, _velocity_step)),
    Dialect("sgd-damped-start", "SGD", "a first gradient that is dampened", "b = (1-τ) g at the first step too",
            "MLX", _sgd(lambda b, g, t, o: o["momentum"] * b + (1 - o["dampening"]) * g, _sgd_step)),
    Dialect("sgd-mean", "SGD", "a mean of gradients as buffer", "b = μ b + (1-μ) g", "Ng, Deep Learning Specialization",
            _sgd(lambda b, g, t, o: o["momentum"] * b + (1 - o["momentum"]) * g, _sgd_step)),
    Dialect("sgd-decoupled", "SGD", "decay beside the gradient",
            "θ is multiplied by 1 - lr λ, and g left alone: SGDW",
            "Loshchilov & Hutter, algorithm 1; Keras's weight_decay", _sgd(_sgd_buffer, _sgd_step, _decoupled)),
    Dialect("rprop-plus", "Rprop", "backtracking", "where the gradient turns, the last step is taken back",
            "Riedmiller & Braun 1993 (Rprop+)", _rprop(_rprop_plus)),
    Dialect("rprop-minus", "Rprop", "no rest after a turn", "where the gradient turns, θ moves by the smaller step",
            "Igel & Hüsken 2000 (Rprop-)", _rprop(_rprop_minus)),
    Dialect("rprop-late", "Rprop", "the step of the iteration before",
            "θ moves by the last iteration's step, at first by 0; step sizes are limited only when they change",
            "optax 0.2", _rprop(_rprop_late)),
)

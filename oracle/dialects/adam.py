"""Rules that other frameworks, papers and ports follow: Adam and its relatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import optim
from reference.numerics import widen
from reference.spec import OptimSpec

from .record import Dialect
from .rules import Array, Change, Options, decayed, rule, starting_at_zero, with_options

__all__ = ["ADAM"]


# --- Adam ----------------------------------------------------------------------------------------

def _adam(direction: Callable[..., Any], largest: Callable[..., Any] = lambda v, beta2, t: v,
          begin: Callable[..., tuple[Array, Array]] = decayed,
          end: Callable[..., Any] = lambda theta, options: theta) -> Change:
    """Adam with another direction from its moments, largest moment, decay before or decay after the step."""

    def update(theta: Array, g: Array, m: Array, v: Array, v_max: Array | None = None, *, t: int,
               **options: Any) -> tuple[Array, ...]:
        beta1, beta2 = options["betas"]
        theta, g = begin(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        if v_max is not None:
            v_max = np.maximum(v_max, largest(v, beta2, t))
        d = direction(m, v if v_max is None else v_max, t, beta1, beta2, options["eps"])
        theta = end(theta - options["lr"] * d, options)
        return (theta, m, v) if v_max is None else (theta, m, v, v_max)

    def states(options: Options) -> Mapping[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0} | ({"max_exp_avg_sq": 0} if options.get("amsgrad") else {})

    return rule(update, states)


def _corrected(m: Any, v: Any, t: int, beta1: Any, beta2: Any, eps: Any) -> Any:
    """m̂ / (√v̂ + ε): the reference's."""
    return 1 / (1 - beta1**t) * m / (np.sqrt(v) / (1 - beta2**t) ** 0.5 + eps)


def _eps_inside(m: Any, v: Any, t: int, beta1: Any, beta2: Any, eps: Any) -> Any:
    return m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t) + eps)


def _eps_hat(m: Any, v: Any, t: int, beta1: Any, beta2: Any, eps: Any) -> Any:
    return (1 - beta2**t) ** 0.5 / (1 - beta1**t) * m / (np.sqrt(v) + eps)


def _uncorrected(m: Any, v: Any, t: int, beta1: Any, beta2: Any, eps: Any) -> Any:
    return m / (np.sqrt(v) + eps)


def _corrected_largest(m: Any, v: Any, t: int, beta1: Any, beta2: Any, eps: Any) -> Any:
    """The largest moment was corrected when it was compared."""
    return m / (1 - beta1**t) / (np.sqrt(v) + eps)


def _amsgrad_corrected(spec: OptimSpec) -> OptimSpec:
    """Only AMSGrad's steps differ."""
    others, largest = spec.optimizer, _adam(_corrected_largest, lambda v, beta2, t: v / (1 - beta2**t))(spec).optimizer

    class Changed(largest):  # type: ignore[valid-type, misc]
        def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
            return (largest if options["amsgrad"] else others)._update(self, p, grad, options)

    return dataclasses.replace(spec, optimizer=Changed)


def _undecayed(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    return decayed(theta, g, {**options, "weight_decay": 0} if options["decoupled_weight_decay"] else options)


def _unscaled_decay(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    decay = options["weight_decay"] if options["decoupled_weight_decay"] else 0
    theta, g = _undecayed(theta, g, options)
    return (1 - decay) * theta, g


def _decay_last(theta: Array, options: Options) -> Array:
    if not options["decoupled_weight_decay"]:
        return theta
    return np.asanyarray((1 - options["lr"] * options["weight_decay"]) * theta)


# --- its relatives -------------------------------------------------------------------------------

def _adamax(norm: Callable[..., Any], divisor: Callable[..., Any]) -> Change:
    """u = max(β₂ u, norm), and the step m̂ / divisor."""

    def update(theta: Array, g: Array, m: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
        (beta1, beta2), eps = options["betas"], options["eps"]
        theta, g = decayed(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, norm(np.abs(g), eps))
        return theta - options["lr"] / (1 - beta1**t) * m / divisor(u, eps), m, u

    return rule(update, starting_at_zero("exp_avg", "exp_inf"))


def _nadam(momentum: Callable[..., Any]) -> Change:
    """NAdam with another momentum of step t. The reference's has momentum_decay; mu_product is that of the new one."""

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[misc, name-defined]
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                state = self.state[p]
                if not state:
                    state["step"] = np.zeros((), np.float32)
                    state["mu_product"] = np.ones_like(p.data, np.float32, shape=())
                    state["exp_avg"], state["exp_avg_sq"] = np.zeros_like(p.data), np.zeros_like(p.data)
                state["step"] += 1
                t, (beta1, beta2), product = int(state["step"]), options["betas"], state["mu_product"]
                mu, mu_next = momentum(beta1, t), momentum(beta1, t + 1)
                product[...] = product.item() * mu
                theta, g = decayed(widen(p.data), widen(grad), options)
                m = beta1 * widen(state["exp_avg"]) + (1 - beta1) * g
                v = beta2 * widen(state["exp_avg_sq"]) + (1 - beta2) * g * g
                m_hat = ((1 - mu) / (1 - product.item()) * g + mu_next / (1 - product.item() * mu_next) * m)
                p.data[...] = theta - options["lr"] * m_hat / (np.sqrt(v / (1 - beta2**t)) + options["eps"])
                state["exp_avg"][...], state["exp_avg_sq"][...] = m, v

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


def _radam(threshold: float = 5, corrected: bool = False, before: float = 1) -> Change:
    """RAdam: rectified above a threshold, with eps beside one root or the other; ``before`` it times lr m̂."""

    def update(theta: Array, g: Array, m: Array, v: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
        (beta1, beta2), eps = options["betas"], options["eps"]
        theta, g = decayed(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, root = m / (1 - beta1**t), (1 - beta2**t) ** 0.5
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > threshold:
            r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            adapted = r * m_hat / (np.sqrt(v) / root + eps) if corrected else r * root * m_hat / (np.sqrt(v) + eps)
            return theta - options["lr"] * adapted, m, v
        return theta - options["lr"] * before * m_hat, m, v

    return rule(update, starting_at_zero("exp_avg", "exp_avg_sq"))


_OF_BOTH = tuple(
    Dialect(name.replace("adam-", f"{op.lower()}-"), op, title, difference, used_by, changed)
    for op in ("Adam", "AdamW")
    for name, title, difference, used_by, changed in (
        ("adam-eps-inside", "eps inside the square root", "the step is lr m̂ / √(v̂ + ε)",
         "NVIDIA Apex's eps_inside_sqrt, optax's eps_root in the place of eps", _adam(_eps_inside)),
        ("adam-eps-hat", "eps beside the uncorrected root",
         "the step is lr √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√v + ε): ε is the ε̂ of the paper's section 2",
         "TensorFlow, Keras", _adam(_eps_hat)),
        ("adam-uncorrected", "no bias correction", "the step is lr m / (√v + ε)",
         "BERT's AdamWeightDecayOptimizer, 2018", _adam(_uncorrected)),
        ("adam-amsgrad-corrected", "AMSGrad's maximum of corrected moments",
         "v_max = max(v_max, v / (1-β₂ᵗ)), and is not corrected again", "optax 0.2", _amsgrad_corrected),
        ("adam-decay-unscaled", "a decay that lr does not scale", "θ is multiplied by 1 - λ, not by 1 - lr λ",
         "Loshchilov & Hutter, algorithm 2 with a schedule of 1", _adam(_corrected, begin=_unscaled_decay)),
        ("adam-decay-last", "decay after the step", "θ = (1 - lr λ)(θ - step): what is decayed has been moved",
         "AdamW of Hugging Face transformers 2 to 4", _adam(_corrected, begin=_undecayed, end=_decay_last)),
    ))

ADAM = (
    *_OF_BOTH,
    Dialect("adamw-coupled", "AdamW", "decay in the gradient", "g + λ θ goes into both moments: Adam with L2",
            "ports that take the name for Adam's weight_decay",
            with_options(lambda o: {"decoupled_weight_decay": False})),
    Dialect("adam-decoupled", "Adam", "decay beside the gradient", "θ is multiplied by 1 - lr λ, and g left alone: "
            "AdamW", "Keras's weight_decay of every optimizer, optax's adamw",
            with_options(lambda o: {"decoupled_weight_decay": True})),
    Dialect("adamax-eps-divisor", "Adamax", "eps in the divisor", "u = max(β₂ u, |g|), and the step is lr m̂ / (u + ε)",
            "TensorFlow, Keras", _adamax(lambda size, eps: size, lambda u, eps: u + eps)),
    Dialect("adamax-no-eps", "Adamax", "no eps",
            "u = max(β₂ u, |g|), and the step is lr m̂ / u: 0/0 for a gradient of 0",
            "Kingma & Ba, algorithm 2", _adamax(lambda size, eps: size, lambda u, eps: u)),
    Dialect("nadam-constant", "NAdam", "a constant momentum",
            "μ is β₁ at every step: m̂ = β₁ m / (1-β₁ᵗ⁺¹) + (1-β₁) g / (1-β₁ᵗ)", "optax 0.2",
            _nadam(lambda beta1, t: beta1)),
    Dialect("nadam-fast-schedule", "NAdam", "a momentum that rises at once", "μ of step t is β₁ (1 - 0.96ᵗ / 2), "
            "whatever momentum_decay", "Keras", _nadam(lambda beta1, t: beta1 * (1 - 0.5 * 0.96**t))),
    Dialect("radam-threshold-4", "RAdam", "rectification from ρ = 4 on", "steps are rectified where ρ > 4, not 5",
            "Liu et al., algorithm 2", _radam(threshold=4)),
    Dialect("radam-eps-corrected", "RAdam", "eps beside the corrected root", "the step is lr r m̂ / (√v̂ + ε)",
            "optax 0.2", _radam(corrected=True)),
    Dialect("radam-waiting", "RAdam", "no step before rectification", "where ρ ≤ 5, nothing is subtracted",
            "the authors' code with degenerated_to_sgd=False", _radam(before=0)),
)

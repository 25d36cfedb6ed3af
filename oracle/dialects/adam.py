"""Rules that other frameworks, papers and ports follow: Adam and its relatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import optim

from ..cases.spec import OptimSpec
from .record import Dialect
from .rules import Array, Change, Options, decayed, flushed, rule, starting_at_zero, with_options

__all__ = ["ADAM"]


# --- Adam ----------------------------------------------------------------------------------------

def _corrections(betas: tuple[Any, Any], t: int, theta: Array, typed: bool) -> tuple[Any, Any]:
    """1 - β₁ᵗ and 1 - β₂ᵗ: from doubles, or from numbers of the parameters' type, where they cancel."""
    beta1, beta2 = (np.full_like(theta, beta, shape=()) if typed and float(beta) else beta for beta in betas)
    return 1 - beta1**t, 1 - beta2**t


def _adam(direction: Callable[..., Any], largest: Callable[..., Any] = lambda v, c2: v,
          begin: Callable[..., tuple[Array, Array]] = decayed,
          end: Callable[..., Any] = lambda theta, options: theta, typed: bool = False,
          kept: Callable[[Array], Any] = lambda x: x) -> Change:
    """Adam with another direction from its moments, largest moment, decay before or decay after the step.

    ``kept`` is what becomes of terms of the second moment.
    """

    def update(theta: Array, g: Array, m: Array, v: Array, v_max: Array | None = None, *, t: int,
               **options: Any) -> tuple[Array, ...]:
        beta1, beta2 = options["betas"]
        c1, c2 = _corrections(options["betas"], t, theta, typed)
        theta, g = begin(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = kept(beta2 * v + kept((1 - beta2) * kept(g * g)))
        if v_max is not None:
            v_max = np.maximum(v_max, largest(v, c2))
        d = direction(m, v if v_max is None else v_max, c1, c2, options["eps"])
        theta = end(theta - options["lr"] * d, options)
        return (theta, m, v) if v_max is None else (theta, m, v, v_max)

    def states(options: Options) -> Mapping[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0} | ({"max_exp_avg_sq": 0} if options.get("amsgrad") else {})

    return rule(update, states)


def _corrected(m: Any, v: Any, c1: Any, c2: Any, eps: Any) -> Any:
    """m̂ / (√v̂ + ε): the reference's."""
    return m / c1 / (np.sqrt(v) / c2**0.5 + eps)


def _eps_inside(m: Any, v: Any, c1: Any, c2: Any, eps: Any) -> Any:
    return m / c1 / np.sqrt(v / c2 + eps)


def _eps_hat(m: Any, v: Any, c1: Any, c2: Any, eps: Any) -> Any:
    return c2**0.5 / c1 * m / (np.sqrt(v) + eps)


def _uncorrected(m: Any, v: Any, c1: Any, c2: Any, eps: Any) -> Any:
    return m / (np.sqrt(v) + eps)


def _corrected_largest(m: Any, v: Any, c1: Any, c2: Any, eps: Any) -> Any:
    """The largest moment was corrected when it was compared."""
    return m / c1 / (np.sqrt(v) + eps)


def _amsgrad_corrected(typed: bool) -> Change:
    """Only AMSGrad's steps differ, or all of them by the type of their corrections."""

    def changed(spec: OptimSpec) -> OptimSpec:
        others = _adam(_corrected, typed=True, kept=flushed)(spec).optimizer if typed else spec.optimizer
        largest = _adam(_corrected_largest, lambda v, c2: v / c2, typed=typed,
                        kept=flushed if typed else lambda x: x)(spec).optimizer

        class Changed(largest):  # type: ignore[valid-type, misc]  # a class made above
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                return (largest if options["amsgrad"] else others)._update(self, p, grad, options)

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


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


def _nadam(momentum: Callable[..., Any], typed: bool = False) -> Change:
    """NAdam with another momentum μ of step t, from β₁ and t."""

    def update(theta: Array, g: Array, m: Array, v: Array, product: Array, *, t: int,
               **options: Any) -> tuple[Array, ...]:
        beta1, beta2 = options["betas"]
        _, c2 = _corrections(options["betas"], t, theta, typed)
        of_type = np.full_like(theta, beta1, shape=()) if typed else beta1
        mu, mu_next = momentum(of_type, t), momentum(of_type, t + 1)
        theta, g = decayed(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        product = product * mu
        m_hat = (1 - mu) / (1 - product) * g + mu_next / (1 - product * mu_next) * m
        return theta - options["lr"] * m_hat / (np.sqrt(v / c2) + options["eps"]), m, v, product

    return rule(update, starting_at_zero("exp_avg", "exp_avg_sq"), numbers={"mu_product": 1.0})


def _radam(threshold: float = 5, corrected: bool = False, before: float = 1, typed: bool = False) -> Change:
    """RAdam: rectified above a threshold, with eps beside one root or the other; ``before`` it times lr m̂."""

    def update(theta: Array, g: Array, m: Array, v: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
        (beta1, beta2), eps = options["betas"], options["eps"]
        c1, c2 = _corrections(options["betas"], t, theta, typed)
        theta, g = decayed(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * t * (1 - c2) / c2
        adapted = m / c1 / (np.sqrt(v) / c2**0.5 + eps) if corrected else c2**0.5 * m / c1 / (np.sqrt(v) + eps)
        if rho > threshold:
            r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            return theta - options["lr"] * r * adapted, m, v
        return theta - options["lr"] * before * m / c1, m, v

    return rule(update, starting_at_zero("exp_avg", "exp_avg_sq"))


_OF_BOTH = tuple(
    Dialect(f"{op.lower()}-{name}", op, title, difference, used_by, changed,
            tuple(f"{op.lower()}-{part}" for part in parts))
    for op in ("Adam", "AdamW")
    for name, title, difference, used_by, changed, *parts in (
        ("eps-inside", "eps inside the square root", "the step is lr m̂ / √(v̂ + ε)",
         "NVIDIA Apex's eps_inside_sqrt, optax's eps_root in the place of eps", _adam(_eps_inside)),
        ("eps-hat", "eps beside the uncorrected root",
         "the step is lr √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√v + ε): ε is the ε̂ of the paper's section 2",
         "TensorFlow 1", _adam(_eps_hat)),
        ("uncorrected", "no bias correction", "the step is lr m / (√v + ε)",
         "BERT's AdamWeightDecayOptimizer, 2018", _adam(_uncorrected)),
        ("amsgrad-corrected", "AMSGrad's maximum of corrected moments",
         "v_max = max(v_max, v / (1-β₂ᵗ)), and is not corrected again", "optax 0.2 in 64-bit mode",
         _amsgrad_corrected(typed=False)),
        ("decay-unscaled", "a decay that lr does not scale", "θ is multiplied by 1 - λ, not by 1 - lr λ",
         "Loshchilov & Hutter, algorithm 2 with a schedule of 1", _adam(_corrected, begin=_unscaled_decay)),
        ("decay-last", "decay after the step", "θ = (1 - lr λ)(θ - step): what is decayed has been moved",
         "training loops that decay after optimizer.step()", _adam(_corrected, begin=_undecayed, end=_decay_last)),
        ("huggingface", "eps beside the uncorrected root, and decay after the step",
         "θ = (1 - lr λ)(θ - lr √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√v + ε))", "AdamW of Hugging Face transformers 2 to 4",
         _adam(_eps_hat, begin=_undecayed, end=_decay_last), "eps-hat", "decay-last"),
        ("typed", "bias corrections in the parameters' type",
         "1 - βᵗ comes from a β of the parameters' type, where it cancels", "MLX, tinygrad",
         _adam(_corrected, typed=True)),
        ("optax", "bias corrections in the parameters' type, and AMSGrad's maximum of corrected moments",
         "1 - βᵗ comes from a β of the parameters' type, where it cancels; v_max = max(v_max, v / (1-β₂ᵗ)); "
         "what is below the normal numbers is 0 in v", "optax 0.2, where XLA flushes subnormals",
         _amsgrad_corrected(typed=True), "typed", "amsgrad-corrected"),
        ("keras", "bias corrections in the parameters' type, and eps beside the uncorrected root",
         "1 - βᵗ comes from a β of the parameters' type, where it cancels; the step is "
         "lr √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√v + ε)", "Keras 3", _adam(_eps_hat, typed=True), "typed", "eps-hat"),
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
            "μ is β₁ at every step: m̂ = β₁ m / (1-β₁ᵗ⁺¹) + (1-β₁) g / (1-β₁ᵗ)",
            "Dozat 2016, before its schedule; optax 0.2 in 64-bit mode",
            _nadam(lambda beta1, t: beta1)),
    Dialect("nadam-fast-schedule", "NAdam", "a momentum that rises at once", "μ of step t is β₁ (1 - 0.96ᵗ / 2), "
            "whatever momentum_decay", "tf.keras", _nadam(lambda beta1, t: beta1 * (1 - 0.5 * 0.96**t))),
    Dialect("nadam-optax", "NAdam", "a constant momentum, and bias corrections in the parameters' type",
            "m̂ = β₁ m / (1-β₁ᵗ⁺¹) + (1-β₁) g / (1-β₁ᵗ), from a β₁ of the parameters' type", "optax 0.2",
            _nadam(lambda beta1, t: beta1, typed=True), ("nadam-constant",)),
    Dialect("nadam-keras", "NAdam", "a momentum that rises at once, and bias corrections in the parameters' type",
            "μ of step t is β₁ (1 - 0.96ᵗ / 2), whatever momentum_decay, from a β₁ of the parameters' type", "Keras 3",
            _nadam(lambda beta1, t: beta1 * (1 - 0.5 * 0.96**t), typed=True), ("nadam-fast-schedule",)),
    Dialect("radam-optax", "RAdam", "eps beside the corrected root, and bias corrections in the parameters' type",
            "the step is lr r m̂ / (√v̂ + ε); ρ, r and 1 - βᵗ come from a β of the parameters' type", "optax 0.2",
            _radam(corrected=True, typed=True), ("radam-eps-corrected",)),
    Dialect("radam-threshold-4", "RAdam", "rectification from ρ = 4 on", "steps are rectified where ρ > 4, not 5",
            "Liu et al., algorithm 2", _radam(threshold=4)),
    Dialect("radam-eps-corrected", "RAdam", "eps beside the corrected root", "the step is lr r m̂ / (√v̂ + ε)",
            "TensorFlow Addons", _radam(corrected=True)),
    Dialect("radam-waiting", "RAdam", "no step before rectification", "where ρ ≤ 5, nothing is subtracted",
            "the authors' code with degenerated_to_sgd=False", _radam(before=0)),
)

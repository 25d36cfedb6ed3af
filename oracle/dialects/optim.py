"""Rules that other frameworks, papers and ports follow: optimizers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import optim
from reference.numerics import widen
from reference.optim import SparseGrad
from reference.spec import OptimSpec

from .record import Dialect

__all__ = ["OPTIM"]

Array = np.ndarray[Any, Any]
Change = Callable[[OptimSpec], OptimSpec]
Options = Mapping[str, Any]


def _rule(rule: Callable[..., tuple[Array, ...]], states: Callable[[Options], Mapping[str, float]],
          counts: bool = True) -> Change:
    """``theta, *state = rule(theta, g, *state, t=t, **options)``, where states have names and start at numbers.

    Sparse gradients are left to the reference.
    """

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[name-defined]  # of whatever optimizer the spec has
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                if isinstance(grad, SparseGrad):
                    return super()._update(p, grad, options)
                starts, state = states(options), self.state[p]
                for name, start in starts.items():
                    state.setdefault(name, np.full_like(p.data, start))
                self.steps = getattr(self, "steps", {})
                t = self.steps[p] = self.steps.get(p, 0) + 1
                if counts:
                    state["step"] = np.asarray(t, np.float32)
                values = rule(widen(p.data), widen(grad), *(widen(state[name]) for name in starts), t=t, **options)
                for array, value in zip((p.data, *(state[name] for name in starts)), values, strict=False):
                    array[...] = value
                return None

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


def _options(change: Callable[[Options], Options]) -> Change:
    """The reference's rule with other options."""

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[name-defined]
            def _update(self, p: optim.Parameter, grad: Any, options: dict[str, Any]) -> Any:
                return super()._update(p, grad, {**options, **change(options)})

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


def _decayed(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    """Parameters and gradient as every rule begins: turned for ``maximize``, with L2 or decoupled decay."""
    g = -g if options["maximize"] else g
    decay = options["weight_decay"]
    if decay == 0:
        return theta, g
    return ((1 - options["lr"] * decay) * theta, g) if options.get("decoupled_weight_decay") else (
        theta, g + decay * theta)


# --- Adam ----------------------------------------------------------------------------------------

def _adam(direction: Callable[..., Any], largest: Callable[..., Any] = lambda v, beta2, t: v,
          begin: Callable[..., tuple[Array, Array]] = _decayed,
          end: Callable[..., Any] = lambda theta, before, options: theta) -> Change:
    """Adam with another direction from its moments, largest moment, decay before or decay after the step."""

    def rule(theta: Array, g: Array, m: Array, v: Array, v_max: Array | None = None, *, t: int,
             **options: Any) -> tuple[Array, ...]:
        beta1, beta2 = options["betas"]
        before = theta
        theta, g = begin(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        if v_max is not None:
            v_max = np.maximum(v_max, largest(v, beta2, t))
        d = direction(m, v if v_max is None else v_max, t, beta1, beta2, options["eps"])
        theta = end(theta - options["lr"] * d, before, options)
        return (theta, m, v) if v_max is None else (theta, m, v, v_max)

    def states(options: Options) -> dict[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0} | ({"max_exp_avg_sq": 0} if options.get("amsgrad") else {})

    return _rule(rule, states)


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
    return theta, -g if options["maximize"] else g


def _unscaled_decay(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    return (1 - options["weight_decay"]) * theta, -g if options["maximize"] else g


def _decay_last(theta: Array, before: Array, options: Options) -> Array:
    return (1 - options["lr"] * options["weight_decay"]) * theta


# --- its relatives -------------------------------------------------------------------------------

def _moments(names: tuple[str, str]) -> Callable[[Options], Mapping[str, float]]:
    return lambda options: dict.fromkeys(names, 0)


def _adamax(norm: Callable[..., Any], divisor: Callable[..., Any]) -> Change:
    """u = max(β₂ u, norm), and the step m̂ / divisor."""

    def rule(theta: Array, g: Array, m: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
        (beta1, beta2), eps = options["betas"], options["eps"]
        theta, g = _decayed(theta, g, options)
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, norm(np.abs(g), eps))
        return theta - options["lr"] / (1 - beta1**t) * m / divisor(u, eps), m, u

    return _rule(rule, _moments(("exp_avg", "exp_inf")))


def _nadam(momentum: Callable[..., Any]) -> Change:
    """NAdam with another momentum of step t. The reference's has momentum_decay; mu_product is that of the new one."""

    def changed(spec: OptimSpec) -> OptimSpec:
        class Changed(spec.optimizer):  # type: ignore[name-defined]
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
                theta, g = _decayed(widen(p.data), widen(grad), options)
                m = beta1 * widen(state["exp_avg"]) + (1 - beta1) * g
                v = beta2 * widen(state["exp_avg_sq"]) + (1 - beta2) * g * g
                m_hat = ((1 - mu) / (1 - product.item()) * g + mu_next / (1 - product.item() * mu_next) * m)
                p.data[...] = theta - options["lr"] * m_hat / (np.sqrt(v / (1 - beta2**t)) + options["eps"])
                state["exp_avg"][...], state["exp_avg_sq"][...] = m, v

        return dataclasses.replace(spec, optimizer=Changed)

    return changed


def _radam(threshold: float = 5, corrected: bool = False, before: float = 1) -> Change:
    """RAdam: rectified above a threshold, with eps beside one root or the other; ``before`` it times lr m̂."""

    def rule(theta: Array, g: Array, m: Array, v: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
        (beta1, beta2), eps = options["betas"], options["eps"]
        theta, g = _decayed(theta, g, options)
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

    return _rule(rule, _moments(("exp_avg", "exp_avg_sq")))


# --- mean squares --------------------------------------------------------------------------------

def _rmsprop(inside: bool = True, start: float = 0, velocity: bool = False) -> Change:
    """RMSprop with ε inside the root or outside, another first mean, and lr in the buffer or before it."""

    def rule(theta: Array, g: Array, v: Array, *more: Array, t: int, **options: Any) -> tuple[Array, ...]:
        alpha, eps, lr, others = options["alpha"], options["eps"], options["lr"], list(more)
        theta, g = _decayed(theta, g, options)
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

    def states(options: Options) -> dict[str, float]:
        return ({"square_avg": start} | ({"momentum_buffer": 0} if options["momentum"] > 0 else {})
                | ({"grad_avg": 0} if options["centered"] else {}))

    return _rule(rule, states)


def _adagrad(theta: Array, g: Array, s: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """g / √(s + ε)."""
    theta, g = _decayed(theta, g, options)
    s = s + g * g
    return theta - options["lr"] / (1 + (t - 1) * options["lr_decay"]) * g / np.sqrt(s + options["eps"]), s


def _adagrad_start(spec: OptimSpec) -> OptimSpec:
    """The sum starts at 0.1 where nothing else is said."""

    class Changed(optim.Adagrad):
        def _start(self, p: optim.Parameter, tau: float) -> None:
            super()._start(p, 0.1 if tau == 0 else tau)

    return dataclasses.replace(spec, optimizer=Changed)


def _adadelta(theta: Array, g: Array, v: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """(√u + ε) / (√v + ε) g."""
    rho, eps = options["rho"], options["eps"]
    theta, g = _decayed(theta, g, options)
    v = rho * v + (1 - rho) * g * g
    delta = (np.sqrt(u) + eps) / (np.sqrt(v) + eps) * g
    return theta - options["lr"] * delta, v, rho * u + (1 - rho) * delta * delta


def _adadelta_rates(theta: Array, g: Array, v: Array, u: Array, *, t: int, **options: Any) -> tuple[Array, ...]:
    """The mean square of updates is that of lr Δ."""
    rho, eps = options["rho"], options["eps"]
    theta, g = _decayed(theta, g, options)
    v = rho * v + (1 - rho) * g * g
    delta = options["lr"] * (np.sqrt(u + eps) / np.sqrt(v + eps) * g)
    return theta - delta, v, rho * u + (1 - rho) * delta * delta


# --- SGD and signs -------------------------------------------------------------------------------

def _sgd(buffer: Callable[..., Any], step: Callable[..., Any],
         begin: Callable[..., tuple[Array, Array]] = _decayed) -> Change:
    """SGD with another buffer, and another step from it."""

    def rule(theta: Array, g: Array, b: Array | None = None, *, t: int, **options: Any) -> tuple[Array, ...]:
        theta, g = begin(theta, g, options)
        if b is None:
            return (theta - options["lr"] * g,)
        b = buffer(b, g, t, options)
        return theta + step(b, g, options), b

    return _rule(rule, lambda options: {"momentum_buffer": 0} if options["momentum"] != 0 else {}, counts=False)


def _sgd_buffer(b: Array, g: Array, t: int, options: Options) -> Any:
    """The reference's."""
    return g if t == 1 else options["momentum"] * b + (1 - options["dampening"]) * g


def _sgd_step(b: Array, g: Array, options: Options) -> Any:
    """The reference's."""
    return -options["lr"] * (g + options["momentum"] * b if options["nesterov"] else b)


def _velocity(b: Array, g: Array, t: int, options: Options) -> Any:
    return options["momentum"] * b - options["lr"] * (g if t == 1 else (1 - options["dampening"]) * g)


def _velocity_step(b: Array, g: Array, options: Options) -> Any:
    return options["momentum"] * b - options["lr"] * g if options["nesterov"] else b


def _decoupled(theta: Array, g: Array, options: Options) -> tuple[Array, Array]:
    return _decayed(theta, g, {**options, "decoupled_weight_decay": True})


def _turned(g: Array, prev: Array, eta: Array, options: Options) -> tuple[Array, Array]:
    """The sign of g · g_prev, and the step sizes that follow from it."""
    agree = np.sign(g) * np.sign(prev)
    (minus, plus), (smallest, largest) = options["etas"], options["step_sizes"]
    eta = np.where(agree > 0, plus * eta, np.where(agree < 0, minus * eta, eta))
    return agree, np.minimum(np.maximum(eta, smallest), largest)


def _rprop(rule: Callable[..., tuple[Array, ...]]) -> Change:
    return _rule(rule, lambda options: {"prev": 0, "step_size": options["lr"]})


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


OPTIM = tuple(
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
    )) + (
    Dialect("adamw-coupled", "AdamW", "decay in the gradient", "g + λ θ goes into both moments: Adam with L2",
            "ports that take the name for Adam's weight_decay", _options(lambda o: {"decoupled_weight_decay": False})),
    Dialect("adam-decoupled", "Adam", "decay beside the gradient", "θ is multiplied by 1 - lr λ, and g left alone: "
            "AdamW", "Keras's weight_decay of every optimizer, optax's adamw",
            _options(lambda o: {"decoupled_weight_decay": True})),
    Dialect("adamax-eps-divisor", "Adamax", "eps in the divisor", "u = max(β₂ u, |g|), and the step is lr m̂ / (u + ε)",
            "TensorFlow, Keras", _adamax(lambda size, eps: size, lambda u, eps: u + eps)),
    Dialect("adamax-no-eps", "Adamax", "no eps", "u = max(β₂ u, |g|), and the step is lr m̂ / u: 0/0 for a gradient of 0",
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
    Dialect("rmsprop-eps-inside", "RMSprop", "eps inside the square root", "the step is lr g / √(v + ε)",
            "optax 0.2", _rmsprop()),
    Dialect("rmsprop-velocity", "RMSprop", "lr in the buffer", "b = μ b + lr g / (√v + ε), and θ - b",
            "Caffe", _rmsprop(inside=False, velocity=True)),
    Dialect("rmsprop-keras", "RMSprop", "eps inside the square root, and lr in the buffer",
            "b = μ b + lr g / √(v + ε), and θ - b", "Keras", _rmsprop(velocity=True)),
    Dialect("rmsprop-tensorflow", "RMSprop", "a mean square that starts at 1, eps inside the root, lr in the buffer",
            "v₀ = 1; b = μ b + lr g / √(v + ε), and θ - b", "TensorFlow 1, timm's RMSpropTF",
            _rmsprop(start=1, velocity=True)),
    Dialect("adagrad-eps-inside", "Adagrad", "eps inside the square root", "the step is lr g / √(s + ε)",
            "Keras, optax 0.2", _rule(_adagrad, lambda options: {"sum": options["initial_accumulator_value"]})),
    Dialect("adagrad-tenth", "Adagrad", "a sum that starts at 0.1", "s₀ is 0.1 where nothing else is said",
            "TensorFlow, Keras, optax 0.2", _adagrad_start),
    Dialect("adadelta-eps-outside", "Adadelta", "eps outside the square roots", "Δ = (√u + ε) / (√v + ε) g",
            "ports that reuse RMSprop's root", _rule(_adadelta, _moments(("square_avg", "acc_delta")))),
    Dialect("adadelta-rate-inside", "Adadelta", "lr in the mean square of updates", "u = ρ u + (1-ρ) (lr Δ)²",
            "ports that accumulate what they apply", _rule(_adadelta_rates, _moments(("square_avg", "acc_delta")))),
    Dialect("sgd-velocity", "SGD", "lr in the buffer", "b = μ b - lr g, and θ + b (Nesterov: θ + μ b - lr g)",
            "Sutskever et al. 2013, TensorFlow, Keras", _sgd(_velocity, _velocity_step)),
    Dialect("sgd-damped-start", "SGD", "a first gradient that is dampened", "b = (1-τ) g at the first step too",
            "MLX", _sgd(lambda b, g, t, o: o["momentum"] * b + (1 - o["dampening"]) * g, _sgd_step)),
    Dialect("sgd-mean", "SGD", "a mean of gradients as buffer", "b = μ b + (1-μ) g", "Ng, Deep Learning Specialization",
            _sgd(lambda b, g, t, o: o["momentum"] * b + (1 - o["momentum"]) * g, _sgd_step)),
    Dialect("sgd-decoupled", "SGD", "decay beside the gradient", "θ is multiplied by 1 - lr λ, and g left alone: SGDW",
            "Loshchilov & Hutter, algorithm 1; Keras's weight_decay", _sgd(_sgd_buffer, _sgd_step, _decoupled)),
    Dialect("rprop-plus", "Rprop", "backtracking", "where the gradient turns, the last step is taken back",
            "Riedmiller & Braun 1993 (Rprop+)", _rprop(_rprop_plus)),
    Dialect("rprop-minus", "Rprop", "no rest after a turn", "where the gradient turns, θ moves by the smaller step",
            "Igel & Hüsken 2000 (Rprop-)", _rprop(_rprop_minus)),
)

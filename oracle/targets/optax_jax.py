"""optax with JAX: its optimizers, and what torch's options are called there. Its losses are in a file of their own.

Each parameter has a transformation of its own, so that one without a gradient sits a step out as in torch, and
groups have options of their own. What torch does to a gradient first (a sign for ``maximize``, L2) is a chain of
optax's own transformations. JAX rounds scalars to the type of the arrays; float64 takes its 64-bit mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from reference.optim import Parameter, SparseGrad

from ..cases.case import Case
from ..cases.spec import LossSpec, OptimSpec, Spec
from ..truth.evaluate import Outputs, Partial
from ..truth.history import stack_steps
from .loading import Target, TargetError, Unsupported
from .optax_losses import LOSSES, run_loss
from .translation import refuse_surroundings

__all__ = ["STATES", "VARIANTS", "default", "make"]

Array = np.ndarray[Any, Any]
Options = Mapping[str, Any]

VARIANTS = {"eager": "as functions", "jit": "compiled with jax.jit"}


@dataclass(frozen=True)
class _Optimizer:
    """How torch's options make one of optax's transformations, and where that has torch's state."""

    make: Callable[[Options], Any]  #: without what torch does to gradients first
    state: Mapping[str, str] = field(default_factory=dict)  #: torch's name -> optax's field
    absent: Mapping[str, Any] = field(default_factory=dict)  #: options without counterpart -> the value they need
    at_once: bool = False  #: has torch its state before the first step?


def _adam(o: Options) -> Any:
    arguments = {"b1": o["betas"][0], "b2": o["betas"][1], "eps": o["eps"]}
    if o["amsgrad"] and o["decoupled_weight_decay"]:
        return optax.chain(optax.scale_by_amsgrad(**arguments), optax.add_decayed_weights(o["weight_decay"]),
                           optax.scale_by_learning_rate(o["lr"]))
    if o["decoupled_weight_decay"]:
        return optax.adamw(o["lr"], weight_decay=o["weight_decay"], **arguments)
    return (optax.amsgrad if o["amsgrad"] else optax.adam)(o["lr"], **arguments)


def _moments(make: Callable[..., Any]) -> Callable[[Options], Any]:
    return lambda o: make(o["lr"], b1=o["betas"][0], b2=o["betas"][1], eps=o["eps"])


def _decoupled(scale: Callable[..., Any], **settings: Any) -> Callable[[Options], Any]:
    """As optax.nadam, optax.nadamw and optax.radam are made of their parts; optax has no radamw."""
    def made(o: Options) -> Any:
        decay = [optax.add_decayed_weights(o["weight_decay"])] if o["decoupled_weight_decay"] else []
        return optax.chain(scale(b1=o["betas"][0], b2=o["betas"][1], eps=o["eps"], **settings), *decay,
                           optax.scale_by_learning_rate(o["lr"]))

    return made


_ADAM = _Optimizer(_adam, {"exp_avg": "mu", "exp_avg_sq": "nu", "max_exp_avg_sq": "nu_max"})

#: torch's name -> optax's. Defaults of optax where torch has no such option: eps inside RMSprop's root, for one.
_OPTIMIZERS: Mapping[str, _Optimizer] = {
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "SGD": _Optimizer(lambda o: optax.sgd(o["lr"], momentum=o["momentum"] or None, nesterov=o["nesterov"]),
                      {"momentum_buffer": "trace"}, absent={"dampening": 0}),
    "RMSprop": _Optimizer(lambda o: optax.rmsprop(o["lr"], decay=o["alpha"], eps=o["eps"], centered=o["centered"],
                                                  momentum=o["momentum"] or None),
                          {"square_avg": "nu", "grad_avg": "mu"}),
    "Adagrad": _Optimizer(lambda o: optax.adagrad(o["lr"], o["initial_accumulator_value"], o["eps"]),
                          {"sum": "sum_of_squares"}, absent={"lr_decay": 0}, at_once=True),
    "Adadelta": _Optimizer(lambda o: optax.adadelta(o["lr"], rho=o["rho"], eps=o["eps"]),
                           {"square_avg": "e_g", "acc_delta": "e_x"}),
    "Adamax": _Optimizer(_moments(optax.adamax), {"exp_avg": "mu", "exp_inf": "nu"}),
    "NAdam": _Optimizer(_decoupled(optax.scale_by_adam, nesterov=True), {"exp_avg": "mu", "exp_avg_sq": "nu"},
                        absent={"momentum_decay": 4e-3}),
    "RAdam": _Optimizer(_decoupled(optax.scale_by_radam), {"exp_avg": "mu", "exp_avg_sq": "nu"}),
    "Rprop": _Optimizer(lambda o: optax.rprop(o["lr"], *o["etas"], *o["step_sizes"]), {"step_size": "step_sizes"}),
}

#: Where optax has torch's state: by op, torch's name -> optax's field.
STATES = {name: optimizer.state for name, optimizer in _OPTIMIZERS.items()}


def default(device: str) -> list[str]:
    """The variants that an audit takes unasked."""
    return ["eager"]


def make(variant: str, device: str) -> Target:
    """One variant of optax; JAX's own device is the CPU here."""
    if device != "cpu":
        raise TargetError(f"optax is audited on the CPU, not on {device!r}")
    return _Optax(variant)


class _Optax:
    def __init__(self, variant: str) -> None:
        self.variant, self.name = variant, f"optax:{variant}"
        self._ran = ""  #: op and storage type of the case before

    def covers(self, spec: Spec) -> bool:
        return isinstance(spec, LossSpec | OptimSpec)

    def _forget_programs(self, runs: str) -> None:
        """Forget what JAX has compiled for another op: the programs of all would take gigabytes."""
        if self._ran != runs:
            jax.clear_caches()
            self._ran = runs

    def run(self, case: Case) -> Outputs:
        refuse_surroundings(case, "optax")
        if case.dtype not in ("float64", "float32"):
            raise Unsupported(f"optax rounds every operation to {case.dtype}; float32 and float64 are judged")
        if case.spec.name not in {*_OPTIMIZERS, *LOSSES}:
            raise Unsupported(f"optax has no counterpart of {case.spec.name} here")
        self._forget_programs(f"{case.spec.name}/{case.dtype}")
        with jax.enable_x64(case.dtype == "float64"), jax.default_device(jax.devices("cpu")[0]):
            if isinstance(case.spec, LossSpec):
                return run_loss(case, self.variant == "jit")
            return _trajectory(_OPTIMIZERS[case.spec.name], case, self.variant == "jit")

    def script(self, case: Case) -> str:
        raise Unsupported("there is no script for optax")


def complete(spec: Any, options: Options) -> Options:
    """Options of an optimizer with the defaults of those that are not given."""
    made: Options = spec.optimizer([Parameter(np.zeros(1))], **options).defaults
    return made


def _transformation(optimizer: _Optimizer, options: Options) -> Any:
    for name, needed in optimizer.absent.items():
        if options[name] != needed:
            raise Unsupported(f"optax has no {name} here")
    first = [optax.scale(-1.0)] if options["maximize"] else []
    if options.get("weight_decay", 0) != 0 and not options.get("decoupled_weight_decay"):
        first.append(optax.add_decayed_weights(options["weight_decay"]))
    return optax.chain(*first, optimizer.make(options))


def _trajectory(optimizer: _Optimizer, case: Case, jit: bool) -> Outputs:
    """Every parameter by itself, and what it and its state are after each step."""
    trajectory = case.inputs
    defaults = complete(case.spec, trajectory.defaults)
    history: list[dict[str, Array]] = [{} for _ in trajectory.gradients]
    of_group = [(p, {**defaults, **group.options}) for group in trajectory.groups for p in group.params]
    for i, (start, options) in enumerate(of_group):
        transformation = _transformation(optimizer, options)
        update = jax.jit(transformation.update) if jit else transformation.update
        theta = jnp.asarray(start)
        state, stepped = transformation.init(theta), optimizer.at_once
        for now, gradients in zip(history, trajectory.gradients, strict=True):
            g = gradients[i]
            if isinstance(g, SparseGrad):
                raise Unsupported("optax takes no sparse gradients")
            if g is not None:
                updates, state = update(jnp.asarray(g), state, theta)
                theta, stepped = optax.apply_updates(theta, updates), True
            now[f"param[{i}]"] = np.asarray(theta)
            if stepped:
                kept = {name: optax.tree_utils.tree_get(state, theirs) for name, theirs in optimizer.state.items()}
                now |= {f"{name}[{i}]": np.asarray(value) for name, value in kept.items() if value is not None}
    return Partial(stack_steps(history))

"""Keras 3: its optimizers, and what torch's options are called there.

Its losses and initializers are in files of their own.

The backend is torch unless one is chosen.

Each parameter has an optimizer of its own, so that one without a gradient sits a step out as in torch, and groups
have options of their own. Who maximizes hands over the gradient with the other sign. Keras keeps learning rates in
its ``floatx``, which is that of the case here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.optim import Parameter, SparseGrad

from ..cases.case import Case
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from ..truth.evaluate import Outputs, Partial
from ..truth.history import stack_steps
from .loading import Target, TargetError, Unsupported
from .translation import refuse_surroundings

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # it reads the variable when it is imported

from .keras_init import run_init
from .keras_losses import LOSSES, run_loss

__all__ = ["VARIANTS", "default", "make"]

Array = np.ndarray[Any, Any]
Options = Mapping[str, Any]

VARIANTS = {"eager": "optimizers, variable by variable"}


@dataclass(frozen=True)
class _Optimizer:
    """How torch's options make one of Keras's optimizers, and what that calls torch's state."""

    make: Callable[[Options], Any]
    state: Mapping[str, str] = field(default_factory=dict)  #: torch's name -> the end of Keras's
    absent: Mapping[str, Any] = field(default_factory=dict)  #: options without counterpart -> the value they need
    at_once: bool = False  #: has torch its state before the first step?


def _moments(o: Options) -> dict[str, Any]:
    return {"learning_rate": o["lr"], "beta_1": o["betas"][0], "beta_2": o["betas"][1], "epsilon": o["eps"],
            "weight_decay": o["weight_decay"] or None}


#: torch's name -> Keras's. Its weight_decay is decoupled in every optimizer: L2 is a regularizer of layers.
_OPTIMIZERS: Mapping[str, _Optimizer] = {
    "Adam": _Optimizer(lambda o: keras.optimizers.Adam(**_moments(o), amsgrad=o["amsgrad"]),
                       {"exp_avg": "momentum", "exp_avg_sq": "velocity", "max_exp_avg_sq": "velocity_hat"}),
    "AdamW": _Optimizer(lambda o: keras.optimizers.AdamW(**{**_moments(o), "weight_decay": o["weight_decay"]},
                                                         amsgrad=o["amsgrad"]),
                        {"exp_avg": "momentum", "exp_avg_sq": "velocity", "max_exp_avg_sq": "velocity_hat"}),
    "SGD": _Optimizer(lambda o: keras.optimizers.SGD(o["lr"], momentum=float(o["momentum"]), nesterov=o["nesterov"]),
                      {"momentum_buffer": "momentum"}, absent={"dampening": 0}),
    "RMSprop": _Optimizer(lambda o: keras.optimizers.RMSprop(o["lr"], rho=o["alpha"], momentum=float(o["momentum"]),
                                                             epsilon=o["eps"], centered=o["centered"]),
                          {"square_avg": "velocity", "momentum_buffer": "momentum", "grad_avg": "average_gradient"}),
    "Adagrad": _Optimizer(lambda o: keras.optimizers.Adagrad(o["lr"], o["initial_accumulator_value"], o["eps"]),
                          {"sum": "accumulator"}, absent={"lr_decay": 0}, at_once=True),
    "Adadelta": _Optimizer(lambda o: keras.optimizers.Adadelta(o["lr"], rho=o["rho"], epsilon=o["eps"]),
                           {"square_avg": "accumulated_grad", "acc_delta": "accumulated_delta_var"}),
    "Adamax": _Optimizer(lambda o: keras.optimizers.Adamax(**_moments(o)), {"exp_avg": "momentum", "exp_inf": "norm"}),
    "NAdam": _Optimizer(lambda o: keras.optimizers.Nadam(**_moments(o)),
                        {"exp_avg": "momentum", "exp_avg_sq": "velocity"}, absent={"momentum_decay": 4e-3}),
}


def default(device: str) -> list[str]:
    """The variants that an audit takes unasked."""
    return list(VARIANTS)


def make(variant: str, device: str) -> Target:
    """Keras on the CPU."""
    if device != "cpu":
        raise TargetError(f"Keras is audited on the CPU, not on {device!r}")
    return _Keras()


class _Keras:
    name = "keras:eager"

    def covers(self, spec: Spec) -> bool:
        return isinstance(spec, InitSpec | LossSpec | OptimSpec)

    def run(self, case: Case) -> Outputs:
        refuse_surroundings(case, "Keras")
        if case.dtype not in ("float64", "float32"):
            raise Unsupported(f"Keras rounds every operation to {case.dtype}; float32 and float64 are judged")
        if isinstance(case.spec, InitSpec):
            with _floatx(case.dtype), keras.device("cpu"):
                return run_init(case)
        if case.spec.name not in {*_OPTIMIZERS, *LOSSES}:
            raise Unsupported(f"Keras has no counterpart of {case.spec.name} here")
        with _floatx(case.dtype), keras.device("cpu"):
            if isinstance(case.spec, LossSpec):
                return run_loss(case)
            return _trajectory(_OPTIMIZERS[case.spec.name], case)

    def script(self, case: Case) -> str:
        raise Unsupported("there is no script for Keras")


@contextmanager
def _floatx(dtype: str) -> Iterator[None]:
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _checked(optimizer: _Optimizer, options: Options) -> Options:
    for name, needed in optimizer.absent.items():
        if options[name] != needed:
            raise Unsupported(f"Keras has no {name} here")
    if options.get("weight_decay", 0) != 0 and not options.get("decoupled_weight_decay"):
        raise Unsupported("weight decay of Keras's optimizers is decoupled; L2 is a regularizer of layers")
    return options


def _trajectory(optimizer: _Optimizer, case: Case) -> Outputs:
    """Every parameter by itself, and what it and its state are after each step."""
    trajectory, spec = case.inputs, case.spec
    assert isinstance(spec, OptimSpec)
    defaults = spec.optimizer([Parameter(np.zeros(1))], **trajectory.defaults).defaults
    of_group = [(p, {**defaults, **group.options}) for group in trajectory.groups for p in group.params]
    history: list[dict[str, Array]] = [{} for _ in trajectory.gradients]
    for i, (start, options) in enumerate(of_group):
        theirs = optimizer.make(_checked(optimizer, options))
        variable, stepped = keras.Variable(start, dtype=case.dtype), optimizer.at_once
        theirs.build([variable])
        for now, gradients in zip(history, trajectory.gradients, strict=True):
            g = gradients[i]
            if isinstance(g, SparseGrad):
                raise Unsupported("Keras takes no sparse gradients of torch's kind")
            if g is not None:
                g = keras.ops.convert_to_tensor(np.array(-g if options["maximize"] else g))
                theirs.apply([g], [variable])
                stepped = True
            now[f"param[{i}]"] = _array(variable)
            if stepped:
                now |= {f"{name}[{i}]": _array(v) for name, end in optimizer.state.items() for v in theirs.variables
                        if v.path.endswith(f"/{variable.name}_{end}")}
    return Partial(stack_steps(history))


def _array(variable: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(variable.value))

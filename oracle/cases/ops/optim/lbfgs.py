"""What is asked of ``LBFGS``: its axes, draws and refusals.

Gradients are given alone, or follow an objective, or are answers in a row that lead an iteration where it seldom goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.optim._optimizer import Parameter
from reference.optim.lbfgs import LBFGS

from ...spec import Axis, Limits, Objective, OptimSpec, Options, Refusal, Trajectory
from ._trajectories import AXES, LONGEST, STACK, trajectory

__all__ = ["SPEC"]

#: Answers of a closure that lead an iteration where their name says, and the arguments they are for. One is a value
#: and a multiple of a gradient, of both parameters or of each. Along the first direction the slope is minus the
#: multiple, in the unit of the values. No function need be behind them.
_ANSWERS: dict[str, tuple[dict[str, Any], tuple[tuple[float, ...], ...]]] = {
    # a slope upwards ends the bracket; near to an end twice, so moved away from it; evaluations run out
    "upwards": ({"max_iter": 4, "tolerance_grad": -1},
                ((1.0, 1.0), (0.25, -2.25), (1.0, -0.25), (-1.75, 2.25), (-1.75, 0.75), (1.0, 2.25), (-1.25, 0.0),
                 (-1.75, 0.0))),
    # a slope upwards, where the other end is the lower one
    "lower-right": ({"max_iter": 4, "tolerance_grad": -1, "tolerance_change": 0},
                    ((2.0, 1.0), (0.25, -2.0), (-1.0, -1.5))),
    # too short twice, then above the one before
    "too-short": ({"max_iter": 4, "lr": 2},
                  ((0.625, 1.0), (-1.625, 1.75), (0.0, 2.0), (0.0, 1.25), (-1.625, 0.25), (-1.0, 1.75))),
    # as high as the start, and just below it; then a value that is NaN in the middle of the search
    "level": ({"max_iter": 1, "max_eval": 6},
              ((0.0, 1.0), (0.0, 1.5), (-5e-5, 2.5), (-0.75, 2.0), (-1.25, -0.75), (math.nan, -1.0), (1.5, 0.25))),
    # ends that come too close in the direction's largest element, and that do in its smallest alone
    "closed": ({"max_iter": 4, "lr": 2e-8}, ((0.0, 1.0), (0.0, -3.0), (0.0, -2.75))),
    "closing": ({"max_iter": 3, "max_eval": 4, "lr": 2e-8},
                ((1.75, 1.0), (1.25, 2.5), (-1.75, 2.0), (0.5, 2.0), (0.0, -2.25))),
    # gradients of 0, that a tolerance of 0 takes for the end, at once and later, and one below 0 does not
    "flat": ({"max_iter": 1, "max_eval": 2, "lr": 0.5, "tolerance_grad": 0}, ((-1.625, 0.0), (0.625, -1.75))),
    "flattened": ({"max_iter": 4, "lr": 0.5, "tolerance_grad": 0},
                  ((0.125, 1.0), (0.625, 2.0), (-0.625, -0.25), (-1.125, 0.0))),
    "infinite": ({"max_iter": 4, "lr": 0.5, "tolerance_grad": -1, "tolerance_change": 0},
                 ((math.inf, 0.0), (math.inf, 0.5), (math.inf, -1.0), (math.inf, 0.0))),
    # no value, but a slope that is flat, as where a logarithm's argument is negative
    "undefined": ({"max_iter": 1, "max_eval": 3}, ((0.0, 1.0), (math.nan, 0.5), (-1.0, 0.25))),
    # no line search: the loss stays; two pairs of three are kept; y·s is 1.0005e-10, a pair just about kept
    "unmoved": ({"max_iter": 4, "max_eval": 9, "lr": 2e-8, "line_search_fn": None}, ((1.0, 1.0), (1.0, 2.75))),
    "forgets": ({"max_iter": 5, "max_eval": 6, "lr": 4, "tolerance_grad": -1, "tolerance_change": 0,
                 "history_size": 2, "line_search_fn": None},
                ((-0.5, 0.0, 1.0), (-0.5, 1.75, 1.5), (-2e-4, -0.5, 1.0), (1.0, 1.25, 0.0), (1.0, 0.0, -1.75),
                 (1.0, 0.0, 2.5))),
    "barely-curved": ({"max_iter": 2, "max_eval": 9, "lr": 3.2016e-9, "tolerance_change": 0, "line_search_fn": None},
                      ((0.0, 1.0), (-1.0, 0.5))),
}

#: Gradients that are the same at every step, from which nothing is learnt.
_UNCHANGED = ("constant", "zero")

_AXES = (AXES[0], Axis("grad", ("one", "constant", "eps", "zero", "huge", "none"),
                       "as for all; constant is the same at every step, so that nothing is learnt from it",
                       early=True),
         Axis("steps", (1, 2, 4, 300), costly=(300,)),
         Axis("layout", ("vector", "scalar", "empty", "matrix"), early=True),
         Axis("objective", ("given", "quadratic", "quartic"),
              "the gradients alone; with ½ |Aθ - b|²; with ¼ Σθ⁴ too; or answers in a row that lead where it says"),
         Axis("lr", (1, 0.1, 4.0)), Axis("max_iter", (1, 4, 20)), Axis("max_eval", (None, 3)),
         Axis("tolerance_grad", (1e-7, 0.3)), Axis("tolerance_change", (1e-9, 0.1)),
         Axis("history_size", (100, 1)), Axis("line_search_fn", (None, "strong_wolfe")))

#: Objectives that tell which way a cubic is laid through two points, and that a slope of 0.05 ends a search.
_DRAWN: tuple[Options, ...] = (
    {"start": "zero", "grad": "zero", "steps": 2, "layout": "scalar", "objective": "quartic", "lr": 0.1, "max_eval": 3,
     "history_size": 1, "line_search_fn": "strong_wolfe"},
    {"grad": "zero", "layout": "scalar", "objective": "quadratic", "max_iter": 4, "tolerance_change": 0.1,
     "history_size": 1, "line_search_fn": "strong_wolfe"})


def _row(name: str) -> dict[str, Any]:
    """The combination of answers in a row, with all axes."""
    settings = {"start": "zero", "grad": "constant", "objective": name, "line_search_fn": "strong_wolfe"}
    return {axis.name: axis.values[0] for axis in _AXES} | settings | _ANSWERS[name][0]


def _answers(name: str, gradients: Sequence[Any]) -> Objective:
    """The objective of answers in a row; gradients are so small that the first step has a length of lr."""
    norm = sum(np.sum(g * g) for g in gradients) ** 0.5
    gradients = [g / (4 * norm) for g in gradients]
    return Objective(answers=tuple(
        (np.asarray(value / 16), tuple(m * g for m, g in zip(np.broadcast_to(multiples, 2), gradients, strict=True)))
        for value, *multiples in _ANSWERS[name][1]))


def _allowed(options: Options, dtype: str) -> bool:
    if options["objective"] == "given":
        return _given_is_decidable(options, dtype)
    if dtype not in ("float64", "float32"):
        return False
    if options["objective"] in _ANSWERS:
        return options == _row(str(options["objective"]))
    return options["grad"] in _UNCHANGED and _objective_is_decidable(options, dtype)


def _given_is_decidable(options: Options, dtype: str) -> bool:
    """Given gradients do not depend on the parameters: one iteration a step, and nothing to search along."""
    one_iteration = options["max_iter"] == 1 and options["line_search_fn"] is None
    return bool(one_iteration and options["steps"] <= _longest_given(str(options["grad"]), dtype))


def _longest_given(grad: str, dtype: str) -> int:
    """How many steps with given gradients can be decided.

    Each iteration from a changed gradient multiplies the errors of those before it: few can be decided, the
    fewer the fewer digits there are.
    """
    if grad in _UNCHANGED:
        return 2000 if dtype == "float32" else LONGEST[dtype]
    if dtype == "float16" and grad == "eps":
        return 1  # products of small gradients are lost, in torch and in truth
    longest = {"float64": 4, "float32": 2, "float16": 2, "bfloat16": 1}[dtype]
    return min(longest, 2) if grad == "huge" else longest


def _objective_is_decidable(options: Options, dtype: str) -> bool:
    """Few iterations are, in float32 and with another step than 1 that no search corrects; else 20 but for one pair."""
    iterations = options["steps"] * options["max_iter"]
    unsearched = options["lr"] != 1 and not options["line_search_fn"]
    if options["steps"] > 2 or iterations > (4 if dtype == "float32" or unsearched else 20):
        return False
    return not (iterations == 20 and options["history_size"] == 1 and options["max_eval"] is None)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> Trajectory:
    names = ("lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size", "line_search_fn")
    drawn = trajectory({**options, "eps": 1e-8, "grad": "one" if options["grad"] == "constant" else options["grad"]},
                       rng, limits, {name: options[name] for name in names}, {})
    if options["grad"] == "constant":
        drawn = replace(drawn, gradients=drawn.gradients[:1] * options["steps"])
    if options["objective"] in _ANSWERS:
        return replace(drawn, objective=_answers(str(options["objective"]), drawn.gradients[0]))
    if options["objective"] == "given":
        return replace(drawn, objective=Objective())
    sizes = [p.size for p in drawn.groups[0].params]
    n = sum(sizes)
    matrix = np.eye(n) + rng.uniform(-0.25, 0.25, (n, n)) / n**0.5
    return replace(drawn, objective=Objective(
        tuple(np.split(matrix, np.cumsum(sizes)[:-1], 1)), rng.uniform(0.5, 1.5, n),
        1.0 if options["objective"] == "quartic" else 0.0))


SPEC = OptimSpec(
    name="LBFGS", torch_names=("torch.optim.LBFGS",), optimizer=LBFGS, draw=_draw, allowed=_allowed, axes=_AXES,
    elementwise=False, sizes={"33": {}},
    in_arrays=(),  # its state t is the learning rate, as whatever it was given
    surrounded=({"grad": "constant"},),
    strength=3, long=({"grad": "constant", "steps": 2000},), extra=(*map(_row, _ANSWERS), *_DRAWN, *STACK),
    sized={"tolerance_grad": 0, "tolerance_change": 0, "max_iter": 4, "history_size": 4},  # no early end
    refusals=(
        Refusal("negative lr", {"lr": -1.0}, ValueError, r"lr .* got -1\.0"),
        Refusal("lr is not a number", {"lr": float("nan")}, ValueError, r"lr .* got nan"),
        Refusal("two learning rates", {"lr": np.array([0.1, 0.1])}, ValueError, r"lr .* shape \(2,\)"),
        Refusal("lr is no number", {"lr": "0.1"}, TypeError, "str"),
        Refusal("two groups", {"params": [{"params": [Parameter(np.ones(2))]}, {"params": [Parameter(np.ones(2))]}]},
                ValueError, "params .* one group, got 2"),
        Refusal("no parameters", {"params": []}, ValueError, "params .* empty"),
        Refusal("an array for an iterable", {"params": np.ones(2)}, TypeError, "params .* float64"),
    ),
)

"""What is asked of ``gaussian_nll_loss``: its axes, draws and refusals.

Variances are drawn so that no loss cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.gaussian_nll import gaussian_nll_loss, gaussian_nll_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import UNEVEN, poison, put_first, refuser, size_of, target_shape, uneven
from ._whole import differences

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "5": (5,), "3x3": (3, 3), "2x1x3": (2, 1, 3), "0": (0,)}
_VARS = ("same", "short", "row-of-1", "column", "float")


def _allowed(options: Options, dtype: str) -> bool:
    shape, target, var, regime = (options[name] for name in ("shape", "target", "var", "regime"))
    if var not in ("same", "float") and shape in ("scalar", "0"):
        return False
    if var == "row-of-1" and shape not in ("3x4", "3x3"):
        return False
    if target != "same" and shape not in ("3x4", "2x1x3", *UNEVEN):
        return False
    if regime != "moderate" and shape == "0":
        return False
    if var == "float" and regime in ("inf-var", "nan-var"):
        return False
    if target == "integer-input" and (dtype not in ("float32", "float64") or (var, regime) != ("float", "moderate")):
        return False
    # a square over 1e-6 is beyond float16
    return bool(dtype != "float16" or options["eps"] != 1e-6 or regime not in ("clamped", "zero-var"))


def _var_shape(kind: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    match kind:
        case "short":
            return shape[:-1]
        case "row-of-1":
            return (1, *shape[1:])
        case "column":
            return (*shape[:-1], 1)
        case "float":
            return ()
    return shape


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Variances above 1.5 or far below the squares, so that no loss cancels."""
    shape, regime, eps = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["eps"]
    var_shape = _var_shape(options["var"], shape)
    scale = size_of(regime, 3.0, huge=limits.max**0.5 / 16, tiny=8 * limits.tiny)
    y = rng.uniform(-scale / 4, scale / 4, target_shape(options["target"], shape))
    x = rng.uniform(scale / 2, scale, shape)
    v = np.asarray(rng.uniform(1.6, 3.0, var_shape))
    if regime == "exact":
        x, y = x * 0 + 1.5, y * 0 + 1.5
    elif regime == "narrow":  # 1 - (x - y)² / v does not cancel
        v = v / 16
    elif regime == "wide":
        v = v * 256
    elif regime == "clamped":
        v = np.asarray(eps * rng.uniform(0.25, 0.75, var_shape))
    elif regime == "zero-var":
        v = v * 0
    x, y = np.asarray(x), np.asarray(y)
    if options["target"] == "integer-input":  # a variance of 1, of which neither root nor logarithm is rounded
        x, v = np.round(x).astype(np.int64), np.ones(())
    poison(x, regime, np.inf, -np.inf)
    if regime == "inf":
        put_first(y, np.inf)
    elif regime in ("inf-var", "nan-var"):
        put_first(v, np.inf if regime == "inf-var" else np.nan)
    return {"input": x, "target": y, "var": float(v) if options["var"] == "float" else v,
            "full": options["full"], "eps": eps, "reduction": options["reduction"]}


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Variances of 1; differences of 2 and 4, so that no gradient cancels."""
    return {**differences((2, 4), power=2)(options, size, rng, limits), "var": np.ones(size)}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32),
            "var": rng.random(n, np.float32) + np.float32(0.5)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X, var=_X)

SPEC = LossSpec(
    name="gaussian_nll_loss",
    surrounded=({}, {"full": True}),
    torch_names=("torch.nn.functional.gaussian_nll_loss", "torch.nn.GaussianNLLLoss"),
    function=gaussian_nll_loss, backward=gaussian_nll_loss_backward, module="GaussianNLLLoss",
    axes=(Axis("var", _VARS, "short: without the last length; row-of-1, column: with a first or last 1"),
          Axis("full", (False, True)), Axis("eps", (1e-6, 0.25)), Axis("shape", tuple(_SHAPES)),
          Axis("reduction", ("mean", "none", "sum")),
          Axis("target", ("same", "row", "larger"), "its shape beside that of input"),
          Axis("regime", ("moderate", "exact", "narrow", "wide", "clamped", "zero-var", "huge", "tiny", "inf",
                          "inf-var", "nan", "nan-var"), "exact: x = y; clamped: var is below eps")),
    allowed=_allowed, draw=_draw, sized=_sized,
    extra=({"var": "float", "target": "integer-input"},
           {"var": "float", "target": "integer-input", "reduction": "none"},
           *uneven({"var": "short"}, {"var": "column", "reduction": "none"}, {"target": "row"})),
    # the clamp is straight-through; under "narrow" it may be in force
    kinks=lambda options: options["regime"] in ("clamped", "zero-var") or (
        options["regime"] == "narrow" and options["eps"] == 0.25),
    arrays=("input", "target", "var"),
    independent="elements",
    whole=Whole(_whole),
    elementwise={"unit": {"target": 0.0, "var": 1.0}, "narrow": {"target": 0.7, "var": 1e-3},
                 "full": {"target": -1.0, "var": 4.0, "full": True}},
    refusals=(
        _refuse("a negative variance", ValueError, r"var must not be negative, not -1\.0", var=-_X),
        _refuse("a negative float", ValueError, r"not be negative, not -1\.0", var=-1.0),
        _refuse("one variance a column without saying so", ValueError, r"not \(4,\)", var=_X[0]),
        _refuse("one variance for all in an array", ValueError, r"not \(1, 1\)", var=_X[:1, :1]),
        _refuse("no shape at all", ValueError, r"not \(\)", var=np.array(1.0)),
        _refuse("more variances than means", ValueError, r"not \(1, 3, 4\)", var=_X[None]),
        _refuse("an integer for a float", TypeError, "var must be a NumPy array or a float, not int", var=1),
        _refuse("no variance", TypeError, "var must be a NumPy array or a float, not NoneType", var=None),
        _refuse("integer variances", RuntimeError, "var must be floating, not int64",
                var=_X.astype(np.int64)),
        _refuse("complex variances", NotImplementedError, "var must be real, not complex64",
                var=_X.astype(np.complex64)),
        _refuse("a float beside complex means", NotImplementedError, "var must be an array",
                input=_X.astype(np.complex64), var=1.0),
        _refuse("truth values", RuntimeError, "must be numbers, not bool and float32", input=_X > 0),
        _refuse("shapes that do not broadcast", RuntimeError, r"target must broadcast .*, not \(3,\)",
                target=_X[0, :3]),
        _refuse("a word for the least", TypeError, "eps must be a number, not str", eps="small"),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("an old name of the mean", ValueError, "'elementwise_mean'", reduction="elementwise_mean"),
        _refuse("no reduction at all; torch puts it into its message", ValueError, "not None", TypeError,
                reduction=None),
        _refuse("no array; torch asks it for its size", TypeError, "input must be a NumPy array, not float",
                AttributeError, input=1.0),
    ),
)

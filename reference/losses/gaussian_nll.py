"""Negative log-likelihood under normal distributions of given variance."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, conj, ieee, is_floating, result_type, unbroadcast
from ..precision import lift, pi_like
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import UNEVEN, refuser, uneven
from ._module import module_class
from ._pairs import number

__all__ = ["SPEC", "GaussianNLLLoss", "gaussian_nll_loss", "gaussian_nll_loss_backward"]


@ieee
def gaussian_nll_loss(input: Array, target: Array, var: Array | float, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Array:
    r"""Negative log-likelihood of target under the normal distribution of mean input and variance var.

    With v = max(var, ε), the loss of an element is::

        ½ (log v + (x - y)² / v)        + ½ log 2π with ``full``

    Args:
        input: means x, any shape.
        target: y, any shape that broadcasts with that of ``input``; a larger one enlarges the loss.
        var: the variances, not negative: the shape of ``input``; that shape without its last length, which
            makes a variance of shape (N) beside input (N, N) one for each row; or that shape with one length
            replaced by 1. Or a float for all.
        full: add ½ log 2π?
        eps: ε, which is rounded to the dtype of ``var`` (1.0133e-6 in float16).
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        ValueError: a variance is negative, its shape is none of those, or ``reduction`` is unknown.
        RuntimeError: the shapes of ``input`` and ``target`` do not broadcast, or a dtype does not fit.
        NotImplementedError: variances are complex.
        TypeError: an argument is no array, or no float (an integer is none) or number.

    torch halves last, so that its loss is infinite from half of the largest number on. There are no ``size_average``
    and ``reduce``, and the module takes its settings by name alone.

    >>> gaussian_nll_loss(np.array([1.0, 3.0]), np.array([1.0, 1.0]), np.array([1.0, 4.0]), reduction="none")
    array([0.        , 1.19314718])

    Source: Nix, Weigend, Estimating the mean and variance of the target probability distribution (1994),
    equation 3.
    """
    x, y, v, reduction = _prepare(input, target, var, eps, reduction)
    dtype = result_type(x, y, v)

    def losses(x: Array, y: Array, v: Array) -> Array:
        v = np.maximum(v, lift(v, eps))
        z = (x - y) / np.sqrt(v)  # the square of x - y overflows where the loss does not
        values = np.log(v) / 2 + z * (z / 2)
        return cast(values + np.log(2 * pi_like(v)) / 2 if full else values, dtype)

    return reduce_blocks(losses, [x, y, v], reduction)


@ieee
def gaussian_nll_loss_backward(grad_output: Array, input: Array, target: Array, var: Array | float,
                               full: bool = False, eps: float = 1e-6, reduction: str = "mean",
                               ) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`gaussian_nll_loss`.

    It is (x - y) / v for x, its negative for y, and ½ (1/v - (x - y)² / v²) for var.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, var, full, eps, reduction: as there.

    Returns:
        Gradients of input, target and var, each in its argument's shape; None for integers and floats.

    Raises:
        What :func:`gaussian_nll_loss` raises.

    torch's convention: the clamp is not differentiated, so a variance below ε has the gradient that it would
    have at ε, though the loss does not depend on it there.

    >>> gaussian_nll_loss_backward(np.array(1.0), np.array([3.0]), np.array([1.0]), np.array([2.0]))
    (array([1.]), array([-1.]), array([-0.25]))

    Source: differentiation.
    """
    x, y, v, reduction = _prepare(input, target, var, eps, reduction)
    g = cast(grad_output, result_type(x, y, v))
    g = np.asanyarray(g / math.prod(common_shape(x, y, v))) if reduction == "mean" else g

    def slopes(g: Array, x: Array, y: Array, v: Array) -> tuple[Array, Array, Array | None]:
        d, v = x - y, np.maximum(v, lift(v, eps))
        ratio = d / v
        slope = g * conj(ratio)
        if not isinstance(var, np.ndarray):
            return slope, -slope, None
        root = 1 / np.sqrt(v)  # a difference of two squares, of which one may overflow
        return slope, -slope, g * conj((root - ratio) / 2 * (root + ratio))

    by_input, by_target, by_var = map_blocks(slopes, g, x, y, v)
    grad_var = unbroadcast(by_var, v) if isinstance(var, np.ndarray) else None
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if grad_var is None else grad_var.reshape(np.shape(var)))


def _prepare(input: Array, target: Array, var: Array | float, eps: float,
             reduction: str) -> tuple[Array, Array, Array, str]:
    """The checked means and targets, the variances in a shape that broadcasts, and the reduction."""
    input, target = array("input", input), array("target", target)
    v = _variances(input, var)
    reduction = resolve(reduction, old_name=False, stacklevel=5)
    number("eps", eps)
    if not is_floating(v):
        raise RuntimeError(f"var must be floating, not {v.dtype}")
    if "b" in (input.dtype.kind, target.dtype.kind):
        raise RuntimeError(f"input and target must be numbers, not {input.dtype} and {target.dtype}")
    try:
        common_shape(input, target, v)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None
    return input, target, v, reduction


def _variances(input: Array, var: Array | float) -> Array:
    """The variances in a shape that broadcasts with that of the means."""
    if not isinstance(var, np.ndarray):
        if not isinstance(var, numbers.Real) or isinstance(var, numbers.Integral):
            raise TypeError(f"var must be a NumPy array or a float, not {type(var).__name__}")
        if var < 0:
            raise ValueError(f"var must not be negative, not {var}")
        if input.dtype.kind == "c":
            raise NotImplementedError("var must be an array beside complex input, not a float")
        return lift(input if is_floating(input) else np.empty((), np.float32), var)
    if array("var", var).dtype.kind == "c":
        raise NotImplementedError(f"var must be real, not {var.dtype}")
    if np.any(var < 0):
        raise ValueError(f"var must not be negative, not {var[var < 0][0]}")
    if var.shape == input.shape:
        return var
    if var.shape == input.shape[:-1]:
        return var[..., None]
    if var.shape in [(*input.shape[:i], 1, *input.shape[i + 1:]) for i in range(input.ndim)]:
        return var
    raise ValueError(f"var must have the shape of input, {input.shape}, or that without its last length, or "
                     f"that with one 1 in it, not {var.shape}")


# --- cases ---------------------------------------------------------------------------------------

_SHAPES = {"3x4": (3, 4), "scalar": (), "5": (5,), "3x3": (3, 3), "2x1x3": (2, 1, 3), "0": (0,)}
_VARS = ("same", "short", "row-of-1", "column", "float")


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["var"] in ("same", "float") or options["shape"] not in ("scalar", "0"))
            and (options["var"] != "row-of-1" or options["shape"] in ("3x4", "3x3"))
            and (options["target"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0")
            and (options["var"] != "float" or options["regime"] not in ("inf-var", "nan-var"))
            and (options["target"] != "integer-input" or (
                dtype in ("float32", "float64") and (options["var"], options["regime"]) == ("float", "moderate")))
            # a square over 1e-6 is beyond float16
            and (dtype != "float16" or options["eps"] != 1e-6
                 or options["regime"] not in ("clamped", "zero-var")))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Variances above 1.5 or far below the squares, so that no loss cancels."""
    shape, regime, eps = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["eps"]
    target_shape = {"row": shape[-1:], "larger": (2, *shape)}.get(options["target"], shape)
    var_shape = {"short": shape[:-1], "row-of-1": (1, *shape[1:]), "column": (*shape[:-1], 1),
                 "float": ()}.get(options["var"], shape)
    scale = {"huge": limits.max**0.5 / 16, "tiny": 8 * limits.tiny}.get(regime, 3.0)
    y, x = rng.uniform(-scale / 4, scale / 4, target_shape), rng.uniform(scale / 2, scale, shape)
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
    values: dict[str, tuple[tuple[float, ...], ...]] = {
        "inf": ((np.inf, -np.inf), (np.inf,), ()), "nan": ((np.nan,), (), ()),
        "inf-var": ((), (), (np.inf,)), "nan-var": ((), (), (np.nan,))}
    for a, first in zip((x, y, v), values.get(regime, ((), (), ())), strict=True):
        a.flat[: len(first[: a.size])] = first[: a.size]
    return {"input": x, "target": y, "var": float(v) if options["var"] == "float" else v,
            "full": options["full"], "eps": eps, "reduction": options["reduction"]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32),
            "var": rng.random(n, np.float32) + np.float32(0.5)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X, var=_X)

SPEC = LossSpec(
    name="gaussian_nll_loss",
    torch_names=("torch.nn.functional.gaussian_nll_loss", "torch.nn.GaussianNLLLoss"),
    function=gaussian_nll_loss, backward=gaussian_nll_loss_backward, module="GaussianNLLLoss",
    module_arguments={"full": False, "eps": 1e-6, "reduction": "mean"},
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

GaussianNLLLoss = module_class(SPEC, keyword_only=True)

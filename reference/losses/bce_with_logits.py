"""Binary cross-entropy between logits and probabilities."""

from __future__ import annotations

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, is_floating, result_type, softplus, unbroadcast
from ..reduction import reduce_blocks, resolve, share
from ._logits import logit_losses, logit_slopes
from ._module import module_class

__all__ = ["BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_backward"]


@ieee
def binary_cross_entropy_with_logits(
        input: Array, target: Array, weight: Array | None = None, size_average: bool | None = None,
        reduce: bool | None = None, reduction: str = "mean", pos_weight: Array | None = None) -> Array:
    r"""Cross-entropy of the probability σ(input) relative to target, element by element.

    With weights w and weights v of the positive class, the loss of an element is::

        -w [v t log σ(x) + (1-t) log(1 - σ(x))] = w [v t softplus(-x) + (1-t) softplus(x)]

    Args:
        input: logits x, any shape, floating.
        target: probabilities t, the shape of ``input``; any number is taken.
        weight: w, broadcasts to that shape, or None for ones.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements, whatever the weights.
        pos_weight: v, broadcasts to that shape, or None for ones.

    Returns:
        The loss in the dtype of ``target``: the shape of ``input``, or () when reduced; NaN for the mean of
        nothing.

    Raises:
        ValueError: ``target`` has not the shape of ``input``, or ``reduction`` is unknown.
        RuntimeError: weights do not broadcast to that shape, or a dtype does not fit.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array.

    torch rearranges this to (1-t) x - (1 + (v-1) t) log σ(x), which cancels where x is negative and t
    small: in float32, x = -20 with t = 0 gives 0 there and not 2.06e-9, and x = -inf with t = 1 gives NaN
    and not inf.

    >>> import numpy as np
    >>> binary_cross_entropy_with_logits(np.array([-20.0]), np.array([0.0])).item()
    2.061153620314381e-09

    Source: documentation of torch.nn.BCEWithLogitsLoss; 1 - σ(x) = σ(-x), and log σ(x) = -softplus(-x).
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, t, w, v = _prepare(input, target, weight, pos_weight)
    given = [a for a in (w, v) if a is not None]

    def losses(x: Array, t: Array, *given: Array) -> Array:
        unweighted = logit_losses(x, t, None if v is None else given[-1])
        return cast(unweighted if w is None else given[0] * unweighted, target.dtype)

    return reduce_blocks(losses, [x, t, *given], reduction)


@ieee
def binary_cross_entropy_with_logits_backward(
        grad_output: Array, input: Array, target: Array, weight: Array | None = None,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        pos_weight: Array | None = None) -> tuple[Array | None, Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`binary_cross_entropy_with_logits`.

    It is w [(1-t) σ(x) - v t σ(-x)] for x, and w [v softplus(-x) - softplus(x)] for t, which without
    ``pos_weight`` is -w x.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, weight, size_average, reduce, reduction, pos_weight:
            as for :func:`binary_cross_entropy_with_logits`.

    Returns:
        Gradients of input and target; None for weight and pos_weight, which torch refuses to differentiate.

    Raises:
        What :func:`binary_cross_entropy_with_logits` raises.

    >>> import numpy as np
    >>> binary_cross_entropy_with_logits_backward(np.array(1.0), np.array([0.0]), np.array([1.0]))[0]
    array([-0.5])

    torch rearranges the first to w [(1 + (v-1) t) σ(x) - v t], which cancels where x is large and t is 1:
    in float32, x = 20 gives 0 there and not -2.06e-9.

    Source: the derivative of softplus is σ.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, t, w, v = _prepare(input, target, weight, pos_weight)
    g = cast(grad_output, x.dtype)
    g = share(g, x.size) if reduction == "mean" else g
    g = g if w is None else g * w

    def slopes(g: Array, x: Array, t: Array, v: Array | None = None) -> tuple[Array, Array]:
        by_target = -x if v is None else v * softplus(-x) - softplus(x)
        return g * logit_slopes(x, t, v), g * by_target

    by_input, by_target = map_blocks(slopes, g, x, t, *([] if v is None else [v]))
    return unbroadcast(by_input, input), unbroadcast(by_target, target), None, None


def _prepare(input: Array, target: Array, weight: Array | None,
             pos_weight: Array | None) -> tuple[Array, Array, Array | None, Array | None]:
    """The checked arguments in their common dtype."""
    input, target = array("input", input), array("target", target)
    if target.shape != input.shape:
        raise ValueError(f"target must have the shape of input, {input.shape}, not {target.shape}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    named = (("weight", weight), ("pos_weight", pos_weight))
    given = {name: array(name, a) for name, a in named if a is not None}
    dtype = result_type(input, target, *given.values())
    for name, a in given.items():
        try:
            fits = common_shape(a, input) == input.shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(f"{name} must broadcast to the shape of input, {input.shape}, not {a.shape}")
        if a.dtype.kind == "c" != target.dtype.kind or (a.dtype.kind == "b" and name == "pos_weight"):
            raise RuntimeError(f"{name} must hold real numbers, not {a.dtype}")
    if target.dtype.kind in "biu":
        raise RuntimeError(f"target must be floating, not {target.dtype}")
    w, v = (None if a is None else cast(a, dtype) for a in (weight, pos_weight))
    return cast(input, dtype), cast(target, dtype), w, v


BCEWithLogitsLoss = module_class("BCEWithLogitsLoss", binary_cross_entropy_with_logits, weight=None, size_average=None,
                                 reduce=None, reduction="mean", pos_weight=None)

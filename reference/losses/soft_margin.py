"""Logistic loss of margins between numbers and signs."""

from __future__ import annotations

from ..blocks import map_blocks
from ..numerics import Array, cast, ieee, is_floating, result_type, sigmoid, softplus, unbroadcast
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import broadcast_pair

__all__ = ["SoftMarginLoss", "soft_margin_loss", "soft_margin_loss_backward"]


@ieee
def soft_margin_loss(input: Array, target: Array, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""Logistic loss of the margin, target times input.

    The loss of an element is::

        log(1 + exp(-y x)) = softplus(-y x)

    Args:
        input: x, any shape, floating.
        target: y, broadcasts to the shape of ``input``. Meant are -1 and 1; any number is taken.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss in the dtype of ``input``: its shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: the shapes do not fit, ``input`` is not floating or ``target`` is complex. (torch takes
            complex input too, but refuses to differentiate the result.)
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array.

    torch evaluates the formula as it stands: where exp(-y x) overflows, which is from y x = -88.7 on in
    float32 and from -11.1 in float16, it gives inf, and NaN for the gradient.

    >>> import numpy as np
    >>> soft_margin_loss(np.array([-1000.0, 1000.0]), np.array([1.0, 1.0]), reduction="none")
    array([1000.,    0.])

    Source: documentation of torch.nn.SoftMarginLoss; the logistic loss of Friedman, Hastie, Tibshirani,
    Additive Logistic Regression (2000), equation 39 with F halved.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y = _prepare(input, target)
    return reduce_blocks(lambda x, y: cast(softplus(-y * x), input.dtype), [x, y], reduction)


@ieee
def soft_margin_loss_backward(grad_output: Array, input: Array, target: Array,
                              size_average: bool | None = None, reduce: bool | None = None,
                              reduction: str = "mean") -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`soft_margin_loss`: -y σ(-y x) for x.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction: as for :func:`soft_margin_loss`.

    Returns:
        The gradient of input; None for target, which torch refuses to differentiate.

    Raises:
        What :func:`soft_margin_loss` raises.

    >>> import numpy as np
    >>> soft_margin_loss_backward(np.array(4.0), np.array([0.0, -1000.0]), np.array([-1.0, 1.0]))[0]
    array([ 1., -2.])

    Source: the derivative of softplus is σ.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y = _prepare(input, target)
    g = cast(grad_output, x.dtype)
    g = share(g, x.size) if reduction == "mean" else g
    slope = map_blocks(lambda g, x, y: -g * y * sigmoid(-y * x), g, x, y)
    return unbroadcast(slope, input), None


def _prepare(input: Array, target: Array) -> tuple[Array, Array]:
    """The checked arguments in their common dtype."""
    if broadcast_pair(input, target) != input.shape:
        raise RuntimeError(f"target must broadcast to the shape of input, {input.shape}, not {target.shape}")
    if not is_floating(input) or target.dtype.kind == "c":
        raise RuntimeError(f"input must be floating and target real, not {input.dtype} and {target.dtype}")
    dtype = result_type(input, target)
    return cast(input, dtype), cast(target, dtype)


SoftMarginLoss = module_class("SoftMarginLoss", soft_margin_loss, size_average=None, reduce=None, reduction="mean")

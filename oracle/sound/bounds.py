"""Truth and bound of somebody's own inputs as arrays, and the tolerance of a comparison that they amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cases.case import leaves
from ..cases.spec import LossSpec
from ..ulp import numpy_dtype
from .arrays import as_numpy, is_array
from .given import Given, given_loss, named_spec
from .truths import NotJudged, truths_of

__all__ = ["Bound", "Tolerance", "bound", "tolerance"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bound:
    """The exact values of an output, and how far from each a sound implementation may be; both in float64.

    Where a value is NaN or infinite it is what IEEE arithmetic gives, and the bound is 0; where an evaluation in the
    type decides nothing, the bound is infinite.
    """

    truth: Array
    bound: Array
    dtype: str  #: the storage type that the bound is for
    others: Mapping[str, Bound] = field(default_factory=dict)  #: further outputs: ``grad.input``, ``loss``

    def __str__(self) -> str:
        finite = self.bound[np.isfinite(self.bound)]
        widest = f"{finite.max():.3g}" if finite.size else "-"
        return f"{self.truth.size:,} values in {self.dtype}; widest bound {widest}"


def bound(op: str, *, dtype: str | None = None, grad_output: Any = None, gradients: Sequence[str] = (),
          accuracy: str = "storage", **arguments: Any) -> Bound:
    """Truth and bound of a loss for inputs that somebody has at hand.

    Args:
        op: torch's name of a loss.
        dtype: the storage type to round the inputs to; their own by default.
        grad_output: as for :func:`oracle.assert_sound`.
        gradients: the arguments whose gradients are wanted too.
        accuracy: as for :func:`oracle.assert_sound`.
        arguments: of the loss, by torch's names: arrays of NumPy, torch or JAX, and options.

    Raises:
        ValueError, TypeError: as :func:`oracle.assert_sound`.

    >>> x, y = np.array([1.0, 2.5]), np.array([1.5, 2.5])
    >>> found = bound("mse_loss", dtype="float32", input=x, target=y, reduction="none", gradients=["input"],
    ...               grad_output=np.ones(2))
    >>> found.truth, found.bound < 1e-6, found.others["grad.input"].truth
    (array([0.25, 0.  ]), array([ True,  True]), array([-1.,  0.]))
    """
    case = _case(op, dtype, grad_output, gradients, arguments)
    truths = truths_of(case, _checked(accuracy))
    wanted = [name for name, _ in leaves("output", case.result)] + [f"grad.{name}" for name in gradients]
    for name in wanted:
        if name not in truths:
            raise ValueError(f"{op} has no gradient of {name.removeprefix('grad.')!r} here; it has those of "
                             f"{', '.join(case.differentiated)}")
    first, *rest = ((name, truths[name]) for name in wanted)
    others = {name: Bound(t.hi, np.where(t.special, 0.0, t.bound), t.dtype) for name, t in rest}
    t = first[1]
    return Bound(t.hi, np.where(t.special, 0.0, t.bound), t.dtype, others)


def _checked(accuracy: str) -> str:
    if accuracy not in ("storage", "opmath"):
        raise ValueError(f"accuracy needs storage or opmath; {accuracy!r} came")
    return accuracy


def _case(op: str, dtype: str | None, grad_output: Any, gradients: Sequence[str],
          arguments: Mapping[str, Any]) -> Given:
    spec = named_spec(op)
    if not isinstance(spec, LossSpec):
        raise ValueError(f"op needs a loss; {op} is none")
    if dtype is not None:
        if dtype not in spec.dtypes:
            raise ValueError(f"dtype needs one of {', '.join(spec.dtypes)}; {dtype!r} came")
        arguments = {name: _rounded(name, value, dtype) for name, value in arguments.items()}
        grad_output = None if grad_output is None else _rounded("grad_output", grad_output, dtype)
    return given_loss(spec, arguments, grad_output, gradients=bool(gradients))


def _rounded(name: str, value: Any, dtype: str) -> Any:
    """Floating arrays in a storage type."""
    if isinstance(value, tuple | list):
        return tuple(_rounded(name, one, dtype) for one in value)
    if not is_array(value):
        return value
    array = as_numpy(name, value)
    with np.errstate(all="ignore"):
        return array if array.dtype.kind in "biu" else array.astype(numpy_dtype(dtype))


@dataclass(frozen=True)
class Tolerance:
    """What ``rtol`` and ``atol`` have to be; as text a line to be pasted into a call, with the reason behind it."""

    rtol: float
    atol: float
    reason: str

    def __str__(self) -> str:
        rtol, atol = (f"{x:.1e}" if x else "0" for x in (self.rtol, self.atol))
        return f"rtol={rtol}, atol={atol}  # {self.reason}"


def tolerance(op: str, *, of: str = "output", dtype: str | None = None, expected: str = "implementation",
              grad_output: Any = None, accuracy: str = "storage", **arguments: Any) -> Tolerance:
    """The tolerances of ``assert_close`` or ``assert_allclose`` that no sound implementation fails on these inputs.

    Of all pairs that let every sound answer through, it is the one that lets the least else through: the line
    ``atol + rtol * |expected|`` lies above what each element may differ by, and is lowest on the average element.

    Args:
        op: torch's name of a loss.
        of: ``output``, or an argument whose gradient is compared.
        dtype: the storage type to round the inputs to; their own by default.
        expected: what is compared with. ``implementation``: another one that is sound, such as torch, so that two
            bounds lie between the two; ``truth``: the exact value, rounded.
        grad_output: as for :func:`oracle.assert_sound`.
        accuracy: as for :func:`oracle.assert_sound`.
        arguments: of the loss, by torch's names.

    Raises:
        ValueError, TypeError: as :func:`oracle.assert_sound`; and where no tolerance is enough, since an evaluation
            in the type may end anywhere.

    >>> x, y = np.array([[0.5, 2.0, -1.0]], np.float32), np.array([1])
    >>> print(tolerance("cross_entropy", input=x, target=y))
    rtol=4.2e-06, atol=0  # cross_entropy in float32: output[] is 0.241311 with a bound of 5e-07; two of them
    """
    if expected not in ("implementation", "truth"):
        raise ValueError(f"expected needs implementation or truth; {expected!r} came")
    wanted = [] if of == "output" else [of]
    found = bound(op, dtype=dtype, grad_output=grad_output, gradients=wanted, accuracy=accuracy, **arguments)
    one = found if of == "output" else found.others[f"grad.{of}"]
    usual = np.isfinite(one.truth)
    if not np.all(np.isfinite(one.bound[usual])):
        lost = tuple(map(int, np.argwhere(usual & ~np.isfinite(one.bound))[0]))
        raise NotJudged(f"no tolerance is enough for {of}{list(lost)}: an evaluation in {one.dtype} may end anywhere")
    times = 2 if expected == "implementation" else 1
    size = np.where(usual, np.abs(one.truth), 0.0)
    differs = times * np.where(usual, one.bound, 0.0)
    sizes = np.maximum(size - one.bound, 0.0)  # of what is compared with, at least
    rtol, atol = _lowest_line(sizes.reshape(-1), differs.reshape(-1))
    if not one.truth.size:
        return Tolerance(0.0, 0.0, f"{op} in {one.dtype}: there are no elements")
    with np.errstate(all="ignore"):
        tightest = np.nan_to_num(differs / (atol + rtol * sizes), nan=0.0)
    place = np.unravel_index(int(tightest.argmax()), one.truth.shape)
    value, width = float(one.truth[place]), float(one.bound[place])
    why = "; two of them" if times == 2 else ""
    name = of if of == "output" else f"grad.{of}"
    return Tolerance(rtol, atol, f"{op} in {one.dtype}: {name}{list(map(int, place))} is {value:.6g} with a bound of "
                                 f"{width:.2g}{why}")


def _lowest_line(sizes: Array, differs: Array) -> tuple[float, float]:
    """The line above all points that is lowest at their average, as slope and intercept: neither is negative.

    The height at the average is a convex function of the slope, whose lowest point is found by thirds. That it lies
    above all points does not depend on how near the search came: the intercept is what the slope needs, rounded up.

    >>> _lowest_line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    (1.0, 1.0)
    """
    if not sizes.size or not differs.any():
        return 0.0, 0.0
    positive = sizes > 0
    low, high = 0.0, float((differs[positive] / sizes[positive]).max()) if positive.any() else 0.0
    mean = float(sizes.mean())

    def height(slope: float) -> float:
        return slope * mean + max(float((differs - slope * sizes).max()), 0.0)

    for _ in range(80):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        # of slopes that are as good, as all are for a single point, the largest: an error follows the size
        low, high = (left, high) if height(right) <= height(left) * (1 + 1e-12) else (low, right)
    rtol = _up(low * (1 - 1e-9))
    return rtol, _up(float((differs - rtol * sizes).max()))


def _up(x: float) -> float:
    """A number with two digits that is not below x.

    >>> _up(1.234e-6), _up(0.0), _up(1.0)
    (1.3e-06, 0.0, 1.0)
    """
    if x <= 0:
        return 0.0
    exponent = math.floor(math.log10(x)) - 1
    digits = math.ceil(x / 10.0**exponent * (1 - 1e-12))
    shown = float(f"{digits}e{exponent}")
    return shown if shown >= x else float(f"{digits + 1}e{exponent}")

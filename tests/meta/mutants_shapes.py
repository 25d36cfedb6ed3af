"""Mistakes that hide where two axes are equally long, or where one in the middle has the length 1.

What a class does not say is the reference's. Where the lengths are equal it is right to the last bit.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from oracle.cases import registry
from reference.init import dirac_
from tests.meta.harness import Mutant
from tests.meta.plain_init import PlainXavier
from tests.meta.plain_losses import Array
from tests.meta.plain_margins import ReferenceLoss, changed, reduction_of

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


def plant(*ops: str) -> Callable[[Any], Any]:
    """Plant a mistake in each of these ops."""

    def keep(code: Any) -> Any:
        for op in ops:
            MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), of(op, code)))
        return code

    return keep


def of(op: str, code: Any) -> Any:
    """The mistake in this op: in its loss, in its optimizer, or a function that is all of it."""
    if not isinstance(code, type):
        return code
    bases = (code,) if issubclass(code, ReferenceLoss) else (code, registry.get(op).implementation)
    return type(code.__name__, bases, {"op": op})


def strided(a: Array, stride: int) -> Array:
    """The array as it is read where so many elements are from row to row; behind the end it begins again."""
    rows, columns = np.indices(a.shape[-2:])
    flat = a.reshape(*a.shape[:-2], -1)
    return np.asarray(flat[..., (stride * rows + columns) % flat.shape[-1]])


class _Misread(ReferenceLoss):
    """An argument that is read in another way."""

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self.read(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self.read(arguments))


# --- what a mean divides by ----------------------------------------------------------------------

class _Mean(ReferenceLoss):
    """A mean that divides by something else."""

    def factor(self, arguments: dict[str, Any]) -> Any:
        raise NotImplementedError

    def forward(self, **arguments: Any) -> Array:
        return np.asarray(super().forward(**arguments) * self.factor(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(np.asarray(grad_output * self.factor(arguments)), **arguments)


@plant("kl_div")
class BatchIsAllButTheLast(_Mean):
    """A batch mean divides by all axes but the last, as if each row were an example."""

    def factor(self, arguments: dict[str, Any]) -> Any:
        shape, batch = arguments["input"].shape, arguments.get("reduction") == "batchmean"
        return np.float32(1 / math.prod(shape[1:-1])) if batch else np.float32(1)


@plant("soft_margin_loss")
class MeanOfAMatrix(_Mean):
    """The mean divides by the first axis times the last."""

    def factor(self, arguments: dict[str, Any]) -> Any:
        shape = arguments["input"].shape
        between = len(shape) > 1 and reduction_of(arguments) == "mean"
        return np.float32(math.prod(shape) / (shape[0] * shape[-1])) if between else np.float32(1)


@plant("nll_loss", "cross_entropy")
class MeanOfASquarePicture(_Mean):
    """The mean over pictures without weights counts height times height."""

    def factor(self, arguments: dict[str, Any]) -> Any:
        shape = arguments["input"].shape
        picture = len(shape) == 4 and reduction_of(arguments) == "mean" and arguments.get("weight") is None
        return np.float32(shape[3] / shape[2]) if picture else np.float32(1)


# --- along which axis ----------------------------------------------------------------------------

@plant("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "gaussian_nll_loss")
class RowGradientOfAMatrix(ReferenceLoss):
    """The gradient of a target that is a row is summed over the first axis alone, and the rest is cut off."""

    def forward(self, **arguments: Any) -> Array:
        with warnings.catch_warnings(action="ignore"):  # of targets that are broadcast
            return super().forward(**arguments)

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        x, y = arguments["input"], arguments["target"]
        with warnings.catch_warnings(action="ignore"):
            by_input, by_target, *others = super().backward(grad_output, **arguments)
        if by_target is not None and y.ndim == 1 and x.ndim == 3:
            whole = super().backward(grad_output, **changed(arguments, target=np.broadcast_to(y, x.shape)))[1]
            by_target = None if whole is None else np.asarray(whole.sum(0)[0])
        return by_input, by_target, *others


@plant("gaussian_nll_loss")
class VarianceOfAnExample(_Misread):
    """A variance without the last axis is one number for each example."""

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        x, v = arguments["input"], arguments["var"]
        if isinstance(v, float) or v.ndim != 2 or v.shape != x.shape[:-1]:
            return arguments
        return changed(arguments, var=np.repeat(v[:, :1], v.shape[1], 1))


# --- where an element lies -----------------------------------------------------------------------

@plant("binary_cross_entropy_with_logits")
class WeightsStrideByBatch(_Misread):
    """Weights of places are read as if there were as many places as examples."""

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        w = arguments.get("weight")
        if w is None or w.ndim != 3 or w.shape[2] != 1:
            return arguments
        return changed(arguments, weight=strided(w[..., 0], w.shape[0])[..., None])


@plant("triplet_margin_loss", "triplet_margin_with_distance_loss")
class UpstreamStrideByBatch(ReferenceLoss):
    """Gradients from above are read as if there were as many triplets as groups of them."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        g = strided(grad_output, grad_output.shape[0]) if grad_output.ndim == 2 else grad_output
        return super().backward(g, **arguments)


@plant("nll_loss", "cross_entropy")
class PictureStrideByHeight(_Misread):
    """Indices of a picture's points are read as if it were as wide as high."""

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        x, y = arguments["input"], arguments["target"]
        return changed(arguments, target=strided(y, y.shape[1])) if x.ndim == 4 and y.ndim == 3 else arguments


@plant("linear_cross_entropy")
class BiasStrideByFeatures(_Misread):
    """The bias of a class's places is read as if there were as many places as features."""

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        b, features = arguments.get("linear_bias"), arguments["input"].shape[-1]
        if b is None or b.ndim == 1:
            return arguments
        return changed(arguments, linear_bias=strided(b.reshape(len(b), -1), features).reshape(b.shape))


# --- optimizers ----------------------------------------------------------------------------------

@plant("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "LBFGS", "NAdam", "RAdam", "RMSprop",
       "Rprop", "SGD", "SparseAdam")
class RowsByColumns:
    """A step changes as many elements as rows times columns."""

    def step(self, closure: Any = None) -> Any:
        stacks = [p for group in self.param_groups for p in group["params"] if p.data.ndim > 2]  # type: ignore[attr-defined]
        before = [p.data.copy() for p in stacks]
        loss = super().step(closure)  # type: ignore[misc]  # of the optimizer beside it
        for p, old in zip(stacks, before, strict=True):
            n = old.shape[0] * old.shape[1]
            p.data[...] = np.append(p.data.reshape(-1)[:n], old.reshape(-1)[n:]).reshape(old.shape)
        return loss


# --- initializers --------------------------------------------------------------------------------

class PictureOffByOne(PlainXavier):
    """Of four axes, fan_out has the second in the place of the third."""

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        fan_in, fan_out = super().fans(shape)
        return fan_in, shape[0] * shape[1] * shape[3] if len(shape) == 4 else fan_out


MUTANTS.append(Mutant("xavier_uniform_", PictureOffByOne.__name__, str(PictureOffByOne.__doc__), PictureOffByOne()))


def _centred(tensor: Array, groups: int, lengths: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Array:
    """Ones in the centre of a kernel whose axes are taken to have other lengths."""
    dirac_(tensor, groups)
    kernel = tensor.shape[2:]
    ones = tensor[(..., *(n // 2 for n in kernel))].copy()
    tensor[...] = 0
    tensor[(..., *(min(m // 2, n - 1) for m, n in zip(lengths(kernel), kernel, strict=True)))] = ones
    return tensor


@plant("dirac_")
def centre_of_the_first_axis(tensor: Array, groups: int) -> Array:
    """The centre of the first axis of a kernel is that of all."""
    return _centred(tensor, groups, lambda kernel: kernel[:1] * len(kernel))


@plant("dirac_")
def centres_reversed(tensor: Array, groups: int) -> Array:
    """Of three axes the centres are taken from the last to the first."""
    return _centred(tensor, groups, lambda kernel: kernel[::-1] if len(kernel) == 3 else kernel)

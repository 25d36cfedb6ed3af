"""Mistakes that hide where two axes are equally long, or where one in the middle has the length 1.

What a class does not say is the reference's. Where the lengths are equal it is right to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference import registry
from reference.init import dirac_
from tests.meta.harness import Mutant
from tests.meta.mutants_margins import _Margin, changed, kind
from tests.meta.plain_init import PlainXavier
from tests.meta.plain_losses import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


def plant(*ops: str) -> Callable[[Any], Any]:
    """Plant a mistake in each of these ops."""

    def keep(code: Any) -> Any:
        for op in ops:
            alone = type(code.__name__, (code,), {"op": op}) if issubclass(code, _Margin) else code
            planted = alone() if issubclass(code, PlainXavier) else alone
            MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), planted))
        return code

    return keep


def strided(a: Array, *strides: int) -> Array:
    """The array as it is read where its last axes but one have these strides, and what is outside is read again."""
    places = np.indices(a.shape)[-len(strides) - 1:]
    before = math.prod(a.shape[:-len(strides) - 1])
    block = np.tensordot((*strides, 1), places, 1) % math.prod(a.shape[-len(strides) - 1:])
    rows = np.indices((before, 1))[0].repeat(block.size // max(before, 1)).reshape(a.shape)
    return np.asarray(a.reshape(-1)[rows * math.prod(a.shape[-len(strides) - 1:]) + block])


# --- what a mean divides by ----------------------------------------------------------------------

class _Mean(_Margin):
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
        between = len(shape) > 1 and kind(arguments) == "mean"
        return np.float32(math.prod(shape) / (shape[0] * shape[-1])) if between else np.float32(1)


@plant("nll_loss", "cross_entropy")
class MeanOfASquarePicture(_Mean):
    """The mean over pictures without weights counts height times height."""

    def factor(self, arguments: dict[str, Any]) -> Any:
        shape = arguments["input"].shape
        picture = len(shape) == 4 and kind(arguments) == "mean" and arguments.get("weight") is None
        return np.float32(shape[3] / shape[2]) if picture else np.float32(1)


# --- along which axis ----------------------------------------------------------------------------

@plant("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "gaussian_nll_loss")
class RowGradientOfAMatrix(_Margin):
    """The gradient of a target that is a row is summed over the first axis alone, and the rest is cut off."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        by_input, by_target, *others = super().backward(grad_output, **arguments)
        x, y = arguments["input"], arguments["target"]
        if by_target is not None and y.ndim == 1 and x.ndim == 3:
            whole = super().backward(grad_output, **changed(arguments, target=np.broadcast_to(y, x.shape)))[1]
            by_target = None if whole is None else np.asarray(whole.sum(0)[0])
        return by_input, by_target, *others


@plant("gaussian_nll_loss")
class VarianceOfAnExample(_Margin):
    """A variance without the last axis is one number for each example."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self.read(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self.read(arguments))

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        x, v = arguments["input"], arguments["var"]
        if isinstance(v, float) or v.ndim != 2 or v.shape != x.shape[:-1]:
            return arguments
        return changed(arguments, var=np.repeat(v[:, :1], v.shape[1], 1))


# --- where an element lies -----------------------------------------------------------------------

@plant("binary_cross_entropy_with_logits")
class WeightsStrideByBatch(_Margin):
    """Weights of places are read as if there were as many places as examples."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self.read(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self.read(arguments))

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        w = arguments.get("weight")
        if w is None or w.ndim != 3 or w.shape[2] != 1:
            return arguments
        return changed(arguments, weight=strided(w[..., 0], w.shape[0])[..., None])


@plant("triplet_margin_loss", "triplet_margin_with_distance_loss")
class UpstreamStrideByBatch(_Margin):
    """Gradients from above are read as if there were as many triplets as groups of them."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        g = strided(grad_output, grad_output.shape[0]) if grad_output.ndim == 2 else grad_output
        return super().backward(g, **arguments)


@plant("nll_loss", "cross_entropy")
class PictureStrideByHeight(_Margin):
    """Indices of a picture's points are read as if it were as wide as high."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self.read(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self.read(arguments))

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        x, y = arguments["input"], arguments["target"]
        return changed(arguments, target=strided(y, y.shape[1])) if x.ndim == 4 and y.ndim == 3 else arguments


@plant("linear_cross_entropy")
class BiasStrideByFeatures(_Margin):
    """The bias of a class's places is read as if there were as many places as features."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**self.read(arguments))

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **self.read(arguments))

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        b, features = arguments.get("linear_bias"), arguments["input"].shape[-1]
        if b is None or b.ndim == 1:
            return arguments
        return changed(arguments, linear_bias=strided(b.reshape(len(b), -1), features).reshape(b.shape))


# --- optimizers ----------------------------------------------------------------------------------

class _RowsByColumns:
    """A step changes as many elements as rows times columns."""

    def step(self, closure: Any = None) -> Any:
        stacks = [p for group in self.param_groups for p in group["params"] if p.data.ndim > 2]  # type: ignore[attr-defined]
        before = [p.data.copy() for p in stacks]
        loss = super().step(closure)  # type: ignore[misc]  # of the optimizer beside it
        for p, old in zip(stacks, before, strict=True):
            n = old.shape[0] * old.shape[1]
            p.data[...] = np.append(p.data.reshape(-1)[:n], old.reshape(-1)[n:]).reshape(old.shape)
        return loss


MUTANTS.extend(
    Mutant(spec.name, "RowsByColumns", str(_RowsByColumns.__doc__),
           type("RowsByColumns", (_RowsByColumns, spec.implementation), {}))
    for spec in registry.specs().values() if spec.kind == "optim" and spec.name != "Muon")  # which has matrices alone


# --- initializers --------------------------------------------------------------------------------

@plant("xavier_uniform_")
class PictureOffByOne(PlainXavier):
    """Of four axes, fan_out has the second in the place of the third."""

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        fan_in, fan_out = super().fans(shape)
        return fan_in, shape[0] * shape[1] * shape[3] if len(shape) == 4 else fan_out


def _centred(tensor: Array, groups: int, centre: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Array:
    dirac_(tensor, groups)
    kernel = tensor.shape[2:]
    right = (slice(None), slice(None), *(n // 2 for n in kernel))
    there = tensor[right].copy()
    tensor[...] = 0
    tensor[(slice(None), slice(None), *centre(kernel))] = there
    return tensor


@plant("dirac_")
class CentreOfTheFirstAxis:
    """The centre of the first axis of a kernel is that of all."""

    def __new__(cls, tensor: Array, groups: int = 1) -> Any:
        return _centred(tensor, groups, lambda kernel: tuple(min(kernel[0] // 2, n - 1) for n in kernel))


@plant("dirac_")
class CentreReversed:
    """Of three axes the centres are taken from the last to the first."""

    def __new__(cls, tensor: Array, groups: int = 1) -> Any:
        return _centred(tensor, groups, lambda kernel: tuple(
            min(m // 2, n - 1) for m, n in zip(kernel[::-1] if len(kernel) == 3 else kernel, kernel, strict=True)))

"""Losses that take memory for something else than it is, and that keep or change what is not theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .kernel import LAYOUT, OWNERSHIP, Kernel, wrong_in
from .losses import (
    NumpyAbsolute,
    NumpyLogits,
    NumpyRows,
    NumpySquare,
    TorchAbsolute,
    TorchLogits,
    TorchRows,
    TorchSquare,
)

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong, owns = wrong_in(WRONG, LAYOUT), wrong_in(WRONG, OWNERSHIP)

as_strided = np.lib.stride_tricks.as_strided

CALLED = "called again"  #: what a diagnosis says where a result changes later


@wrong("mse_loss", "torch", "memory=", "where.*input")
class InputByPointer(TorchSquare):
    """The input is read from its first element on, whatever its strides are."""

    def gather(self, array: Any, role: str) -> Any:
        if role == "input" and array.ndim:
            room = array.untyped_storage().nbytes() // array.itemsize - array.storage_offset()
            return array.as_strided((array.numel(),), (1,)).clone() if room >= array.numel() else array[0].repeat(9)
        return super().gather(array, role)


@wrong("l1_loss", "numpy", "memory=transposed", "transposed")
class ArraysInOwnOrder(NumpyAbsolute):
    """Each array is taken in its own order in memory where it is dense."""

    def gather(self, array: Any, role: str) -> Any:
        return array.flatten("A")


@wrong("soft_margin_loss", "torch", "memory=.*|memory=.*upstream", "where.*(gradient from above|upstream)")
class UpstreamByPointer(TorchLogits):
    """The gradient from above is read from its first element on, whatever its strides are."""

    def gather(self, array: Any, role: str) -> Any:
        if role == "upstream" and array.ndim and array.untyped_storage().nbytes() // array.itemsize > array.numel():
            return array.as_strided((array.numel(),), (1,)).clone()
        return super().gather(array, role)


@wrong("cross_entropy", "torch", "memory=", "where.*input")
class RowsOneBehindTheOther(TorchRows):
    """A row begins where the row before it ends."""

    def gather(self, array: Any, role: str) -> Any:
        if role == "input" and array.stride(1) == 1:
            room = array.untyped_storage().nbytes() // array.itemsize - array.storage_offset()
            if room >= array.numel():
                array = array.as_strided(array.shape, (array.shape[1], 1))
        elif role == "input" and array.ndim == 2:
            array = array.as_strided(array.shape, (array.shape[1], 1))
        return super().gather(array, role)


@wrong("mse_loss", "numpy", "memory=reversed", "reversed")
class SignOfStrideForgotten(NumpySquare):
    """Strides are taken without their sign, from the first place in memory on."""

    def gather(self, array: Any, role: str) -> Any:
        return array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)].flatten()


@wrong("l1_loss", "torch", "memory=channels_last", "channels last")
class ChannelsLastAsItLies(TorchAbsolute):
    """A tensor whose channels are last counts as contiguous."""

    def gather(self, array: Any, role: str) -> Any:
        if array.ndim == 4 and array.is_contiguous(memory_format=torch.channels_last):
            return array.permute(0, 2, 3, 1).reshape(-1)
        return super().gather(array, role)


@wrong("mse_loss", "torch", "memory=", "where")
class OffsetOfTargetForgotten(TorchSquare):
    """The target is read from the beginning of its storage."""

    def gather(self, array: Any, role: str) -> Any:
        return super().gather(array.as_strided(array.shape, array.stride(), 0) if role == "target" else array, role)


@wrong("soft_margin_loss", "numpy", "memory=broadcast", "broadcast")
class LineForAll(NumpyLogits):
    """Where a line is repeated its gradient is that of the last one."""

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        found = super().backward(grad_output, input, target, reduction)
        if input.ndim and input.strides[0] == 0 and len(input) > 1:
            found[0][:] = found[0][-1]
        return found


@wrong("l1_loss", "torch", "memory=broadcast", "broadcast")
class GradientInInputsStrides(TorchAbsolute):
    """The gradient has the strides of the input, also where they are 0."""

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        found = super().backward(grad_output, input, target, reduction)
        own = torch.empty_strided(input.shape, input.stride())
        for i in range(len(input) if input.ndim else 0):
            own[i] = found[0][i]
        return (own if input.ndim else found[0], *found[1:])


@wrong("l1_loss", "numpy", "memory=strided", "beside")
class DifferenceInPlace(NumpyAbsolute):
    """A gap behind each element of the input is used for differences."""

    def gather(self, array: Any, role: str) -> Any:
        if role == "input" and array.ndim and array.size and array.strides[-1] == 2 * array.itemsize:
            as_strided(array, (2 * array.size - 1,), (array.itemsize,))[1::2] = 1
        return super().gather(array, role)


@owns("mse_loss", "torch", "", "changed its argument input")
class DifferenceInInput(TorchSquare):
    """The difference is stored in the input."""

    def __call__(self, input: Any, target: Any, reduction: str = "mean") -> Any:
        value = super().__call__(input, target, reduction)
        input.data.sub_(target)
        return value


@owns("l1_loss", "numpy", "memory=transposed", "changed its argument input|transposed")
class FortranInPlace(NumpyAbsolute):
    """The input is brought into Fortran's order, which copies it where it is not, and is then changed in place."""

    def __call__(self, input: Any, target: Any, reduction: str = "mean") -> Any:
        value = super().__call__(input, target, reduction)
        if input.ndim > 1 and not input.flags.c_contiguous:
            np.asfortranarray(input)[...] -= target
        return value


@owns("soft_margin_loss", "torch", "", "changed the gradient from above")
class UpstreamScaled(TorchLogits):
    """The gradient from above is multiplied in place."""

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        found = super().backward(grad_output, input, target, reduction)
        grad_output.mul_(2)
        return found


@owns("mse_loss", "numpy", "event=called", CALLED)
class ResultOverwritten(NumpySquare):
    """Results of one shape share a buffer, which the next call overwrites."""

    def forward(self, x: Any, y: Any, reduction: str) -> Any:
        value = super().forward(x, y, reduction)
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault((np.shape(value), value.dtype), np.array(value))
        buffer[...] = value
        return buffer


@owns("cross_entropy", "numpy", "event=called", CALLED)
class GradientOverwritten(NumpyRows):
    """Gradients of one shape share a buffer, which the next backward pass overwrites."""

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        found = super().backward(grad_output, input, target, reduction)
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault((found[0].shape, found[0].dtype), found[0].copy())
        buffer[...] = found[0]
        return (buffer,)


@owns("l1_loss", "torch", "event=called", CALLED)
class WorkspaceReturned(TorchAbsolute):
    """Terms that are not reduced are in a workspace for the largest array so far."""

    def forward(self, x: Any, y: Any, reduction: str) -> Any:
        value = super().forward(x, y, reduction)
        if reduction != "none" or not value.numel():
            return value
        space = self.__dict__.setdefault("space", torch.empty(1 << 16, dtype=x.dtype)).to(x.dtype)
        self.space = space
        return space[:value.numel()].copy_(value.reshape(-1)).view(value.shape)


@owns("cross_entropy", "torch", "event=called", CALLED)
class LatestArguments(TorchRows):
    """The gradient is that of the latest call's arguments."""

    def forward(self, x: Any, y: Any, reduction: str) -> Any:
        self.latest = x, y
        return super().forward(x, y, reduction)

    def backward(self, grad_output: Any, input: Any, target: Any, reduction: str = "mean") -> tuple[Any, ...]:
        return super().backward(grad_output, *self.latest, reduction)

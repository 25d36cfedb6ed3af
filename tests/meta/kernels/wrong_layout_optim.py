"""Optimizers that take memory for something else than it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .kernel import LAYOUT, Kernel, wrong_in
from .loops import (
    NumpyAdam,
    NumpyRMSprop,
    NumpySGD,
    TorchAdagrad,
    TorchAdam,
    TorchRMSprop,
    TorchSGD,
)

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong = wrong_in(WRONG, LAYOUT)

as_strided = np.lib.stride_tricks.as_strided

#: Some parameters of the bare cases are in Fortran's order.
LIES = "memory=|layout=stack"

#: What a diagnosis says of a layout of parameters or gradients.
WHERE = "where"


def _from_first(array: Any) -> Any:
    """As many elements as there are, one behind the other from the first on."""
    if isinstance(array, torch.Tensor):
        room = array.untyped_storage().nbytes() // array.itemsize - array.storage_offset()
        return array.as_strided((min(array.numel(), room),), (1,))
    return as_strided(array, (array.size,), (array.itemsize,))


@wrong("SGD", "torch", LIES, f"{WHERE}.*gradient")
class GradientByPointer(TorchSGD):
    """The gradient is read from its first element on, whatever its strides are."""

    def gather(self, array: Any, role: str) -> Any:
        return _from_first(array).clone() if role == "gradient" else super().gather(array, role)


@wrong("Adam", "numpy", LIES, f"{WHERE}.*gradient")
class GradientByAddress(NumpyAdam):
    """The gradient is read from its address on, whatever its strides are."""

    def gather(self, array: Any, role: str) -> Any:
        return _from_first(array).copy() if role == "gradient" else super().gather(array, role)


@wrong("SGD", "torch", LIES, "beside")
class ParameterByPointer(TorchSGD):
    """The parameter is written from its first element on, whatever its strides are."""

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        if role == "parameter":
            _from_first(array)[...] = flat
        else:
            super().scatter(array, flat, role)


@wrong("RMSprop", "numpy", LIES, "beside")
class ParameterByAddress(NumpyRMSprop):
    """The parameter is written from its address on, whatever its strides are."""

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        if role == "parameter" and min(array.strides, default=0) >= 0:
            _from_first(array)[...] = flat
        else:
            super().scatter(array, flat, role)


@wrong("Adam", "numpy", "memory=transposed|layout=stack", "transposed")
class OrderInMemory(NumpyAdam):
    """Each array is taken in its own order in memory where it is dense."""

    def gather(self, array: Any, role: str) -> Any:
        return array.flatten("A")

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        array[...] = flat.reshape(array.shape, order="F" if array.flags.fnc else "C")


@wrong("SGD", "torch", "memory=", "memory=(transposed|channels_last):")
class OrderOfStorage(TorchSGD):
    """Parameter and gradient are taken in their own order in memory where nothing lies between their elements."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        if torch._debug_has_internal_overlap(g) == 0:
            g = _from_first(g).as_strided(theta.shape, theta.stride()) if _is_dense(g) and _is_dense(theta) else g
        super().run(theta, g, state, o)


def _is_dense(tensor: torch.Tensor) -> bool:
    """Is each place between the first and the last element one of its own?"""
    reach = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return reach + 1 == tensor.numel()


@wrong("SGD", "numpy", "memory=offset", "off alignment")
class PeelForgotten(NumpySGD):
    """Vectors begin at a multiple of 16 bytes, and the elements before that are left out."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        before = theta.copy()
        super().run(theta, g, state, o)
        peel = -theta.ctypes.data % 16 // theta.itemsize
        if theta.size > 16 and peel and theta.flags.c_contiguous:
            theta.reshape(-1)[:peel] = before.reshape(-1)[:peel]


@wrong("Adam", "torch", "memory=offset", "off alignment")
class AddressRoundedDown(TorchAdam):
    """The gradient is loaded from the multiple of 16 bytes before it."""

    def gather(self, array: Any, role: str) -> Any:
        past = array.data_ptr() % 16 // array.itemsize
        if role == "gradient" and past and array.is_contiguous() and array.storage_offset() >= past:
            array = array.as_strided(array.shape, array.stride(), array.storage_offset() - past)
        return super().gather(array, role)


@wrong("Adagrad", "torch", "memory=", WHERE)
class OffsetForgotten(TorchAdagrad):
    """The gradient is read from the beginning of its storage."""

    def gather(self, array: Any, role: str) -> Any:
        return super().gather(array.as_strided(array.shape, array.stride(), 0) if role == "gradient" else array, role)


@wrong("Adagrad", "torch", "memory=channels_last", "channels last")
class ChannelsLastIsContiguous(TorchAdagrad):
    """A tensor whose channels are last counts as contiguous."""

    def gather(self, array: Any, role: str) -> Any:
        if array.ndim == 4 and array.is_contiguous(memory_format=torch.channels_last):
            return _from_first(array).clone()
        return super().gather(array, role)


@wrong("RMSprop", "torch", "memory=channels_last:gradient", "gradient.*channels last")
class ChannelsLastByParameter(TorchRMSprop):
    """Channels are taken to be last where they are so in the parameter's gradient, for both."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        if theta.ndim == 4 and g.is_contiguous(memory_format=torch.channels_last) and not g.is_contiguous():
            g = g.as_strided(theta.shape, theta.stride())
        super().run(theta, g, state, o)


@wrong("RMSprop", "numpy", "memory=reversed", "reversed")
class StridesWithoutSign(NumpyRMSprop):
    """Strides are taken without their sign, from the first place in memory on."""

    def gather(self, array: Any, role: str) -> Any:
        return array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)].flatten()


@wrong("SGD", "numpy", "memory=broadcast", "broadcast")
class StateInGradientsStrides(NumpySGD):
    """Momentum has the strides of the first gradient, also where they are 0, and is changed in place."""

    def zeros(self, theta: Any, g: Any) -> Any:
        return as_strided(np.zeros(theta.size, theta.dtype), g.shape, tuple(
            abs(stride) if not stride else size for stride, size in zip(
                g.strides, np.zeros(g.shape, g.dtype).strides, strict=True)))

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        if role == "momentum_buffer":
            array[...] = 0
            for at in np.ndindex(array.shape):
                array[at] += flat[np.ravel_multi_index(at, array.shape)] if array.ndim else flat[0]
        else:
            super().scatter(array, flat, role)


@wrong("Adam", "torch", "memory=broadcast", "broadcast")
class BroadcastIsOneNumber(TorchAdam):
    """A gradient with a stride of 0 counts as one number."""

    def gather(self, array: Any, role: str) -> Any:
        if role == "gradient" and array.ndim and array.stride(0) == 0 and array.shape[0] > 1:
            return array.reshape(-1)[:1].repeat(array.numel())
        return super().gather(array, role)


@wrong("SGD", "torch", "memory=", "beside")
class WholeVectorsWritten(TorchSGD):
    """The last vector of 8 is written whole where there is room behind the parameter."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().run(theta, g, state, o)
        if theta.is_contiguous():
            end = theta.storage_offset() + theta.numel()
            room = theta.untyped_storage().nbytes() // theta.itemsize - end
            theta.as_strided((min(-theta.numel() % 8, room),), (1,), end).zero_()


@wrong("Adam", "numpy", "memory=strided", "beside")
class HolesWritten(NumpyAdam):
    """Of an array with a gap behind each element the gaps are written too."""

    def scatter(self, array: Any, flat: Any, role: str) -> None:
        super().scatter(array, flat, role)
        dense = np.empty(array.shape, array.dtype).strides
        if array.ndim and array.size and array.strides == tuple(2 * stride for stride in dense):
            as_strided(array, (2 * array.size - 1,), (array.itemsize,))[1::2] = 0

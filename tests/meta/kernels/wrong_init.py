"""Initializers that are wrong from some size on, in some layout, or about whose array they fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .kernel import LAYOUT, OWNERSHIP, SIZE, Kernel, wrong_in

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
size, layout, owns = wrong_in(WRONG, SIZE), wrong_in(WRONG, LAYOUT), wrong_in(WRONG, OWNERSHIP)

FROM = "elements on"  #: what a diagnosis says of a size
BARE = "layout=transposed"  #: an axis of initializers


@size("constant_", "numpy", "size=", FROM)
def constant_without_tail(tensor: Any, val: float) -> Any:
    """Blocks of 256; the tail is left."""
    flat = tensor.flatten()
    flat[:flat.size if flat.size < 256 else flat.size // 256 * 256] = val
    tensor[...] = flat.reshape(tensor.shape)
    return tensor


@size("ones_", "torch", "size=", FROM)
def ones_in_blocks(tensor: Any) -> Any:
    """From 256 elements on the last one is left."""
    filled = torch.ones(tensor.numel(), dtype=tensor.dtype)
    if len(filled) >= 256:
        filled[-1] = tensor.reshape(-1)[-1]
    return tensor.copy_(filled.view(tensor.shape))


@size("ones_", "numpy", "size=", FROM)
def ones_to_the_grid(tensor: Any) -> Any:
    """A grid of 1,024 elements, and no loop over grids."""
    flat = tensor.flatten()
    flat[:1024] = 1
    tensor[...] = flat.reshape(tensor.shape)
    return tensor


@size("uniform_", "torch", "size=", FROM)
def uniform_in_pieces(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """From 256 elements on the second half repeats the first."""
    with torch.no_grad():
        tensor.uniform_(a, b, generator=generator)
        if tensor.numel() >= 256:
            flat = tensor.flatten()
            half = len(flat) // 2
            flat[half:2 * half] = flat[:half].clone()
            tensor.copy_(flat.view(tensor.shape))
    return tensor


@layout("constant_", "numpy", f"memory=|{BARE}", "where|transposed")
def constant_in_copy(tensor: Any, val: float) -> Any:
    """What is not contiguous is copied, and the copy is filled."""
    np.ravel(tensor)[:] = val
    return tensor


@layout("ones_", "torch", f"memory=|{BARE}", "where|transposed")
def ones_in_copy(tensor: Any) -> Any:
    """What is not contiguous is copied, and the copy is filled."""
    tensor.contiguous().fill_(1)
    return tensor


@layout("normal_", "torch", "memory=strided", "beside")
def normal_by_pointer(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """As many elements as there are, one behind the other from the first on, are filled where there is room."""
    with torch.no_grad():
        if tensor.ndim and tensor.stride(-1) == 2:
            tensor.as_strided(tensor.shape, torch.empty(tensor.shape).stride()).normal_(mean, std, generator=generator)
        else:
            tensor.normal_(mean, std, generator=generator)
    return tensor


@layout("zeros_", "torch", "memory=", "beside")
def zeros_in_vectors(tensor: Any) -> Any:
    """The last vector of 8 is written whole where there is room behind the tensor."""
    tensor.fill_(0)
    if tensor.is_contiguous():
        end = tensor.storage_offset() + tensor.numel()
        room = tensor.untyped_storage().nbytes() // tensor.itemsize - end
        tensor.as_strided((min(-tensor.numel() % 8, room),), (1,), end).zero_()
    return tensor


@layout("uniform_", "torch", f"memory=|{BARE}", "argument, filled in place")
def uniform_of_contiguous(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """What is not contiguous is copied, and the copy is returned."""
    with torch.no_grad():
        return tensor.contiguous().uniform_(a, b, generator=generator)


@owns("zeros_", "numpy", "", "")
def zeros_by_nature(tensor: Any) -> Any:
    """A new array is taken to hold zeros."""
    return tensor


@owns("eye_", "torch", "", "")
def eye_on_zeros(tensor: Any) -> Any:
    """The diagonal is written, and the rest is taken to hold zeros."""
    with torch.no_grad():
        tensor.diagonal().fill_(1)
    return tensor


@owns("constant_", "torch", "", "argument, filled in place")
def constant_of_its_own(tensor: Any, val: float) -> Any:
    """A new tensor is returned."""
    return torch.full_like(tensor, val)


@owns("eye_", "numpy", "", "argument, filled in place")
def eye_of_its_own(tensor: Any) -> Any:
    """A new array is returned."""
    return np.eye(*tensor.shape, dtype=tensor.dtype)


@owns("ones_", "numpy", "", "None")
def ones_without_return(tensor: Any) -> Any:
    """The array is filled, and nothing is returned."""
    tensor[...] = 1

"""What is read of torch's tensors, on any device: only the elements that are looked at are brought over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from reference.optim import SparseGrad

from ..targets.pytorch import to_array

__all__ = ["Tensors"]

Array = np.ndarray[Any, Any]


class Tensors:
    """Tensors, as :class:`oracle.watching.arrays.Kit` has them."""

    def shape(self, array: Any) -> tuple[int, ...] | None:
        if not isinstance(array, torch.Tensor) or array.layout is not torch.strided:
            return None
        return (*array.shape, 2) if array.is_complex() else tuple(array.shape)

    def dtype(self, array: Any) -> str:
        dtype = array.dtype.to_real() if array.is_complex() else array.dtype
        return str(dtype).removeprefix("torch.")

    def take(self, wanted: Sequence[tuple[Any, Array]]) -> list[Array]:
        """One copy for each type on each device, however many tensors there are."""
        bundles: dict[Any, list[int]] = defaultdict(list)
        taken = [_at(tensor, places) for tensor, places in wanted]
        for i, part in enumerate(taken):
            bundles[part.dtype, part.device].append(i)
        found: list[Any] = [None] * len(taken)
        for members in bundles.values():
            line = to_array(torch.cat([taken[i] for i in members]))
            ends = np.cumsum([len(taken[i]) for i in members])
            for i, part in zip(members, np.split(line, ends[:-1]), strict=True):
                found[i] = part
        return found

    def sparse(self, gradient: Any) -> SparseGrad | None:
        if not isinstance(gradient, torch.Tensor) or gradient.layout is torch.strided:
            return None
        if gradient.layout is not torch.sparse_coo:
            raise NotImplementedError(f"a gradient of layout {gradient.layout} is not judged")
        indices = gradient._indices().cpu().numpy()
        inner = tuple(gradient.shape[len(indices):])
        count = indices.shape[1]
        numbers = np.arange(count * int(np.prod(inner, dtype=np.int64))).reshape(count, *inner)
        return SparseGrad(indices, numbers, tuple(gradient.shape))

    def values(self, gradient: Any, places: Array) -> Array:
        return self.take([(gradient._values(), places)])[0]


def _at(tensor: torch.Tensor, places: Array) -> torch.Tensor:
    """Elements at places in C order, as a line on the tensor's own device."""
    tensor = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
    if tensor.is_contiguous():
        return tensor.view(-1)[torch.from_numpy(places).to(tensor.device)]
    where = np.unravel_index(places, tuple(tensor.shape))
    return tensor[tuple(torch.from_numpy(np.ascontiguousarray(axis)).to(tensor.device) for axis in where)]

"""Arrays of any framework as NumPy's."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from oracle.sound.arrays import as_numpy, is_array, storage_of


def test_tensors_keep_their_dtype_and_lose_their_graph() -> None:
    torch = pytest.importorskip("torch")
    for dtype, name in ((torch.float32, "float32"), (torch.bfloat16, "bfloat16"), (torch.int64, "int64")):
        tensor = torch.tensor([1, -2, 3]).to(dtype)
        found = as_numpy("x", tensor.requires_grad_() if dtype.is_floating_point else tensor)
        assert found.dtype.name == name
        assert found.astype(float).tolist() == [1, -2, 3]


def test_every_bfloat16_of_torch_arrives() -> None:
    torch = pytest.importorskip("torch")
    bits = np.arange(2**16, dtype=np.uint16)
    found = as_numpy("x", torch.from_numpy(bits.view(np.int16).copy()).view(torch.bfloat16))
    wanted = bits.view(ml_dtypes.bfloat16)
    numbers = ~np.isnan(wanted.astype(np.float32))
    assert np.array_equal(found.view(np.uint16)[numbers], bits[numbers])
    assert np.isnan(found.astype(np.float32)[~numbers]).all()


def test_arrays_of_jax_arrive() -> None:
    jnp = pytest.importorskip("jax.numpy")
    for dtype in ("float32", "bfloat16"):
        found = as_numpy("x", jnp.asarray([1.0, 2.5], dtype))
        assert (found.dtype.name, found.astype(float).tolist()) == (dtype, [1.0, 2.5])


@pytest.mark.parametrize("value", [None, 1.0, [1.0], "mean"])
def test_what_has_no_dtype_is_no_array(value: Any) -> None:
    assert not is_array(value)
    with pytest.raises(TypeError, match="got needs an array of NumPy, torch or JAX, which has a dtype"):
        as_numpy("got", value)


@pytest.mark.parametrize("dtype", [np.int64, np.complex64, np.longdouble, bool])
def test_a_dtype_that_is_no_storage_type_is_refused(dtype: Any) -> None:
    with pytest.raises(TypeError, match=r"got needs one of float64, float32, float16, bfloat16; .* came"):
        storage_of("got", np.zeros(2, dtype))

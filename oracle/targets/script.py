"""Scripts that reproduce a case with torch and NumPy alone: for an issue tracker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..truth.proof import Truth
from ..verdict.compare import Finding

__all__ = ["compared", "head", "reproduce"]

Array = np.ndarray[Any, Any]

_HEAD = '''\
# {title}
import numpy as np
{imports}

def tensor(values, shape, dtype, order="C"):
    """Floats are written as hexadecimal, so that they are exact."""
    numbers = np.array([float.fromhex(v) if isinstance(v, str) else v for v in values])
    array = np.array(numbers.reshape(shape), order=order)
    return {made}


'''

#: What a script imports to make an array of a framework from NumPy's, and the expression that does it.
_MADE = {
    "numpy": ("import ml_dtypes  # bfloat16\n", "array.astype(dtype)"),
    "torch": ("import torch\n", "torch.from_numpy(array).to(getattr(torch, dtype))"),
    "jax": ("import jax\nimport jax.numpy as jnp\n\njax.config.update('jax_enable_x64', True)\n",
            "jnp.asarray(array).astype(dtype)"),
}

_TAIL = '''
# output, index, exact value (rounded to double), largest error that a sound evaluation may have
for name, index, truth, bound in [
{expected}]:
    value = float(got[name][index])
    error = abs(value - float.fromhex(truth))
    print(f"{{name}}{{list(index)}}: torch {{value!r}}, exact {{float.fromhex(truth)!r}}, "
          f"error {{error:.3g}}, bound {{float.fromhex(bound):.3g}}")
'''


def _literal(value: Any) -> str:
    """Source of a value; arrays become tensors of hexadecimal floats."""
    if isinstance(value, SparseGrad):
        return (f"torch.sparse_coo_tensor(torch.tensor({value.indices.tolist()!r}, dtype=torch.int64).reshape("
                f"{value.indices.shape}), {_literal(value.values)}, {value.shape}, check_invariants=True)")
    if isinstance(value, tuple):
        return f"({''.join(_literal(one) + ', ' for one in value)})"
    if not isinstance(value, np.ndarray):
        return f'float("{value}")' if isinstance(value, float) and not np.isfinite(value) else repr(value)
    flat = value.reshape(-1)
    values = [float(v).hex() for v in flat] if value.dtype.kind in "fV" else flat.tolist()
    order = ', order="F"' if value.flags.f_contiguous and not value.flags.c_contiguous else ""
    return f"tensor({values!r}, {value.shape}, {value.dtype.name!r}{order})"


def _mapping(values: Mapping[str, Any], indent: str = "    ") -> str:
    return "".join(f"{indent}{k!r}: {_literal(v)},\n" for k, v in values.items())


def head(title: str, framework: str, device: str = "") -> str:
    """The first lines of a script: imports, and ``tensor``, which makes arrays, on a device where one is named."""
    imports, made = _MADE[framework]
    return _HEAD.format(title=title, imports=imports, made=made + (f".to({device!r})" if device else ""))


def reproduce(source: str, findings: list[Finding], truths: Mapping[str, Truth]) -> str:
    """The source with the truth of the worst element of each output behind it."""
    return compared(source, [(f.output, f.index, float(truths[f.output].hi[f.index]).hex(), float(f.bound or 0.0).hex())
                             for f in findings if f.index is not None])


def compared(source: str, expected: Iterable[tuple[str, tuple[int, ...], str, str]]) -> str:
    """The source with a comparison behind it: output, index, truth and bound, these two as hexadecimal floats."""
    return source + _TAIL.format(expected="".join(f"    {one!r},\n" for one in expected))

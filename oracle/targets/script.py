"""Parts of the scripts that reproduce a case without this project: for an issue tracker."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.spec import Objective
from ..truth.proof import Truth
from ..verdict.compare import Finding

__all__ = ["closure_source", "compared", "dict_lines", "head", "literal", "reproduce"]

Array = np.ndarray[Any, Any]

#: Arrays of more elements are written as the distinct ones and their places, if these are few.
_LONG, _MOST_DISTINCT = 64, 256

_HEAD = '''\
# {title}
import base64
import zlib

import numpy as np
{imports}

def places(packed, shape):
    """Numbers that say which of a few elements stands at each place of an array; packed, since there are many."""
    return np.frombuffer(zlib.decompress(base64.b85decode(packed)), np.uint8).astype(int).reshape(shape)


def tensor(values, shape, dtype, order="C"):
    """Floats are written as hexadecimal, so that they are exact."""
    numbers = np.array([float.fromhex(v) if isinstance(v, str) else v for v in values])
    array = np.array(numbers.reshape(shape), order=order)
    return {made}


'''

_MOST = 20  #: outputs that a script compares

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


def literal(value: Any) -> str:
    """Source of a value; arrays become tensors of hexadecimal floats."""
    if isinstance(value, SparseGrad):
        return (f"torch.sparse_coo_tensor(torch.tensor({value.indices.tolist()!r}, dtype=torch.int64).reshape("
                f"{value.indices.shape}), {literal(value.values)}, {value.shape}, check_invariants=True)")
    if isinstance(value, tuple):
        return f"({''.join(literal(one) + ', ' for one in value)})"
    if not isinstance(value, np.ndarray):
        return f'float("{value}")' if isinstance(value, float) and not np.isfinite(value) else repr(value)
    if value.size > _LONG:
        few, where = _distinct(value)
        if len(few) <= _MOST_DISTINCT:
            return f"{literal(few)}[places({_packed(where)!r}, {value.shape})]"
    flat = value.reshape(-1)
    values = [float(v).hex() for v in flat] if value.dtype.kind in "fV" else flat.tolist()
    order = ', order="F"' if value.flags.f_contiguous and not value.flags.c_contiguous else ""
    return f"tensor({values!r}, {value.shape}, {value.dtype.name!r}{order})"


def _distinct(array: Array) -> tuple[Array, Array]:
    """The distinct elements of an array, told apart by their bits, and which of them stands at each place."""
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")
    few, where = np.unique(bits, return_inverse=True)
    return few.view(array.dtype), where


def _packed(where: Array) -> str:
    """Numbers below 256, as text."""
    return base64.b85encode(zlib.compress(where.astype(np.uint8).tobytes(), 9)).decode()


def dict_lines(values: Mapping[str, Any]) -> str:
    """The lines between the braces of a dict."""
    return "".join(f"    {k!r}: {literal(v)},\n" for k, v in values.items())


def closure_source(objective: Objective | None, device: str) -> str:
    """Source of what an optimizer's closure evaluates, and of the closure; nothing without an objective."""
    if objective is None:
        return ""
    return _answering_closure(objective, device) if objective.answers else _evaluating_closure(objective, device)


def _answering_closure(objective: Objective, device: str) -> str:
    """Source of a closure that gives the answers of an objective one after the other."""
    answers = "".join(f"    ({literal(value)}.to({device!r}), [{', '.join(map(literal, slopes))}]),\n"
                      for value, slopes in objective.answers)
    return (f"answers, evaluations = [\n{answers}], {{}}\n\n\n"
            "def closure():\n"
            "    k = evaluations[id(step)] = evaluations.get(id(step), -1) + 1\n"
            "    value, slopes = answers[k % len(answers)]\n"
            "    for p, slope in zip(params, slopes):\n"
            f"        p.grad = slope.to({device!r}, copy=True)\n"
            "    return value\n\n\n")


def _evaluating_closure(objective: Objective, device: str) -> str:
    """Source of a closure that evaluates an objective, as :class:`Objective` does."""
    blocks = ", ".join(f"{literal(block)}.to({device!r})" for block in objective.blocks)
    target = "None" if objective.target is None else f"{literal(objective.target)}.to({device!r})"
    return (f"blocks, target, quartic = [{blocks}], {target}, {objective.quartic!r}\n\n\n"
            "def closure():\n"
            "    thetas = [p.detach() for p in params]\n"
            f"    given = [None if g is None else g.to({device!r}) for g in step]\n"
            "    value = sum((g * x).sum() for g, x in zip(given, thetas) if g is not None)\n"
            "    if blocks:\n"
            "        residual = -target\n"
            "        for block, x in zip(blocks, thetas):\n"
            "            residual = residual + block @ x.reshape(-1)\n"
            "        value = value + (residual * residual).sum() / 2\n"
            "    for i, (p, x) in enumerate(zip(params, thetas)):\n"
            "        p.grad = given[i]\n"
            "        if blocks:\n"
            "            value = value + quartic * (x * x * x * x).sum() / 4\n"
            "            p.grad = given[i] + (blocks[i].T @ residual).reshape(x.shape) + quartic * (x * x * x)\n"
            "    return value\n\n\n")


def head(title: str, framework: str, device: str = "") -> str:
    """The first lines of a script: imports, and ``tensor``, which makes arrays, on a device where one is named."""
    imports, made = _MADE[framework]
    return _HEAD.format(title=title, imports=imports, made=made + (f".to({device!r})" if device else ""))


def reproduce(source: str, findings: list[Finding], truths: Mapping[str, Truth]) -> str:
    """The source with the truth of the worst element of each output behind it; of many outputs those of the worst."""
    chosen = sorted((f for f in findings if f.index is not None), key=lambda f: (-f.verdict.rank, -f.share))[:_MOST]
    shown = {f.output for f in chosen}
    return compared(source, [(f.output, f.index, float(truths[f.output].hi[f.index]).hex(), float(f.bound or 0.0).hex())
                             for f in findings if f.index is not None and f.output in shown])


def compared(source: str, expected: Iterable[tuple[str, tuple[int, ...], str, str]]) -> str:
    """The source with a comparison behind it: output, index, truth and bound, these two as hexadecimal floats."""
    return source + _TAIL.format(expected="".join(f"    {one!r},\n" for one in expected))

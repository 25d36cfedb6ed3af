"""How many of torch's normal numbers the reference gives to the last bit, on the CPU path that torch takes here.

``ATEN_CPU_CAPABILITY=default python -m tests.paths 1000000`` shows another path (``default``, ``avx2``, ``avx512``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from oracle.ulp import steps
from reference.random import Generator
from tests.twins import DTYPES, bits, normal_bound, state_of, zeros

__all__ = ["figures"]


def figures(make: Callable[[], Generator], dtype: str, n: int) -> dict[str, Any]:
    """What a generator gives for n normal numbers, against torch's."""
    ours, theirs = make().manual_seed(0), torch.Generator().manual_seed(0)
    array, tensor = zeros((n,), dtype)
    ours.normal_(array)
    tensor.normal_(generator=theirs)
    other = np.frombuffer(bits(tensor).tobytes(), DTYPES[dtype])
    x, y = array.astype(np.float64), other.astype(np.float64)
    return {"share equal": float((array == other).mean()),
            "ulp": int(steps(array, other).max()),
            "beyond the bound": int((np.abs(x - y) > normal_bound(y, 1.0, dtype)).sum()),
            "states differ": state_of(ours) != state_of(theirs)}


if __name__ == "__main__":
    report = {dtype: figures(Generator, dtype, int(sys.argv[1])) for dtype in DTYPES}
    print(json.dumps({"path": torch.backends.cpu.get_cpu_capability(), "normals": report}, indent=1))

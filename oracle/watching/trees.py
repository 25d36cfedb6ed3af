"""Trees of JAX's arrays, and where optax keeps the state that torch keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from ..targets.optax_jax import STATES

__all__ = ["applied", "leaves", "state_of"]


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """Each array of a tree with its path.

    Raises:
        TypeError: the arrays have no numbers, since ``jax.jit`` is at work.
    """
    found = [(jax.tree_util.keystr(path).replace("'", ""), leaf)
             for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
    if any(isinstance(leaf, jax.core.Tracer) for _, leaf in found):
        raise TypeError("a watched update cannot be called within jax.jit: watch jax.jit(tx.update) instead")
    return found


def applied(params: Any, updates: Any) -> Any:
    """The parameters after the step."""
    return optax.apply_updates(params, updates)


def state_of(op: str, state: Any, names: Mapping[str, str]) -> tuple[int, dict[str, list[Any]]]:
    """The count of steps that were made, and by torch's names each state's arrays, in the order of the parameters."""
    counts = optax.tree_utils.tree_get_all_with_path(state, "count")
    count = max((int(np.asarray(value)) for _, value in counts), default=0)
    found = {}
    for torchs, theirs in {**STATES.get(op, {}), **names}.items():
        there = optax.tree_utils.tree_get_all_with_path(state, theirs)
        if there:
            found[torchs] = jax.tree_util.tree_leaves(there[0][1])
    return count, found

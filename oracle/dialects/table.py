"""Dialects: known ways in which implementations differ from the reference, each with the rule it follows.

A dialect is a changed spec, so everything that can be asked of a reference can be asked of it: its
values, its truth, its bound. A waiver that names one accepts a disagreement only where the answer is
what the dialect's rule gives, within the dialect's own bound: whatever else is wrong still fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from .adam import ADAM
from .derivatives import DERIVATIVES
from .init import INIT
from .keras_losses import KERAS_LOSSES
from .losses import LOSSES
from .optax_losses import OPTAX_LOSSES
from .optim import OPTIM
from .record import Dialect
from .torch_likelihoods import TORCH_LIKELIHOODS
from .torch_margins import TORCH_MARGINS
from .torch_optim import TORCH_OPTIM

__all__ = ["DIALECTS", "Dialect", "dialects_of"]

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (
    *TORCH_LIKELIHOODS, *TORCH_MARGINS, *TORCH_OPTIM, *LOSSES, *DERIVATIVES, *OPTAX_LOSSES, *KERAS_LOSSES, *ADAM,
    *OPTIM, *INIT)}


def dialects_of(op: str) -> list[Dialect]:
    """The dialects of one op, in the order of the table."""
    return [dialect for dialect in DIALECTS.values() if dialect.op == op]

"""How balls are computed with: precision, what each rounding adds to the radii, and the range to keep to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..formats import FORMATS, Format
from .orders import Products
from .single import ctx

__all__ = ["Arithmetic", "Undecided", "arithmetic", "lost_more", "now"]


class Undecided(ArithmeticError):
    """A ball straddles a branch that a whole array depends on."""


@dataclass(frozen=True)
class Arithmetic:
    """How balls are computed with: bits of the midpoints, and what each rounding adds to the radii."""

    bits: int
    unit: float = 0.0  #: the largest relative error that an operation on arrays is charged with
    scalar_unit: float = 0.0  #: the largest relative error that an operation on scalars is charged with
    sum_unit: float = 0.0  #: the largest relative error that one addition within a sum is charged with
    limits: Format | None = None  #: the range to keep to
    kept: Format | None = None  #: a narrower type that what is assigned to an array is rounded to
    any_order: bool = True
    """Are products that underflow charged for any order of their given factors, or for the one that is written?"""

    @classmethod
    def exact(cls, bits: int) -> Arithmetic:
        """Real arithmetic: high precision, and nothing is charged."""
        return cls(bits)

    @classmethod
    def of(cls, dtype: str, *, limited: bool = True) -> Arithmetic:
        """The running error of arithmetic in a storage type; with its range unless ``limited`` is false.

        * Each operation is charged with one unit in the last place, 2^(1-p) at most: twice what correct
          rounding costs, and what the vector functions of sound kernels keep to.
        * Half types are charged half of that, 2^-p: their operations are computed in float32 and rounded once.
        * A product that is exact by luck (by a beta of 0.5, say) is charged too: another way to write the formula
          has no such luck.
        * A sum of n terms is charged n-1 units of the sum of magnitudes, which holds for any order of summation.
          Sums of half types are accumulated in float32 or wider, in any order, as NumPy's float16 and torch's
          reductions are: their units are those of float32, and the sum is rounded once.
        * Below the normal numbers a product is charged with what :mod:`oracle.truth.orders` says, which holds for
          any order of its given factors.
        * Scalars are doubles, as in torch.
        """
        fmt = FORMATS[dtype]
        single = 2.0**-23
        unit = 2.0 ** (1 - fmt.bits) if fmt.bits >= 24 else 2.0**-fmt.bits + single
        return cls(128, unit, 2.0**-52, min(unit, single), fmt if limited else None)

    @classmethod
    def flushed(cls, dtype: str, *, limited: bool = True) -> Arithmetic:
        """The running error where results below the normal numbers may be taken for 0."""
        return replace(cls.of(dtype), limits=replace(FORMATS[dtype], flushes=True) if limited else None)

    @classmethod
    def opmath(cls, dtype: str, *, limited: bool = True, keeps: bool = False) -> Arithmetic:
        """The running error of a half type's arithmetic in float32, of which the results alone are rounded.

        Args:
            keeps: state is kept in the storage type: what is assigned to an array is rounded to it.
        """
        kept = FORMATS[dtype] if keeps else None
        return replace(cls.of("float32" if FORMATS[dtype].bits < 24 else dtype, limited=limited), kept=kept)


class _Now:
    """What is computed with at the moment. Only :func:`arithmetic` changes it; all who compute read it here."""

    __slots__ = ("arithmetic", "products")

    def __init__(self) -> None:
        self.arithmetic = Arithmetic.exact(200)
        self.products: Products | None = None  #: the factors of products, where range is charged for any order of them


now = _Now()


@contextmanager
def arithmetic(active: Arithmetic) -> Iterator[None]:
    """Compute with balls in this arithmetic for the length of a ``with`` block."""
    before, products, precision = now.arithmetic, now.products, ctx.prec
    now.arithmetic, now.products, ctx.prec = active, _products_to_follow(active), active.bits
    try:
        yield
    finally:
        now.arithmetic, now.products, ctx.prec = before, products, precision


def _products_to_follow(active: Arithmetic) -> Products | None:
    """A place to note the factors of products, in an arithmetic where their order matters."""
    if active.limits is None or not active.unit or not active.any_order:
        return None
    return Products(active.limits.low)


def lost_more() -> bool:
    """Has some product been charged, in the active arithmetic, for an order other than the one it is written in?"""
    return now.products is not None and now.products.charged

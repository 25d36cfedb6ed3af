"""torch's CPU generator in NumPy: the same seed gives the same stream, the same values, the same state.

The engine is MT19937 with its 32-bit seeding. What torch 2.13 does with the words, confirmed by value:

- uniform on [0, 1): one word a number, its low 24 bits over 2**24, for half types too; for float64 two
  words, the high one first, the low 53 bits over 2**53.
- normal, 16 elements or more, contiguous: Box-Muller on blocks of 16, eight radii before eight angles. A
  ragged end is drawn again as one more block over the last 16 elements (float32 and float64 have then
  drawn the ragged numbers in vain, half types have not).
- normal otherwise: Box-Muller in float64, angle before radius; the second of an odd pair waits in the
  generator for whoever draws such a normal next.
- integers: a word modulo the width of the range, or 64 bits from a width of 2**28 on.
- Bernoulli and exponential numbers: a float64 uniform each (float32 ones for an array of probabilities that
  is not float64).
- Elements that are not contiguous are filled in the order of memory.

Two steps depend on torch's CPU path; the path reproduced here is that of x86 CPUs with AVX2 or more.
``x * scale + shift`` rounds once (``ATEN_CPU_CAPABILITY=default`` rounds uniform numbers twice). Float32
and half normals take that path's own logarithm, sine and cosine: see :mod:`reference._box_muller`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._engine import Engine
from ._integers import DIGITS, exchanged, largest_integer, range_within
from ._normal import fill_normal_blocks, normal_pairs
from ._storage import HALF, check_interval, check_numbers, fill, in_memory_order, name_of, storage_of
from ._uniform import FROM_PAIRS, FROM_WORDS, fill_uniform, fill_uniform_balls, slices, unit_numbers
from .precision import fma, libm, lift, working

__all__ = ["Generator", "check_generator", "default_generator", "manual_seed"]

Array = np.ndarray[Any, Any]

_LARGE = (2**32 - 1) // 20  # randperm takes 64 bits a number from here on


class Generator(Engine):
    r"""A stream of random numbers that is torch's, ``torch.Generator()`` on the CPU.

    .. math:: u = (w \bmod 2^{p}) \, 2^{-p}, \qquad
              z_1, z_2 = \sqrt{-2 \ln(1 - u_r)} \, (\cos, \sin)(2 \pi u_\theta)

    with :math:`p` = 24, or 53 for float64. A new generator has torch's default seed.

    >>> g = Generator().manual_seed(0)
    >>> g.uniform_(np.zeros(3, dtype=np.float32))
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    >>> twin = Generator().set_state(g.get_state())
    >>> bool((g.random_words(5) == twin.random_words(5)).all())
    True

    Sources: M. Matsumoto, T. Nishimura, ACM TOMACS 8 (1998), 3-30; G. Box, M. Muller, Ann. Math. Stat. 29
    (1958), 610-611.

    Deviations: NumPy's own ``RandomState`` has the same words for a seed but takes other bits of them,
    and the polar method for normals; JAX and CUDA use counter-based generators.
    """

    def uniform_(self, array: Array, low: float = 0.0, high: float = 1.0) -> Array:
        r"""Fill an array with numbers uniform on [low, high): :math:`x = u \, (high - low) + low`.

        Half types compute in float32. A result that rounding lifts to ``high`` becomes ``low``.

        Args:
            array: float16, bfloat16, float32, float64 or complex, any shape and strides; both parts of a
                complex number are drawn alike.
            low, high: bounds of the interval.

        Returns:
            The array.

        Raises:
            NotImplementedError: for another dtype. RuntimeError: where a bound or their difference is
            out of the dtype's range, or low > high. TypeError: where a bound is no number.

        >>> Generator().manual_seed(1).uniform_(np.zeros(2), -1.0, 1.0)
        array([-0.87789345, -0.55089099])
        """
        if array.dtype.kind == "c":
            self.uniform_(_parts(array), low, high)
            return array
        storage = storage_of(array, "uniform_")
        check_interval(storage, low, high)
        fill_part = fill_uniform_balls if array.dtype == object else fill_uniform
        with in_memory_order(array) as flat:
            for part in slices(array.size):
                fill_part(self, flat[part], storage, low, high)
        return array

    def normal_(self, array: Array, mean: float = 0.0, std: float = 1.0) -> Array:
        r"""Fill an array with normal numbers, :math:`x = z \, std + mean`.

        Args:
            array: float16, bfloat16, float32, float64 or complex, any shape and strides. A complex number
                has the variance std**2 in total, half of it in either part, and the mean in both.
            mean: location. std: scale, not negative.

        Returns:
            The array.

        Raises:
            RuntimeError: where std is negative or NaN. NotImplementedError: for another dtype, unless the
            array is empty. TypeError: where mean or std is no number.

        >>> Generator().manual_seed(1).normal_(np.zeros(3), 10.0, 2.0)
        array([11.32270434, 10.5338482 , 10.12335452])
        """
        check_numbers(mean=mean, std=std)
        if not std >= 0:
            raise RuntimeError(f"std must be at least 0, got {float(std)}")
        if array.dtype.kind == "c":
            self.normal_(_parts(array), mean, std / np.sqrt(2.0))
        elif array.size:
            storage = storage_of(array, "normal_")
            with np.errstate(all="ignore"):
                if array.size >= 16 and array.flags.c_contiguous:
                    fill_normal_blocks(self, array.reshape(-1), storage, mean, std)
                else:
                    work = working(array, np.float64)
                    z = normal_pairs(self, array.size, work)
                    x = fma(z, +lift(work, std), +lift(work, mean))
                    fill(array, lift(working(array, np.float32), x))  # to half types by way of float32
        return array

    def random_(self, array: Array, *bounds: int | None) -> Array:
        """Fill an array with integers uniform on [low, high).

        Args:
            array: integers, booleans or floating numbers, any shape and strides.
            bounds: nothing, for all from 0 to the largest value (2**p for p significand bits); ``high``;
                or ``low, high``, where a ``high`` of None stands for all that the dtype holds.

        Returns:
            The array.

        Raises:
            RuntimeError: where low >= high, or the dtype does not hold all between them.

        >>> Generator().manual_seed(0).random_(np.zeros(4, np.int64), 10)
        array([4, 9, 3, 0])
        """
        name, largest = name_of(array.dtype), largest_integer(array.dtype)
        low, high = (0, *bounds)[-2:] if bounds else (0, None)
        if low == -(2**63) and high is None:
            if array.size and name not in ("int64", "float64", "float32", "bfloat16"):
                raise RuntimeError(f"low=-2**63 without high needs an array that can hold it, got {name}")
            values = self.random_double_words(array.size).view(np.int64)
        elif bounds:
            low, high = range_within(array.dtype, low or 0, high, largest)
            values = self._integers(array.size, low, high, wide=high - low >= 2**28)
        else:
            values = self._integers(array.size, 0, largest + 1, wide=name in ("float64", "int64"))
        if name in HALF:
            with np.errstate(over="ignore"):
                values = values.astype(np.float32).astype(array.dtype)
        fill(array, values)
        return array

    def randint(self, low: int, high: int, size: Sequence[int], dtype: Any = np.int64) -> Array:
        """Draw an array of integers uniform on [low, high), as ``torch.randint`` does.

        >>> Generator().manual_seed(0).randint(3, 6, (2, 3))
        array([[5, 3, 5],
               [3, 4, 3]])
        """
        return self.random_(np.zeros(tuple(size), dtype), low, high)

    def randperm(self, n: int, dtype: Any = np.int64) -> Array:
        """Draw a permutation of 0, ..., n - 1: the i-th element changes places with one from i on.

        Raises:
            RuntimeError: where n is negative.

        >>> Generator().manual_seed(0).randperm(5)
        array([4, 0, 1, 3, 2])

        Source: R. Durstenfeld, Algorithm 235, Comm. ACM 7 (1964), 420.
        """
        if n < 0:
            raise RuntimeError(f"n must be at least 0, got {n}")
        draws = max(n - 1, 0)
        words = self.random_words(draws) if n < _LARGE else self.random_double_words(draws)
        places = np.arange(n)
        places[:draws] += (words % np.arange(n, n - draws, -1, dtype=words.dtype)).astype(np.int64)
        return exchanged(places).astype(dtype, copy=False)

    def bernoulli_(self, array: Array, p: Any = 0.5) -> Array:
        """Fill an array with 1 where a uniform number is below p, and 0 elsewhere.

        Args:
            array: any real dtype, shape and strides. p: a number, or an array that broadcasts to the shape.

        Returns:
            The array.

        Raises:
            RuntimeError: where a probability is outside [0, 1].

        >>> Generator().manual_seed(0).bernoulli_(np.zeros(5), 0.5)
        array([0., 0., 1., 0., 0.])

        Deviations: torch on some Intel CPUs draws the number p's from MKL's own generator instead.
        """
        chances = np.asarray(p)
        if not ((chances >= 0) & (chances <= 1)).all():
            raise RuntimeError(f"p must be within [0, 1], got {p}")
        bits = 24 if isinstance(p, np.ndarray) and p.dtype != np.float64 else 53
        low_bits = (FROM_WORDS if bits == 24 else FROM_PAIRS)[0]
        first_above = np.ceil(chances.astype(np.float64) * 2.0**bits).astype(low_bits.dtype)
        if first_above.ndim:  # in the order of memory, as the words are
            whole = np.empty_like(array, low_bits.dtype)
            whole[...] = first_above
            with in_memory_order(whole) as flat:
                first_above = flat.copy()
        with in_memory_order(array) as flat:
            for part in slices(array.size):
                n = part.stop - part.start
                words: Array = self.random_words(n) if bits == 24 else self.random_double_words(n)
                words &= low_bits
                flat[part] = words < (first_above[part] if first_above.ndim else first_above)
        return array

    def exponential_(self, array: Array, lambd: float = 1.0) -> Array:
        r"""Fill an array with exponential numbers, :math:`x = -\ln(1 - u) / \lambda`.

        Args:
            array: float16, bfloat16, float32 or float64, any shape and strides. lambd: rate, above 0.

        Returns:
            The array.

        Raises:
            RuntimeError: where the rate is not above 0, or for another dtype.

        >>> Generator().manual_seed(0).exponential_(np.zeros(2), 2.0)
        array([1.75416309, 0.61519238])
        """
        if not lambd > 0:
            raise RuntimeError(f"lambd must be above 0, got {lambd}")
        if name_of(array.dtype) not in DIGITS:
            raise RuntimeError(f"exponential_ needs a floating array, got {array.dtype.name}")
        with in_memory_order(array) as flat:
            for part in slices(array.size):
                u = unit_numbers(self, part.stop - part.start, np.dtype(np.float64))
                np.negative(u, out=u)
                x = libm(math.log1p, u) if array.dtype == np.float64 else np.log1p(u, out=u)
                x *= -1.0 / lambd
                flat[part] = x
        return array

    def _integers(self, n: int, low: int, high: int, wide: bool) -> Array:
        """n integers on [low, high), of 64 bits each where ``wide`` says so, and else of 32."""
        words: Array = self.random_double_words(n) if wide else self.random_words(n)
        width = np.array(high - low, words.dtype)
        quotient = words // width  # by a multiplication, where a remainder takes a division for each
        quotient *= width
        words -= quotient
        return words.astype(np.int64) + low if low else words

def _parts(array: Array) -> Array:
    """A view of complex numbers as pairs of reals, along one more axis."""
    return array[..., None].view(array.real.dtype)


#: The generator that initializers use where none is given.
default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator and return it, as ``torch.manual_seed`` does.

    >>> manual_seed(7) is default_generator
    True
    """
    return default_generator.manual_seed(int(seed))


def check_generator(generator: Generator | None) -> Generator:
    """Return the generator to draw from, the default one for None; TypeError for anything else.

    >>> check_generator(None) is default_generator
    True
    """
    if not isinstance(generator, Generator | None):
        raise TypeError(f"generator must be a reference.random.Generator, got {type(generator).__name__}")
    return default_generator if generator is None else generator

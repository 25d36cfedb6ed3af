"""torch's CPU generator in NumPy: the same seed gives the same stream, the same values, the same state.

The engine is MT19937 with its 32-bit seeding. What torch 2.13 does with the words, confirmed by value:

- uniform on [0, 1): one word a number, its low 24 bits over 2**24, for half types too; for float64 two
  words, the high one first, the low 53 bits over 2**53.
- normal, 16 elements or more, contiguous: Box-Muller on blocks of 16, eight radii before eight angles. A
  ragged end is drawn again as one more block over the last 16 elements (float32 and float64 have then
  drawn the ragged numbers in vain, half types have not).
- normal otherwise: Box-Muller in float64, angle before radius; the second of an odd pair waits in the
  generator for whoever draws such a normal next.
- Elements that are not contiguous are filled in the order of memory.

Two steps depend on torch's CPU path; the paths reproduced here are these. ``x * scale + shift`` rounds
once: a fused multiply-add, as on every x86 CPU with AVX2 (``ATEN_CPU_CAPABILITY=default`` rounds uniform
numbers twice). Float32 normals take the correctly rounded logarithm, sine and cosine, as ``default`` does
but for rare last bits (the AVX2 path has coarser approximations of its own).
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from ._storage import HALF, SINGLE, check_interval, check_numbers, fill, storage_of
from .precision import fma, lift, pi_like, working

__all__ = ["Generator", "check_generator", "default_generator", "manual_seed"]

Array = np.ndarray[Any, Any]

_WORDS = 624  # of MT19937's state
_DEFAULT_SEED = 67280421310721
_STATE = np.dtype([("seed", "u8"), ("left", "i4"), ("seeded", "i4"), ("next", "u8"), ("key", "u8", _WORDS),
                   ("normal_x", "f8"), ("normal", "f8"), ("normal_rho", "f8"), ("has_normal", "i4"),
                   ("padding", "u1", 4), ("float_normal", "f4"), ("has_float_normal", "?"), ("end", "u1", 3)])


class Generator:
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

    def __init__(self) -> None:
        self._engine = np.random.MT19937(0)
        self._record = np.zeros((), _STATE)
        self.manual_seed(_DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to a seed, and return the generator.

        Args:
            seed: from -2**63 to 2**64 - 1; a negative one stands for itself plus 2**64. Only the low 32
                bits choose the stream.

        Raises:
            RuntimeError: where the seed is not an integer. ValueError: where it needs more than 64 bits.

        >>> Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
            raise RuntimeError(f"seed must be an integer, got {type(seed).__name__}")
        number = operator.index(seed)
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"seed must be within [-2**63, 2**64 - 1], got {number}")
        key = np.random.RandomState(number & 0xFFFFFFFF).get_state()[1]
        self._adopt(np.array((number % 2**64, 1, 1, 0, key, 0, 0, 0, 0, 0, 0, 0, 0), _STATE))
        return self

    def initial_seed(self) -> int:
        """Return the seed that the stream began with.

        >>> Generator().initial_seed()
        67280421310721
        """
        return int(self._record["seed"])

    def get_state(self) -> Array:
        """Return the state as torch's bytes: a uint8 array of length 5056 that torch reads too.

        Padding (bytes 5044 to 5047 and 5053 to 5055) is 0; torch leaves there what the memory held.

        >>> Generator().get_state().shape
        (5056,)
        """
        self._record["key"] = self._engine.state["state"]["key"]
        return np.frombuffer(self._record.tobytes(), np.uint8).copy()

    def set_state(self, new_state: Array) -> Generator:
        """Continue from a state, this class's or torch's, and return the generator.

        Args:
            new_state: uint8 array with 5056 elements.

        Raises:
            TypeError: where it is no uint8 array. RuntimeError: for another size, or bytes that are the
            state of no generator.

        >>> Generator().set_state(np.zeros(5056, np.uint8))
        Traceback (most recent call last):
        RuntimeError: new_state must hold a seeded MT19937 position, got left=0, next=0, seeded=0
        """
        if not isinstance(new_state, np.ndarray) or new_state.dtype != np.uint8:
            got = getattr(new_state, "dtype", type(new_state).__name__)
            raise TypeError(f"new_state must be a uint8 array, got {got}")
        if new_state.size != _STATE.itemsize:
            raise RuntimeError(f"new_state must have {_STATE.itemsize} bytes, got {new_state.size}")
        record = np.frombuffer(new_state.tobytes(), _STATE).reshape(()).copy()
        record["padding"] = record["end"] = 0
        left, place, seeded = (int(record[name]) for name in ("left", "next", "seeded"))
        if seeded != 1 or not ((left, place) == (1, 0) or 1 <= left == _WORDS + 1 - place):
            raise RuntimeError("new_state must hold a seeded MT19937 position, "
                               f"got left={left}, next={place}, seeded={seeded}")
        self._adopt(record)
        return self

    def random_words(self, n: int) -> Array:
        """Draw the next n raw words, a uint32 array.

        >>> Generator().manual_seed(5489).random_words(2)
        array([3499211612,  581869302], dtype=uint32)
        """
        if n:
            place = (int(self._record["next"]) + n - 1) % _WORDS + 1
            self._record["next"], self._record["left"] = place, _WORDS + 1 - place
        return np.asarray(self._engine.random_raw(n), dtype=np.uint64).astype(np.uint32)

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
        u = self._uniform(array.size, storage)

        def scaled(like: Array) -> tuple[Any, Any, Array]:
            a, b = +lift(like, low), +lift(like, high)  # plus: rounded to the precision of the stream
            return a, b, fma(lift(like, u), b - a, a)

        with np.errstate(all="ignore"):
            a, b, x = scaled(working(np.empty(0, storage), np.float32))
            lifted = x.astype(storage) == b.astype(storage)  # a decision about rounded numbers, so in floats
            if array.dtype == object:
                a, b, x = scaled(array)
            fill(array, np.where(lifted, a, x))
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
            blocks = array.size >= 16 and array.flags.c_contiguous
            work = working(array, np.float32 if blocks else np.float64)
            with np.errstate(all="ignore"):
                draw = self._normal_blocks if blocks else self._normal_pairs
                z = draw(array.size, storage, work)
                x = fma(z, +lift(work, std), +lift(work, mean))
                fill(array, lift(working(array, np.float32), x))  # to half types by way of float32
        return array

    def _adopt(self, record: Array) -> None:
        place = int(record["next"]) if record["left"] > 1 else _WORDS
        key = record["key"].astype(np.uint32)
        self._engine.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": place}}
        self._record = record

    def _uniform(self, n: int, storage: np.dtype[Any]) -> Array:
        """n numbers on [0, 1) as float64, which holds each of them exactly."""
        if storage.name in SINGLE:
            return np.asarray((self.random_words(n) & np.uint32(2**24 - 1)) * 2.0**-24, dtype=np.float64)
        high, low = self.random_words(2 * n).reshape(n, 2).T
        return np.asarray(((high & np.uint32(2**21 - 1)) * 2.0**32 + low) * 2.0**-53)

    def _normal_blocks(self, n: int, storage: np.dtype[Any], work: Array) -> Array:
        whole, rest = n - n % 16, n % 16
        u = self._uniform(whole, storage)
        if rest:
            if storage.name not in HALF:
                self._uniform(rest, storage)
            u = np.concatenate([u, self._uniform(16, storage)])
        z = _box_muller(work, *u.reshape(-1, 2, 8).swapaxes(0, 1))
        return np.concatenate([z[: n - 16], z[-16:]]) if rest else z

    def _normal_pairs(self, n: int, storage: np.dtype[Any], work: Array) -> Array:
        record = self._record
        z, spare = lift(work, [float(record["normal"])] if record["has_normal"] else []), 0.0
        if len(z) < n:
            pairs = (n - len(z) + 1) // 2
            u_angle, u_radius = self._uniform(2 * pairs, np.dtype(np.float64)).reshape(pairs, 2).T
            z = np.concatenate([z, _box_muller(work, u_radius[:, None], u_angle[:, None])])
            spare = math.sqrt(-2 * math.log1p(-u_radius[-1])) * math.sin(2 * math.pi * u_angle[-1])
        record["has_normal"] = len(z) > n
        record["normal"] = spare if len(z) > n else 0.0
        return z[:n]


def _box_muller(work: Array, u_radius: Array, u_angle: Array) -> Array:
    """Normals of each row: all cosines, then all sines. Functions are evaluated in float64 or better."""
    wide = working(work, np.float64)
    radius = np.sqrt(-2 * lift(work, np.log1p(-lift(wide, u_radius))))
    angle = lift(wide, lift(work, 2 * pi_like(wide) * lift(wide, u_angle)))
    z = [radius * lift(work, np.cos(angle)), radius * lift(work, np.sin(angle))]
    return np.concatenate(z, axis=1).reshape(-1)


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

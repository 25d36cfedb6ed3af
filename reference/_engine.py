"""The engine below :mod:`reference.random`: MT19937 as torch seeds, saves and continues it."""

from __future__ import annotations

import numbers
import operator
from typing import Any, Self

import numpy as np

__all__ = ["Engine"]

Array = np.ndarray[Any, Any]

_WORDS = 624  # of MT19937's state
_FEW = 8192  # below, a call that gives single words costs less; from there on one that gives two at a time
_WORD = np.array(32, np.uint64)  # bits; an array without axes, which NumPy takes faster than a scalar
_DEFAULT_SEED = 67280421310721
_STATE = np.dtype([("seed", "u8"), ("left", "i4"), ("seeded", "i4"), ("next", "u8"), ("key", "u8", _WORDS),
                   ("normal_x", "f8"), ("normal", "f8"), ("normal_rho", "f8"), ("has_normal", "i4"),
                   ("padding", "u1", 4), ("float_normal", "f4"), ("has_float_normal", "?"), ("end", "u1", 3)])


class Engine:
    """A stream of 32-bit words with torch's seeding, and torch's bytes for its state.

    >>> Engine().manual_seed(5489).random_words(2)
    array([3499211612,  581869302], dtype=uint32)

    Source: M. Matsumoto, T. Nishimura, Mersenne twister, ACM TOMACS 8 (1998), 3-30.
    """

    def __init__(self) -> None:
        self._engine = np.random.MT19937(0)
        self._words = np.random.RandomState(self._engine)  # its full-range uint64 are the raw words, in bulk
        self._record = np.zeros((), _STATE)
        self._drawn = False  # since the record was made
        self.manual_seed(_DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Self:
        """Start the stream that belongs to a seed, and return the generator.

        Args:
            seed: from -2**63 to 2**64 - 1; a negative one stands for itself plus 2**64. Only the low 32
                bits choose the stream.

        Raises:
            RuntimeError: where the seed is not an integer. ValueError: where it needs more than 64 bits.

        >>> Engine().manual_seed(-1).initial_seed() == 2**64 - 1
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

        >>> Engine().initial_seed()
        67280421310721
        """
        return int(self._record["seed"])

    def get_state(self) -> Array:
        """Return the state as torch's bytes: a uint8 array of length 5056 that torch reads too.

        Padding (bytes 5044 to 5047 and 5053 to 5055) is 0; torch leaves there what the memory held.

        >>> Engine().get_state().shape
        (5056,)
        """
        if self._drawn:
            now = self._engine.state["state"]
            self._record["key"], self._record["next"] = now["key"], now["pos"]
            self._record["left"] = _WORDS + 1 - now["pos"]
        return np.frombuffer(self._record.tobytes(), np.uint8).copy()

    def set_state(self, new_state: Array) -> Self:
        """Continue from a state, this class's or torch's, and return the generator.

        Args:
            new_state: uint8 array with 5056 elements.

        Raises:
            TypeError: where it is no uint8 array. RuntimeError: for another size, or bytes that are the
            state of no generator.

        >>> Engine().set_state(np.zeros(5056, np.uint8))
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

        >>> Engine().manual_seed(0).random_words(3)
        array([2357136044, 2546248239, 3071714933], dtype=uint32)
        """
        if n < _FEW:
            self._drawn |= n > 0
            return np.asarray(self._engine.random_raw(n).astype(np.uint32))
        pairs = self.random_double_words(n // 2)
        second = pairs << _WORD  # goes first in the memory of a little-endian machine
        pairs >>= _WORD
        pairs |= second
        words = pairs.view(np.uint32)
        return np.append(words, self.random_words(1)) if n % 2 else words

    def random_double_words(self, n: int) -> Array:
        """Draw n numbers of 64 bits, a uint64 array: two words each, the high one first.

        >>> Engine().manual_seed(0).random_double_words(1) == (2357136044 << 32) + 2546248239
        array([ True])
        """
        self._drawn |= n > 0
        if 2 * n >= _FEW:
            return self._words.randint(0, 2**64, n, dtype=np.uint64)
        words = self._engine.random_raw(2 * n)
        return np.asarray(words[::2] << _WORD | words[1::2])

    def take_normal(self) -> list[float]:
        """Take the normal number that waits in the state: a list of it, or of nothing.

        >>> engine = Engine()
        >>> engine.leave_normal(0.5)
        >>> engine.take_normal(), engine.take_normal()
        ([0.5], [])
        """
        waiting = [float(self._record["normal"])] if self._record["has_normal"] else []
        self._record["has_normal"], self._record["normal"] = False, 0.0
        return waiting

    def leave_normal(self, number: float) -> None:
        """Leave a normal number in the state, for whoever draws such a one next."""
        self._record["has_normal"], self._record["normal"] = True, number

    def _adopt(self, record: Array) -> None:
        place = int(record["next"]) if record["left"] > 1 else _WORDS
        key = record["key"].astype(np.uint32)
        self._engine.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": place}}
        self._record, self._drawn = record, False

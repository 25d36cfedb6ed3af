"""What surrounds a case, as its id names it: ``Adam/float32/default@size=33,memory=strided:gradient``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from ..spec import DTYPES
from .events import EVENTS, Event
from .memory import LAYOUTS, ROLES

__all__ = ["NOTHING", "Surroundings", "parse_surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """What stands around the formula in one case; each part is empty where it is as the op's spec draws it.

    >>> str(Surroundings(size="33", memory="strided:gradient"))
    'size=33,memory=strided:gradient'
    """

    size: str = ""
    """The shape that elements are laid out over, or a number of rows where an op's are: ``33``, ``9x15``.

    Where terms are summed, or updates depend on each other, what is so large is drawn anew. Rows may then have a number
    of classes beside them: ``2x32000``.
    """
    tensors: str = ""  #: how many parameters an optimizer has
    beside: str = ""  #: another storage type, which every second parameter of an optimizer has
    memory: str = ""  #: a layout of :data:`.memory.LAYOUTS`, of all arrays or of the one named behind a colon
    event: str = ""  #: what happens between two steps: one of :data:`.events.EVENTS`, with the option that it is about
    threads: str = ""  #: threads that the implementation may use, where that can be told to it

    @property
    def parts(self) -> dict[str, str]:
        """What is not as the op's spec draws it, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.parts.items())

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def shape(self) -> tuple[int, ...]:
        """The size as numbers."""
        return tuple(map(int, self.size.split("x"))) if self.size else ()

    @property
    def happening(self) -> Event | None:
        """What happens between steps."""
        return EVENTS[self.event.partition(":")[0]] if self.event else None

    @property
    def option(self) -> str:
        """The axis of the option that an event is about."""
        return self.event.partition(":")[2]

    @property
    def behind_the_truth(self) -> Surroundings:
        """The part on which the exact value depends: how memory lies, who computes it and what is computed
        beside it changes nothing.

        But an array can be broadcast only where its lines are equal, and be complex only where it has pairs.
        """
        happens_to_loss = self.happening is not None and self.happening.of_losses
        return replace(self, memory=self.memory if self.is_broadcast or self.is_complex else "", threads="",
                       event="" if happens_to_loss else self.event)

    @property
    def is_broadcast(self) -> bool:
        """Is one line of some array all that lies in memory?"""
        return self.memory.partition(":")[0] == "broadcast"

    @property
    def is_complex(self) -> bool:
        """Are arrays complex numbers, in pairs?"""
        return bool(self.memory) and LAYOUTS[self.memory.partition(":")[0]].pairs

    @property
    def repeated(self) -> str:
        """The array whose lines are equal, where it is one alone: those of the others are different."""
        return self.memory.partition(":")[2] if self.is_broadcast else ""

    @property
    def is_watched(self) -> bool:
        """Is it counted afterwards what an implementation wrote where it may not: beside arrays, or into options?"""
        return bool(self.memory) or (self.happening is not None and self.happening.arrays)

    @property
    def alterations(self) -> Surroundings:
        """The part that stays where elements are not laid out."""
        return Surroundings(event=self.event)


NOTHING = Surroundings()


def parse_surroundings(text: str) -> Surroundings:
    """The surroundings of what stands behind the ``@`` of an id.

    Raises:
        ValueError: there are no such ones; the message says which there are.

    >>> parse_surroundings("size=33x").size
    Traceback (most recent call last):
    ...
    ValueError: size needs lengths of axes, such as 33 or 9x15, not '33x'
    """
    found: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        check = _CHECKS.get(name)
        if check is None:
            raise ValueError(f"unknown surrounding {name!r}; there are {', '.join(_CHECKS)}")
        problem = check(value)
        if problem:
            raise ValueError(f"{name} needs {problem}, not {value!r}")
        found[name] = value
    return Surroundings(**found)


def _check_size(text: str) -> str:
    lengths = text.split("x")
    fits = all(n.isdecimal() and len(n) < 9 and int(n) > 0 for n in lengths)
    return "" if fits else "lengths of axes, such as 33 or 9x15"


def _check_count(text: str) -> str:
    return "" if text.isdecimal() and len(text) < 6 and int(text) > 0 else "a number above 0"


def _check_beside(text: str) -> str:
    return "" if text in DTYPES else f"one of {', '.join(DTYPES)}"


def _check_memory(text: str) -> str:
    layout, _, role = text.partition(":")
    if layout not in LAYOUTS:
        return f"one of {', '.join(LAYOUTS)}"
    return "" if role == "" or role.isidentifier() else f"the name of an argument behind the colon, or {ROLES}"


def _check_event(text: str) -> str:
    name, _, _ = text.partition(":")
    return "" if name in EVENTS else f"one of {', '.join(EVENTS)}"


_CHECKS: Mapping[str, Callable[[str], str]] = {"size": _check_size, "tensors": _check_count,
                                                 "beside": _check_beside, "memory": _check_memory,
                                 "event": _check_event, "threads": _check_count}

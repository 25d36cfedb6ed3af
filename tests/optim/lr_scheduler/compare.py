"""Every schedule against torch: ``python -m tests.optim.lr_scheduler.compare`` prints a table.

A value is the same if it has the same bits: nothing is rounded, no tolerance is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tests.optim.lr_scheduler.settings import COMPOSED, SETTINGS
from tests.optim.lr_scheduler.twin_schedules import play

__all__ = ["different", "plays"]


def plays(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each setting of a class with the way that it is played."""
    for i, setting in enumerate(SETTINGS[name]):
        ways = ("plain", "outside") if name in COMPOSED else ("plain", "outside", "epochs")
        yield setting, {"scenario": ways[i % len(ways)], "kind": ("SGD", "Adam")[i % 2], "groups": 1 + i % 3, "seed": i}


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float | int):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    return bool(a == b)


def different(name: str, setting: dict[str, Any], **way: Any) -> list[str]:
    """The first value that differs, in words; nothing if none does."""
    for t, (mine, other) in enumerate(zip(play("reference", name, setting, **way), play("torch", name, setting, **way),
                                          strict=True)):
        if len(mine) != len(other) or not all(map(_same, mine, other)):
            return [f"{name}({setting}), {way}, epoch {t}: {mine}, torch {other}"]
    return []


def main() -> None:
    """The table."""
    print(f"{'schedule':30} {'settings':>8} {'steps':>6}  bit for bit")
    for name in SETTINGS:
        bad = [line for setting, way in plays(name) for line in different(name, setting, **way)]
        n = len(SETTINGS[name])
        print(f"{name:30} {n:8} {200 * n:6}  {n - len(bad)} of {n}")
        for line in bad[:3]:
            print("   ", line[:400])


if __name__ == "__main__":
    main()

"""What can be told of code without a call: its signature, and its defaults that are not torch's.

Code that is given by its place is never imported into the judge's process, where it could do anything. Another process
imports it and tells of it, and what it tells is parsed strictly.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cases.spec import Spec
from ..verdict.plain import plain
from .choice import spec_of
from .implementation import Implementation
from .isolation import READY
from .places import Named, load_named
from .signature import Signature, differing_defaults

__all__ = ["Facts", "Shown", "facts_of", "tell_facts"]


class Shown(str):
    """What a value looks like that is in another process."""

    __slots__ = ()
    __repr__ = str.__str__


@dataclass(frozen=True)
class Facts:
    """What is told of the code of an implementation."""

    signature: Signature | None  #: None where the other process could not tell
    differing: Mapping[str, tuple[Any, Any]]  #: by argument its own default and torch's, where they differ


def facts_of(op: str, asked: Implementation) -> Facts:
    """The facts of an implementation; what is given by its place is looked at in a process of its own."""
    spec = spec_of(op)
    if not isinstance(asked.code, Named):
        return Facts(Signature.of(asked.code), differing_defaults(asked.code, spec))
    return _parse_facts(_ask_process(op, asked.code.place), spec)


def _ask_process(op: str, place: str) -> Any:
    """What :func:`tell_facts` prints in a fresh interpreter, from JSON; None where it prints nothing of the kind."""
    root = str(Path(__file__).resolve().parents[2])
    code = f"from {__name__} import tell_facts; tell_facts({op!r}, {place!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, RecursionError):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=READY,
                              env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None
    return None


def tell_facts(op: str, place: str) -> None:
    """Print the facts of the code at a place as a line of JSON."""
    code = load_named(place)
    differing = {name: repr(own)[:100] for name, (own, _) in differing_defaults(code, spec_of(op)).items()}
    print("\n" + json.dumps({"signature": Signature.of(code).to_json(), "differing": differing}))


def _parse_facts(told: Any, spec: Spec) -> Facts:
    """The facts that another process told of, as far as they are any."""
    if not isinstance(told, dict):
        return Facts(None, {})
    signature = None
    with contextlib.suppress(ValueError):
        signature = Signature.from_json(told.get("signature"))
    differing = told.get("differing")
    torchs = inspect.signature(spec.implementation).parameters
    pairs = differing.items() if isinstance(differing, dict) else ()
    return Facts(signature, {name: (Shown(plain(own)), torchs[name].default) for name, own in pairs
                             if name in torchs and isinstance(own, str)})

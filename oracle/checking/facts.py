"""What can be told of code without a call: its signature, and its defaults that are not torch's.

Code that is given by its place is never imported into the judge's process, where it could do anything. The process that
runs it tells of it as soon as it has imported it, before any case, and what it tells is parsed strictly.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cases.spec import Spec
from ..verdict.plain import plain
from .choice import spec_of
from .implementation import Implementation
from .places import Named
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


def facts_of(op: str, asked: Implementation, told: str = "") -> Facts:
    """The facts of an implementation.

    Args:
        op: torch's name.
        asked: what was handed in.
        told: of code that is given by its place, what the process that runs it says: :func:`tell_facts`, it should be.
    """
    spec = spec_of(op)
    if not isinstance(asked.code, Named):
        return Facts(Signature.of(asked.code), differing_defaults(asked.code, spec))
    try:
        return _parse_facts(json.loads(told), spec)
    except (ValueError, RecursionError):
        return Facts(None, {})


def tell_facts(op: str, code: Any) -> str:
    """The facts of code as a line of JSON; empty where its code fails on being looked at."""
    with contextlib.suppress(Exception):
        differing = {name: repr(own)[:100] for name, (own, _) in differing_defaults(code, spec_of(op)).items()}
        return json.dumps({"signature": Signature.of(code).to_json(), "differing": differing})
    return ""


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

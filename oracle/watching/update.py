"""The ``update`` of an optax transformation: what goes in and comes out is told as slots."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .looking import counts
from .slots import Slot, options_of
from .trees import applied, leaves, state_of
from .watched import Plan, Watched, finish

__all__ = ["UpdateWatch"]


class UpdateWatch:
    """The context in which an update function is watched; it gives what is to be called in its place."""

    def __init__(self, update: Any, plan: Plan, options: Mapping[str, Any], state: Mapping[str, str],
                 raises: bool) -> None:
        self._watched = WatchedUpdate(plan)
        self._watched.bind(update, options, state)
        self._raises = raises

    def __enter__(self) -> WatchedUpdate:
        return self._watched

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        finish(self._watched, self._raises and kind is None)


class WatchedUpdate(Watched):
    """What was found, and the update itself: ``updates, state = watched(gradients, state, params)``."""

    def bind(self, update: Any, options: Mapping[str, Any], state: Mapping[str, str]) -> None:
        """Take what is to be called, and how its options and its state are told."""
        self._update, self._options, self._names = update, options, state

    def __call__(self, updates: Any, state: Any, params: Any = None, **more: Any) -> Any:
        """The updates and the new state, as the watched function gives them.

        Raises:
            TypeError: there are no parameters.
        """
        if not self.is_due():
            return self._update(updates, state, params, **more)
        if params is None:
            raise TypeError("a watched update needs the parameters: update(gradients, state, params)")
        self.before(self._slots(params, updates, state))
        made, new_state = self._update(updates, state, params, **more)
        self.after(self._slots(applied(params, made), updates, new_state))
        return made, new_state

    def _slots(self, params: Any, gradients: Any, state: Any) -> list[Slot]:
        spec = self.plan.spec
        count, kept = state_of(spec.name, state, self._names)
        options = options_of(spec, {}, self._options, count)
        given, counted = dict(leaves(gradients)), {"step": count} if kept and counts(spec, options) else {}
        return [Slot(i, name, p, given.get(name), counted | {torchs: values[i] for torchs, values in kept.items()},
                     options, "eager") for i, (name, p) in enumerate(leaves(params))]

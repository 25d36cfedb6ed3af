"""Functions that an optimizer calls before and after it steps, saves and loads; and its count of steps."""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Hooked", "RemovableHandle", "counted"]

Hook = Callable[..., Any]
Hooks = OrderedDict[int, Hook]

_ids = itertools.count()


class RemovableHandle:
    """What a registration returns: ``remove()`` undoes it, as does the end of a ``with`` block.

    Args:
        hooks: the hooks of one kind.
        hook: the one to be added, behind all others.
        prepend: add it before all others.
    """

    def __init__(self, hooks: Hooks, hook: Hook, prepend: bool = False) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        hooks[self.id] = hook
        if prepend:
            hooks.move_to_end(self.id, last=False)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def counted(step: Callable[..., Any]) -> Callable[..., Any]:
    """A method ``step`` that counts its calls, and calls the hooks; within another such call it does neither."""
    @functools.wraps(step)
    def wrapper(self: Hooked, *args: Any, **kwargs: Any) -> Any:
        if self._steps_now:
            return step(self, *args, **kwargs)
        self._step_count += 1
        for hook in tuple(self._step_pre_hooks.values()):
            args, kwargs = _changed(hook(self, (self, *args), kwargs), args, kwargs)
        self._steps_now = True
        try:
            result = step(self, *args, **kwargs)
        finally:
            self._steps_now = False
        for hook in tuple(self._step_post_hooks.values()):
            hook(self, (self, *args), kwargs)
        return result

    wrapper.counted = True  # type: ignore[attr-defined]
    return wrapper


def _changed(answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a step after a hook has answered."""
    if answer is None:
        return args, kwargs
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise RuntimeError(f"a step pre-hook needs to return None or a tuple (args, kwargs), got {answer!r}")
    return answer[0][1:], answer[1]


class Hooked:
    """What of an optimizer has to do with hooks. A subclass's own ``step`` is counted, and calls them, too."""

    #: Steps so far, by which a schedule knows that its optimizer has made one.
    _step_count = 0
    _HOOKS = ("_step_pre_hooks", "_step_post_hooks", "_state_dict_pre_hooks", "_state_dict_post_hooks",
              "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")
    _step_pre_hooks: Hooks
    _step_post_hooks: Hooks
    _state_dict_pre_hooks: Hooks
    _state_dict_post_hooks: Hooks
    _load_state_dict_pre_hooks: Hooks
    _load_state_dict_post_hooks: Hooks
    _steps_now = False

    def __init__(self) -> None:
        self._without_hooks()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = vars(cls).get("step")
        if step is not None and not hasattr(step, "counted"):
            cls.step = counted(step)  # type: ignore[attr-defined]

    def _without_hooks(self) -> None:
        for name in self._HOOKS:
            setattr(self, name, OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles have no hooks, as in torch."""
        return {name: value for name, value in vars(self).items() if name not in self._HOOKS}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self._without_hooks()

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; ``args`` begin with the optimizer.

        It returns ``None``, or new arguments ``(args, kwargs)``, which begin with the optimizer too.
        """
        return RemovableHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step, with the arguments that it had."""
        return RemovableHandle(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict``."""
        return RemovableHandle(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` on what ``state_dict`` returns; another one may be returned."""
        return RemovableHandle(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` on a shallow copy of what is loaded; another one may be returned."""
        return RemovableHandle(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict``."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook, prepend)

    def _hooked_state(self, hooks: Hooks, state_dict: dict[str, Any]) -> dict[str, Any]:
        """What a state becomes when each hook has changed or replaced it."""
        for hook in tuple(hooks.values()):
            answer = hook(self, state_dict)
            state_dict = state_dict if answer is None else answer
        return state_dict

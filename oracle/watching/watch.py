"""Is the optimizer of this training right? Steps of it are judged while it runs.

>>> import numpy as np
>>> from reference.optim import AdamW, Parameter
>>> p = Parameter(np.ones(100, np.float32))
>>> optimizer = AdamW([p], lr=0.1)
>>> with watch(optimizer) as watched:
...     for step in range(3):
...         p.grad = np.sin(p.data + step)
...         optimizer.step()
>>> watched.passed, watched.looked
(True, [1])
>>> with watch(optimizer, options={"betas": (0.9, 0.9989)}, raises=False) as watched:
...     optimizer.step()
>>> watched.passed, str(watched).partition(":")[0], watched.failures[0].output
(False, 'FAILED', 'exp_avg_sq')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType, MethodType, TracebackType
from typing import Any

from reference.optim import Optimizer

from ..cases import registry
from ..cases.spec import OptimSpec
from .slots import Slot, named, slots_of
from .watched import Plan, Watched, finish

__all__ = ["Watch", "watch"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def watch(optimizer: Any, as_: str | None = None, *, every: int = 100, elements: int = 2000,
          named_parameters: Iterable[tuple[str, Any]] | None = None, options: Mapping[str, Any] = _NOTHING,
          state: Mapping[str, str] = _NOTHING, accuracy: str | None = None, strict: bool = False, raises: bool = True,
          records: str | Path | None = None, seed: int = 0) -> Any:
    """Judge steps of a training run while it runs, each by the proven bound of one step from the state before it.

    Use it as a context manager around the run. What ``as`` gives has ``passed``, ``records``, ``causes``, ``shared``
    and ``notes``, and its ``str`` says what was wrong first. Leaving the block raises that, and removes the hooks.

    Args:
        optimizer: one of torch's, of a subclass, or an object with ``param_groups``, ``state`` and ``step``; or the
            ``update`` of an optax transformation, whose options have to be given. Of the latter, what ``as`` gives is
            called in its place; it needs the parameters, and has to be called outside of ``jax.jit``.
        as_: the op that it is to be, by torch's name; by default that of its class, or of the class it is derived from.
        every: the first step is looked at, and so many further on the next. Nothing is copied in between.
        elements: how many elements are looked at in a step, in equal parts of all parameters: the ends, some at the
            edges of vectors and blocks, and others at random.
        named_parameters: what ``model.named_parameters()`` gives, for the names of parameters.
        options: options that are not in the groups, by torch's name. With optax an option may be a function of the
            number of steps that were made, as a schedule is.
        state: torch's names of the state -> the optimizer's own.
        accuracy: what half types are computed in, as for :func:`oracle.check`; by default ``opmath``, and
            ``storage`` for torch's own optimizers, which round between operations.
        strict: accept the truth alone, and not what torch is known to do instead, or optax.
        raises: raise AssertionError on leaving where something was wrong, or where nothing was judged.
        records: a file for one line of JSON for each parameter at each step that is looked at.
        seed: of the choice of elements.

    Raises:
        ValueError: no op of this name, or one whose steps cannot be judged by themselves.
        TypeError: something that is no optimizer.
        AssertionError: on leaving, as said above.
    """
    is_update = callable(optimizer) and not hasattr(optimizer, "param_groups")
    if not is_update and not all(hasattr(optimizer, name) for name in ("param_groups", "state", "step")):
        raise TypeError("optimizer needs param_groups, state and step, or to be an update function, "
                        f"got a {type(optimizer).__name__}")
    if every < 1 or elements < 1:
        raise ValueError(f"every and elements need to be at least 1, got {every} and {elements}")
    if accuracy not in (None, "storage", "opmath"):
        raise ValueError(f"accuracy needs to be 'storage' or 'opmath', got {accuracy!r}")
    spec = _spec(optimizer, as_)
    kind = type(optimizer)
    own = kind.__module__.startswith("torch.optim.")
    target = "optax" if is_update else "torch" if own else f"{kind.__module__}.{kind.__qualname__}"
    plan = Plan(spec, every, elements, seed, accuracy, strict, None if records is None else Path(records), target, own)
    if is_update:
        from .update import UpdateWatch

        return UpdateWatch(optimizer, plan, options, state, raises)
    names = named(named_parameters)
    return Watch(optimizer, plan, lambda: list(slots_of(optimizer, spec, names, state, options)), raises)


def _spec(optimizer: Any, as_: str | None) -> OptimSpec:
    """The op that an optimizer is to be."""
    known = {name.lower(): spec for name, spec in registry.specs().items() if isinstance(spec, OptimSpec)}
    names = [as_] if as_ is not None else [base.__name__ for base in type(optimizer).__mro__]
    spec = next((known[name.lower()] for name in names if name.lower() in known), None)
    if spec is None:
        raise ValueError(f"say with as_= which op it is: {names[0]!r} is none; there are "
                         f"{', '.join(one.name for one in known.values())}")
    if spec.optimizer.step is not Optimizer.step:
        raise ValueError(f"{spec.name} evaluates its closure many times in a step: such steps are not judged")
    return spec


class Watch:
    """The context in which an optimizer is watched."""

    def __init__(self, optimizer: Any, plan: Plan, slots: Callable[[], list[Slot]], raises: bool) -> None:
        self._optimizer, self._slots, self._raises = optimizer, slots, raises
        self._watched = Watched(plan)
        self._active = self._inside = self._due = False
        self._before: Any = None  #: what the optimizer had in the place of the step that is put there
        self._hook: Any = None

    def __enter__(self) -> Watched:
        optimizer = self._optimizer
        self._active, self._before = True, vars(optimizer).get("step")
        self._step = optimizer.step
        optimizer.step = self._own = MethodType(self._made_step(), optimizer)
        if hasattr(optimizer, "register_step_pre_hook"):  # behind hooks that clip gradients
            self._hook = optimizer.register_step_pre_hook(self._look)
        return self._watched

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._active = False
        if self._hook is not None:
            self._hook.remove()
        if vars(self._optimizer).get("step") is self._own:  # else a scheduler wraps it, and it only passes on
            if self._before is None:
                del self._optimizer.step
            else:
                self._optimizer.step = self._before
        finish(self._watched, self._raises and kind is None)

    def _made_step(self) -> Callable[..., Any]:
        """The step with a count of it; one that is made within a step belongs to that."""
        watched, step = self._watched, self._step

        @wraps(step)  # a scheduler looks for marks of its own on it
        def counted(_: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._active or self._inside or not watched.is_due():
                return step(*args, **kwargs)
            return self._looked_at(*args, **kwargs)

        return counted

    def _looked_at(self, *args: Any, **kwargs: Any) -> Any:
        self._inside = self._due = True
        try:
            if self._hook is None and not (args or kwargs.get("closure")):
                self._look()
            result = self._step(*map(self._seen, args), **{name: self._seen(one) for name, one in kwargs.items()})
        finally:
            self._inside = self._due = False
        self._watched.after(self._slots())
        return result

    def _look(self, _: Any = None, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = _NOTHING) -> None:
        """Before the step, once; with a closure when that has set the gradients."""
        if self._due and not any(map(callable, (*args, *kwargs.values()))):
            self._due = False
            self._watched.before(self._slots())

    def _seen(self, closure: Any) -> Any:
        """A closure behind which is looked."""
        if not callable(closure):
            return closure

        def seen() -> Any:
            loss = closure()
            self._look()
            return loss

        return seen

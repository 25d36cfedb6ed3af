"""Loss modules with the names and constructor arguments of ``torch.nn``, made from a loss's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ..reduction import translate

__all__ = ["LossModule", "module_class"]

_OLDER = ("size_average", "reduce")


class LossModule:
    """A loss whose settings are kept: called with inputs and targets, it calls the loss's function.

    Settings are attributes. The older ``size_average`` and ``reduce`` become ``reduction`` at once.
    """

    function: ClassVar[Callable[..., Any]]
    defaults: ClassVar[Mapping[str, Any]]  #: the settings that the constructor takes, with defaults, in torch's order
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        size_average, reduce = (bound.arguments.pop(name, None) for name in _OLDER)
        if size_average is not None or reduce is not None:
            bound.arguments["reduction"] = translate(size_average, reduce)
        self.__dict__.update(bound.arguments)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The loss of these inputs under the module's settings."""
        parameters = inspect.signature(self.function).parameters.values()
        required = inspect.Signature([p for p in parameters if p.default is p.empty])
        return self.function(**required.bind(*inputs, **named).arguments, **self.settings())

    __call__ = forward

    def settings(self) -> dict[str, Any]:
        """The keyword arguments that every call hands to the function."""
        return {name: getattr(self, name) for name in self.defaults if name not in _OLDER}

    def __repr__(self) -> str:
        changed = [f"{k}={v!r}" for k, v in self.settings().items() if repr(v) != repr(self.defaults[k])]
        return f"{type(self).__name__}({', '.join(changed)})"


def module_class(name: str, function: Callable[..., Any], *, keyword_only: bool = False,
                 **defaults: Any) -> type[LossModule]:
    """The class of this name in ``torch.nn``, with these settings; they are given by name alone on request.

    It lives in the module of the loss's function, and has to be bound there to its name.
    """
    kind = inspect.Parameter.KEYWORD_ONLY if keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(setting, kind, default=default)
                                   for setting, default in defaults.items()])
    summary = f"The module form of :func:`{function.__name__}`, with the arguments of ``torch.nn.{name}``."
    return type(name, (LossModule,), {
        "function": staticmethod(function), "defaults": defaults, "__signature__": signature,
        "__module__": function.__module__, "__doc__": f"{summary}\n\n{inspect.getdoc(function)}"})

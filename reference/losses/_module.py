"""Loss modules with the names and constructor arguments of ``torch.nn``, made from specs."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from ..reduction import translate
from ..spec import LossSpec

__all__ = ["LossModule", "module_class"]

_LEGACY = ("size_average", "reduce")


class LossModule:
    """A loss whose settings are kept: called with inputs and targets, it calls the loss's function.

    Settings are attributes. The older ``size_average`` and ``reduce`` become ``reduction`` at once.
    """

    spec: ClassVar[LossSpec]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        size_average, reduce = (bound.arguments.pop(name, None) for name in _LEGACY)
        if size_average is not None or reduce is not None:
            bound.arguments["reduction"] = translate(size_average, reduce)
        self.__dict__.update(bound.arguments)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The loss of these inputs under the module's settings."""
        parameters = inspect.signature(self.spec.function).parameters.values()
        required = inspect.Signature([p for p in parameters if p.default is p.empty])
        return self.spec.function(**required.bind(*inputs, **named).arguments, **self.settings())

    __call__ = forward

    def settings(self) -> dict[str, Any]:
        """The keyword arguments that every call hands to the function."""
        return {name: getattr(self, name) for name in self.__signature__.parameters if name not in _LEGACY}

    def __repr__(self) -> str:
        defaults = self.spec.module_arguments
        changed = [f"{k}={v!r}" for k, v in self.settings().items() if repr(v) != repr(defaults[k])]
        return f"{type(self).__name__}({', '.join(changed)})"


def module_class(spec: LossSpec, *, keyword_only: bool = False) -> type[LossModule]:
    """The class that ``torch.nn`` has under ``spec.module``, with settings that are given by name alone on request.

    It lives in the module of the loss's function, and has to be bound there to its name.
    """
    kind = inspect.Parameter.KEYWORD_ONLY if keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, default=default)
                                   for name, default in spec.module_arguments.items()])
    summary = f"The module form of :func:`{spec.name}`, with the arguments of ``torch.nn.{spec.module}``."
    return type(spec.module, (LossModule,), {
        "spec": spec, "__signature__": signature, "__module__": spec.function.__module__,
        "__doc__": f"{summary}\n\n{inspect.getdoc(spec.function)}"})

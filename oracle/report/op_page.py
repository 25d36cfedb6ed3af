"""What there is to know of one op before it is checked: arguments, what cases vary, known rules, torch's defects."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator

from ..cases.selection import cases
from ..cases.spec import Axis, Spec
from ..dialects.table import dialects_of
from ..verdict.waivers import load

__all__ = ["op_page"]


def op_page(spec: Spec) -> str:
    """The page of an op, as text.

    >>> from oracle.cases.registry import specs
    >>> print(op_page(specs()["mse_loss"]).partition("Axes")[0].rstrip())
    mse_loss: torch.nn.functional.mse_loss, torch.nn.MSELoss
    <BLANKLINE>
    Arguments
      input
      target
      size_average = None
      reduce = None
      reduction = 'mean'
      weight = None
    """
    parts = [[f"{spec.name}: {', '.join(spec.torch_names)}"], ["Arguments", *_arguments(spec)],
             ["Axes of the cases, the default first (--mode NAME=VALUE,… keeps some)", *map(_describe_axis, spec.axes)],
             ["Cases", f"  {', '.join(f'{len(cases(spec, dtype)):,} in {dtype}' for dtype in spec.dtypes)}"]]
    rules = [f"  {dialect.name}: {dialect.title} ({dialect.used_by})" for dialect in dialects_of(spec.name)]
    defects = [f"  {waiver.name}: {_first_sentence(waiver.reason)}" for waiver in load() if waiver.concerns(spec.name)]
    parts += [["Known other rules, which a check names", *rules]] if rules else []
    parts += [["Known disagreements of torch and of others (oracle defects has more)", *defects]] if defects else []
    return "\n\n".join("\n".join(part) for part in parts)


def _arguments(spec: Spec) -> Iterator[str]:
    for parameter in inspect.signature(spec.implementation).parameters.values():
        has_default = parameter.default is not inspect.Parameter.empty
        yield f"  {parameter.name} = {parameter.default!r}" if has_default else f"  {parameter.name}"


def _describe_axis(axis: Axis) -> str:
    about = f"  ({axis.about})" if axis.about else ""
    return f"  {axis.name}: {', '.join(map(str, axis.values))}{about}"


def _first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence.

    >>> _first_sentence("It keeps eps=1e-8. in float16. Why?")
    'It keeps eps=1e-8. in float16.'
    """
    words = text.split()
    for i, (word, following) in enumerate(itertools.pairwise(words)):
        if word.endswith(".") and following[:1].isupper():
            return " ".join(words[:i + 1])
    return " ".join(words)

"""Judges a step: parameters that have one rule, one count and one set of options are judged by one proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..cases.spec import OptimSpec
from ..formats import FORMATS
from ..truth.evaluate import Partial
from ..truth.proof import Truth
from ..truth.step import PARAM, Before, StepCase, prove_step, step_case
from ..ulp import numpy_dtype
from ..verdict.compare import Finding, Verdict, compare
from .looking import GRADIENT, Look, members

__all__ = ["Unit", "at_rest", "changed_gradient", "units"]

Array = np.ndarray[Any, Any]

_ARRAYS = ("hi", "lo", "bound", "precise", "special")  #: of a truth; its scale is that of each parameter by itself


@dataclass(frozen=True)
class Unit:
    """Parameters behind one another in one line, and what the step made of them."""

    spec: OptimSpec
    looks: tuple[Look, ...]
    after: tuple[Mapping[str, Any], ...]
    accuracy: str

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that all of them have."""
        return self.looks[0].slot.options

    @property
    def dtype(self) -> str:
        """The type of all parameters."""
        return self.looks[0].dtype

    @cached_property
    def before(self) -> Before:
        """All of them as one parameter."""
        first = self.looks[0]
        if len(self.looks) == 1:
            grad: Any = first.grad
            state = first.state
        else:
            grad = np.concatenate([look.grad for look in self.looks])  # dense ones
            state = {name: np.concatenate([look.state[name] for look in self.looks]) if name in first.lines else value
                     for name, value in first.state.items()}
        data = np.concatenate([look.values[PARAM] for look in self.looks]) if len(self.looks) > 1 else (
            first.values[PARAM])
        return Before(data, grad, state, self.options)

    def only(self, members: Sequence[int]) -> Unit:
        """Some of its parameters."""
        return replace(self, looks=tuple(self.looks[i] for i in members), after=tuple(self.after[i] for i in members))

    def case(self, spec: OptimSpec | None = None, **changes: Any) -> StepCase:
        """The case of this step; of another rule, or from something else than what was there."""
        return step_case(spec or self.spec, self.dtype, replace(self.before, **changes))

    @cached_property
    def truths(self) -> Mapping[str, Truth]:
        """Truth and bound of the op's own rule."""
        return prove_step(self.case(), self.accuracy)

    def findings(self, case: StepCase | None = None) -> list[list[Finding]]:
        """What is found of each parameter; that a state is not there is none, as its name may be another's.

        Raises:
            Undecided: a branch of the rule is open on these numbers.
        """
        truths = self.truths if case is None else prove_step(case, self.accuracy)
        found = []
        for (look, part), after in zip(members(self.looks), self.after, strict=True):
            own = {name: _cut(truth, part) if name in look.lines or (name not in look.values and _is_line(truth, self))
                   else truth for name, truth in truths.items()}
            own = {name: _alone(truth) for name, truth in own.items()}
            got = {name: _as_asked(after[name], own[name], new=name not in look.values) for name in own
                   if name in after}
            found.append(compare(Partial(got), own))
        return found


def units(spec: OptimSpec, looks: Sequence[Look], after: Sequence[Mapping[str, Any]],
          accuracy: str | None, own: bool) -> Iterator[Unit]:
    """Those that a step changes, together where they are alike.

    Args:
        accuracy: what half types are computed in; by default ``storage`` for torch's own, which round between
            operations, as in an audit, and ``opmath`` for others, as in a check.
        own: is the implementation torch's own?
    """
    alike: dict[Any, list[int]] = {}
    for i, look in enumerate(looks):
        if not (look.rests or look.unjudged):
            alike.setdefault(_key(spec, look, i), []).append(i)
    for chosen in alike.values():
        yield Unit(spec, tuple(looks[i] for i in chosen), tuple(after[i] for i in chosen),
                   accuracy or ("storage" if own else "opmath"))


def _key(spec: OptimSpec, look: Look, i: int) -> Any:
    """Equal for looks that one proof serves."""
    if not spec.elementwise or look.sparse is not None:
        return i
    state = [(name, str(value.dtype) if name in look.lines else np.asarray(value).tobytes())
             for name, value in look.state.items()]
    return look.dtype, look.slot.variant, repr(look.slot.options), str(look.values[GRADIENT].dtype), tuple(state)


def _is_line(truth: Truth, unit: Unit) -> bool:
    """Is it made of one number for each element of the line? Of state that was not there before the step."""
    return unit.spec.elementwise and truth.hi.ndim == 2 and truth.hi.shape[1] == sum(
        len(look.places) for look in unit.looks)


def _cut(truth: Truth, part: slice) -> Truth:
    """The part of a truth that is one parameter's."""
    return replace(truth, scale=truth.scale[:, part], **{name: getattr(truth, name)[:, part] for name in _ARRAYS})


def _alone(truth: Truth) -> Truth:
    """A truth whose scale is that of its own numbers."""
    if truth.discrete or not truth.hi.size:
        return truth
    sizes = np.where(np.isfinite(truth.hi), np.abs(truth.hi), 0.0)
    return replace(truth, scale=np.full(truth.hi.shape, max(sizes.max(), FORMATS[truth.dtype].tiny)))


def _as_asked(value: Any, truth: Truth, new: bool) -> Array:
    """What was found after the step, with an axis of steps; a count in the type in which the reference counts.

    State that is made in this step may be of a wider type than the reference makes it.
    """
    array = np.asarray(value)[None]
    if truth.discrete:
        return array.astype(truth.hi.dtype)
    return array.astype(numpy_dtype(truth.dtype)) if new and array.dtype.kind in "fV" else array


def at_rest(look: Look, after: Mapping[str, Any]) -> list[Finding]:
    """What a step changed of a parameter that it had to leave alone: one without a gradient."""
    why = "found_inf was set" if look.slot.rests else "it had no gradient"
    found = [_unequal(name, look.values[name], after[name], f"{why}, and was changed")
             for name in look.values if name in after and name != GRADIENT]
    return [one for one in found if one is not None] or [Finding(PARAM, Verdict.EXACT)]


def changed_gradient(look: Look, after: Mapping[str, Any]) -> list[Finding]:
    """What a step changed of a gradient; one that was scaled may be divided in its place."""
    if look.slot.scale != 1 or GRADIENT not in look.values or GRADIENT not in after:
        return []
    found = _unequal(GRADIENT, look.values[GRADIENT], after[GRADIENT], "the step changed p.grad")
    return [] if found is None else [found]


def _unequal(name: str, before: Any, after: Any, note: str) -> Finding | None:
    """The first element that is not what it was, to the last bit."""
    old, new = np.asarray(before), np.asarray(after)
    if old.shape == new.shape and old.tobytes() == new.tobytes():
        return None
    if old.shape != new.shape or old.dtype != new.dtype:
        return Finding(name, Verdict.EXCEEDS, np.inf, np.inf, note=note)
    bits = [np.ascontiguousarray(a).reshape(-1).view(np.uint8).reshape(a.size, -1) for a in (old, new)]
    place = int(np.flatnonzero(np.any(bits[0] != bits[1], axis=1))[0])
    index = tuple(int(i) for i in np.unravel_index(place, old.shape))
    return Finding(name, Verdict.EXCEEDS, np.inf, np.inf, (0, *index), float(new[index]), float(old[index]), 0.0, note)


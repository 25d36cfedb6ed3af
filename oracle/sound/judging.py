"""``assert_sound``: an answer to inputs that somebody has at hand, judged by its proven bound."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..cases.case import leaves
from ..cases.spec import InitSpec, LossSpec, OptimSpec
from ..verdict.compare import Finding, Verdict, judge, tally
from .arrays import as_numpy, storage_of
from .causes import Following, followed
from .draws import judge_initializer
from .given import Given, given_loss, named_spec
from .sampling import Sample, sampled
from .soundness import OutputVerdict, Soundness, failure
from .truths import WHOLE, NotJudged, settled, truths_of

__all__ = ["Judgement", "NotJudgedWarning", "assert_sound", "judge_arrays"]

Array = np.ndarray[Any, Any]


class NotJudgedWarning(UserWarning):
    """Some elements of an answer could not be judged: nothing was said of them."""


def assert_sound(op: str, got: Any = None, *, grad_output: Any = None, gradients: Mapping[str, Any] | None = None,
                 accuracy: str = "storage", strict: bool = False, **arguments: Any) -> Soundness:
    """Raise AssertionError unless an answer, and gradients of it, are what a sound implementation may give.

    Arrays are those of NumPy, torch, JAX or any other that NumPy can read, on any device. Nothing is run but the
    reference: each element is judged by the exact value for these inputs, and by a bound that is derived from them.

    Args:
        op: torch's name of a loss, such as ``"cross_entropy"``, or of an initializer, such as ``"xavier_uniform_"``.
        got: the answer of a loss (None to judge gradients alone), or the array that an initializer has filled.
        grad_output: the gradient from above, which gradients of a loss were computed with: 1 by default, where the
            loss is one number.
        gradients: gradients of a loss, by the name of the argument.
        accuracy: what half types have to be computed in. ``storage``: each operation may be rounded to the type;
            ``opmath``: in float32, and rounded once.
        strict: is what torch is known to do instead unsound too? By default it is accepted, and the result says so.
        arguments: of the loss, by torch's names: arrays and options. Of an initializer its options.

    Returns:
        How many elements were judged, of how many, the largest error in ULP and the largest share of the bound.
        Arrays of up to two million elements are judged whole; of more a sample where elements or rows are
        independent (:mod:`oracle.sound.sampling` says what that finds).

    Raises:
        AssertionError: the answer is not sound; the message says which element, by how much, and what the answer
            follows instead, where that is known.
        ValueError: no op or argument is called so, one is missing, a value or a shape is refused, or no bound can be
            had for so many elements.
        TypeError: what should be an array is none, or has no storage type.

    Warns:
        NotJudgedWarning: some elements could not be judged, because their bound says nothing.

    >>> x, y = np.array([[0.5, 2.0, -1.0]], np.float32), np.array([1])
    >>> loss = np.log(np.exp(x).sum(1)) - x[0, y]
    >>> found = assert_sound("cross_entropy", loss[0], input=x, target=y)
    >>> print(found)  # doctest: +ELLIPSIS
    cross_entropy in float32: sound; 1 of 1 elements judged, largest error ... ulp, largest share of the bound ...
    >>> found.share < 0.5
    True
    >>> assert_sound("cross_entropy", loss[0], input=x, target=y, label_smoothing=0.1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    AssertionError: cross_entropy(input=float32[1, 3], target=int64[1], label_smoothing=0.1) in float32 is not sound
    EXCEEDS output: 1 of 1 elements
      output[]: got 0.2413..., truth 0.391311297, bound 7.13376501e-07; ... ulp, ... of the bound
      output: takes label_smoothing and ignores it
    """
    __tracebackhide__ = True
    judgement = judge_arrays(op, got, grad_output=grad_output, gradients=gradients, accuracy=accuracy, strict=strict,
                             **arguments)
    if judgement.failure:
        raise AssertionError(judgement.failure)
    if judgement.soundness.unjudged:
        warnings.warn(f"{op}: not judged: {'; '.join(judgement.soundness.unjudged)}", NotJudgedWarning, stacklevel=2)
    return judgement.soundness


class Judgement:
    """What was found of arrays: a result, and the text of the failure where there is one."""

    def __init__(self, soundness: Soundness, failure: str, outputs: tuple[OutputVerdict, ...] = ()) -> None:
        self.soundness, self.failure, self.outputs = soundness, failure, outputs


def judge_arrays(op: str, got: Any = None, *, grad_output: Any = None, gradients: Mapping[str, Any] | None = None,
                 accuracy: str = "storage", strict: bool = False, **arguments: Any) -> Judgement:
    """What :func:`assert_sound` finds, without raising for an unsound answer. Arguments and errors are the same."""
    __tracebackhide__ = True
    if accuracy not in ("storage", "opmath"):
        raise ValueError(f"accuracy needs storage or opmath; {accuracy!r} came")
    spec = named_spec(op)
    if got is None and not gradients:
        raise TypeError(f"{op} needs an answer to judge: got, or gradients")
    if isinstance(spec, InitSpec):
        soundness, text = judge_initializer(spec, as_numpy("got", got), arguments)
        return Judgement(soundness, text)
    if isinstance(spec, OptimSpec):
        raise ValueError(f"op needs a loss or an initializer; {op} is an optimizer, whose steps oracle.watch judges")
    assert isinstance(spec, LossSpec)
    case = given_loss(spec, arguments, grad_output, gradients=bool(gradients))
    outputs = _outputs_of(case, got, gradients or {})
    sample_of = sampled(case, outputs) if case.size > WHOLE else None
    if sample_of is None:
        return _judge(case, outputs, accuracy, strict, None)
    return _judge(sample_of.case, sample_of.outputs, accuracy, strict, sample_of)


def _outputs_of(case: Given, got: Any, gradients: Mapping[str, Any]) -> dict[str, Array]:
    """Somebody's outputs by the names that truths have; their dtypes and shapes are judged later."""
    outputs = {}
    wanted = dict(leaves("output", case.result))
    if got is not None:
        given = tuple(got) if isinstance(case.result, tuple) and isinstance(got, tuple | list) else (got,)
        if len(given) != len(wanted):
            raise ValueError(f"got needs {', '.join(wanted)}; {len(given)} arrays came")
        outputs = {name: as_numpy("got", one) for name, one in zip(wanted, given, strict=True)}
    known = dict.fromkeys(case.differentiated) if gradients else {}
    for argument, value in gradients.items():
        for path, one in leaves(argument, tuple(value) if isinstance(value, list) else value):
            if path not in known:
                raise ValueError(f"gradients has {path!r}, which has no gradient here; those with one are "
                                 f"{', '.join(known) or 'none'}")
            outputs[f"grad.{path}"] = as_numpy(f"gradients[{path!r}]", one)
    for name, array in outputs.items():
        storage_of(name, array)
    return outputs


def _judge(case: Given, outputs: dict[str, Array], accuracy: str, strict: bool, sample: Sample | None) -> Judgement:
    """The verdict on each output, and on all."""
    truths = truths_of(case, accuracy)
    if isinstance(case.spec, LossSpec):
        truths = settled(case, accuracy, outputs, truths)
    found = []
    for name, array in outputs.items():
        finding = judge(name, array, truths[name])
        of = array.size if sample is None else _size(array, sample)
        region = _region(array, finding, truths[name], sample) if finding.verdict.disagrees else ""
        if sample is not None and finding.index is not None:
            finding = replace(finding, index=sample.index(finding.index))
        found.append(OutputVerdict(finding, tally(array, truths[name]), of, region))
    wrong = [one.name for one in found if one.finding.verdict.disagrees]
    causes: list[Following] = []
    if wrong and all(outputs[name].shape == truths[name].hi.shape for name in wrong):
        causes = followed(case, outputs, wrong, accuracy)
    known = [cause for cause in causes if cause.waiver is not None]
    accepted = not strict and set(wrong) == {name for cause in known for name in cause.outputs}
    shared = dict.fromkeys(cause.waiver.name for cause in known if cause.waiver) if wrong and accepted else {}
    text = "" if not wrong or accepted else failure(case.id, found, causes, strict=strict)
    if not wrong and not any(one.judged for one in found) and any(one.of for one in found):
        raise NotJudged(f"{case.id}: nothing can be judged: {found[0].finding.note}")
    return Judgement(Soundness.of_outputs(case.spec.name, case.dtype, found, tuple(shared)), text,
                     tuple(found))


def _size(array: Array, sample: Sample) -> int:
    """How many elements there are, of which a sample has some."""
    return array.size // max(len(sample.at), 1) * int(np.prod(sample.shape)) if len(sample.at) else array.size


def _region(array: Array, finding: Finding, truth: Any, sample: Sample | None) -> str:
    """Where the wrong elements lie, where that is less than everywhere: between which indices of each axis."""
    if finding.index is None or array.ndim == 0 or finding.verdict is Verdict.CRASHED:
        return ""
    with np.errstate(all="ignore"):
        error = np.abs((array.astype(np.float64) - truth.hi) - truth.lo)
        places = np.argwhere(~(error <= truth.bound) & ~(truth.special & (error != error)))
    if sample is not None:
        places = np.array([sample.index(tuple(p)) for p in places[:10_000]])
    if not len(places):
        return ""
    low, high = places.min(0), places.max(0)
    if sample is None and not low.any() and tuple(high + 1) == array.shape:
        return ""
    return f"in [{', '.join(str(a) if a == b else f'{a}..{b}' for a, b in zip(low, high, strict=True))}]"

"""Which cases feel a change in a module that ops share: those that call what is changed."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..cases import registry
from ..cases.case import Case
from ..cases.spec import LossSpec, OptimSpec
from ..checking.choice import in_order
from ..truth.evaluate import FLOATS, evaluate
from ..truth.kept_truths import proven_anew
from ..truth.proof import effort
from . import shared_code

__all__ = ["Callers", "CallersOf", "callers_of", "make_inputs"]

#: Mutants of shared modules are tried on so many cases of each op in float32 and in each other type, those first that
#: tell most; on no trajectory of more steps, as the first ones call what the others call.
RUNS, OTHER_RUNS, STEPS = 120, 60, 10

#: Behind them on so many in surroundings of each kind, the largest: they have more blocks.
AROUND = 2

#: They are planted in so many proofs, of the first ones of each op that are of no more effort.
ALL_PROOFS, PROOFS, PROOF_EFFORT = 20, 6, 100

#: By function the cases that were found to call it: is it another type than float32, the case's rank, its id.
_Found = dict[shared_code.Place, list[tuple[bool, int, str]]]


@dataclass(frozen=True)
class Callers:
    """The ids of cases that call a function, in the order to try them."""

    runs: Sequence[str]  #: the reference calls it on these
    proofs: Sequence[str]  #: and in the proofs of these


CallersOf = Mapping[shared_code.Place, Callers]


def callers_of(modules: Sequence[str]) -> dict[str, CallersOf]:
    """For each of some modules the cases that call each function that a mutant is felt by; ops take turns."""
    runs: _Found = defaultdict(list)
    proofs: _Found = defaultdict(list)
    for op in sorted({op for module in modules for op in shared_code.ops_of(module)}):
        for dtype in registry.get(op).dtypes:
            shipped, single = in_order(op, [dtype]), dtype == "float32"
            bare = [case for case in shipped if not case.around and _steps(case) <= STEPS]
            tried = [*bare[:RUNS if single else OTHER_RUNS], *_some_of_each_kind(shipped)]
            _note_calls(runs, tried, partial(evaluate, lift=FLOATS))
            if single:
                cheap = [case for case in shipped if not case.around and effort(case) <= PROOF_EFFORT]
                _note_calls(proofs, cheap[:PROOFS], proven_anew)
    return {module: {place: Callers(_ids(runs[place]), _ids(proofs[place])[:ALL_PROOFS]) for place in _felt(module)}
            for module in modules}


def _some_of_each_kind(shipped: Iterable[Case]) -> list[Case]:
    """Cases in each kind of surroundings, the largest of each kind."""
    found: dict[Any, list[Case]] = defaultdict(list)
    for case in sorted(shipped, key=effort, reverse=True):  # a stable sort
        if case.around:
            found[_kind(case)].append(case)
    return [case for cases in found.values() for case in cases[:AROUND]]


def _kind(case: Case) -> Any:
    """What its surroundings are, whatever the numbers are, the array that lies so, or the option."""
    parts = {name: value.partition(":")[0] for name, value in case.around.parts.items() if name != "tensors"}
    axes = len(case.around.shape)
    return axes, bool(case.around.tensors), case.options.get("reduction"), *(parts | {"size": ""}).values()


def _felt(module: str) -> set[shared_code.Place]:
    """The functions of which a case has to call one to feel some mutant of a module."""
    return {place for mutant in shared_code.shared_mutants(module) for place in shared_code.feel(mutant)}


def _ids(found: list[tuple[bool, int, str]]) -> list[str]:
    return [case_id for *_, case_id in sorted(found)]


def _steps(case: Case) -> int:
    return len(case.inputs.gradients) if isinstance(case.spec, OptimSpec) else 1


def _note_calls(found: _Found, tried: Sequence[Case], run: Callable[[Case], object]) -> None:
    """Run cases, and note for each function that one of them calls its rank among those of all ops."""
    for rank, case in enumerate(tried):
        make_inputs(case)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for place in shared_code.called(partial(run, case)):
                found[place].append((case.dtype != "float32", rank, case.id))


def make_inputs(case: Case) -> None:
    """Make a case's inputs now: that takes calls of the references too, which are not to be noted, or changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = case.inputs
        if isinstance(case.spec, LossSpec):
            _ = case.grad_output

"""One case in full: inputs, truth, answers, the bound and where it comes from, verdicts, a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..auditing.judge import run_case
from ..auditing.words import figure, three_lines
from ..cases.case import Case, parse
from ..cases.spec import LossSpec, Trajectory
from ..cases.surroundings.memory import LAYOUTS
from ..formats import FORMATS
from ..targets.loading import Target, TargetError, Unsupported, load
from ..targets.script import reproduce
from ..truth.around import is_whole
from ..truth.kept_truths import truth_of
from ..truth.proof import SLACK, Truth
from ..verdict import waivers as waiver_records
from ..verdict.compare import Verdict, compare
from ..verdict.plain import plain
from .handed_in import HandedIn, handed_in, is_place

__all__ = ["explain", "explanation", "shown_inputs"]

Array = np.ndarray[Any, Any]

_OUTPUTS = 40  #: outputs that are shown

ROWS = 8  #: elements of an output that are shown: those with the largest share of the bound


def explain(case_id: str, targets: Sequence[str] = (), *, device: str = "cpu", framework: str = "torch") -> str:
    """Everything about one case, as text: what ``oracle explain`` prints.

    Args:
        case_id: as records and tests show it, e.g. ``"mse_loss/float32/reduction=sum"``.
        targets: targets to show beside the reference; ``torch:eager`` where none is named. The place of an
            implementation, ``"pkg.module:attribute"`` or ``"path/file.py:attribute"``, is one too.
        device: device of the torch targets.
        framework: whose arrays implementations at a place take.

    Raises:
        BadCaseError: no case is called so.
        TargetError: a target that is not there, or that has no meaning for the op.
    """
    case = parse(case_id)
    places = [name for name in targets if is_place(name)]
    names = [name for name in targets if name not in places]
    wanted = load(["reference", *(names or ([] if places else ["torch:eager"]))], device)
    shown = [target for target in wanted if target.covers(case.spec)]
    others = [target.name for target in wanted if not target.covers(case.spec)]
    if names and others:
        raise TargetError(f"{others[0]} has no meaning for {case.spec.name}")
    with ExitStack() as stack:
        given = [stack.enter_context(handed_in(place, case.spec.name, framework=framework, device=device))
                 for place in places]
        return explanation(case, [*shown, *given], accuracy="opmath" if given else "storage")


def explanation(case: Case, targets: Sequence[Target], accuracy: str = "storage") -> str:
    """The text that explains a case, with the answers of some targets."""
    return "\n".join([*_explain_case(case), *shown_inputs(case), *_explain_bound(case),
                      *_show_answers(case, targets, accuracy), *_show_verdicts(case, targets),
                      *_show_scripts(case, targets)])


def _explain_case(case: Case) -> Iterator[str]:
    yield f"{case.id}\n{'=' * len(case.id)}\n{case.spec.torch_names[0]} in {case.dtype}"
    yield from _explain_surroundings(case)
    yield "\nInputs"


def _explain_surroundings(case: Case) -> Iterator[str]:
    around, event = case.around, case.around.happening
    if around:
        yield f"\nSurroundings: {around}"
    if case.laid_out:
        yield f"  the elements of {case.base.id} are laid out over more; the truth of each is looked up"
    if is_whole(case):
        yield "  each term is a small whole number, so that every partial sum is exact in every order: the bound holds"
        yield "  the operations behind the sum, and nothing for the sum itself"
    if around.memory:
        layout, _, role = around.memory.partition(":")
        yield f"  in memory {role or 'each array'} is {LAYOUTS[layout].said}; what lies beside it has to stay as it is"
    if event is not None:
        yield f"  {event.said.replace('an option', around.option or 'an option')}"
    if around.threads:
        yield f"  {around.threads} threads, where that can be told to the target"


def shown_inputs(case: Case) -> Iterator[str]:
    """The inputs of a case in lines of text; of long arrays and trajectories the beginning and the end."""
    if isinstance(case.inputs, Trajectory):
        yield from _show_trajectory(case.inputs)
    else:
        yield from (f"  {name} = {_show_value(value)}" for name, value in case.inputs.items())
    if isinstance(case.spec, LossSpec):
        yield f"  gradient from above = {_show_value(case.grad_output)}"


def _show_trajectory(trajectory: Trajectory) -> Iterator[str]:
    for i, group in enumerate(trajectory.groups):
        yield f"  group {i} {dict(group.options) or ''}"
        yield from (f"    param: {_show_value(p)}" for p in group.params[:ROWS])
        if len(group.params) > ROWS:
            yield f"    and {len(group.params) - ROWS:,} more"
    yield f"  arguments: {dict(trajectory.defaults)}"
    for step, gradients in enumerate(trajectory.gradients[:3]):
        yield f"  gradients of step {step + 1}: {', '.join(map(_show_value, gradients[:ROWS]))}"
    more = len(trajectory.gradients) - 3
    if more > 0:
        yield f"  and {more} more steps; the script below has all"
    objective = trajectory.objective
    if objective is None:
        return
    for value, slopes in objective.answers:
        yield f"  an evaluation gives {_show_value(value)}, and gradients {', '.join(map(_show_value, slopes))}"
    if objective.blocks:
        yield f"  objective: g·θ + |Aθ - b|² / 2 + {objective.quartic} Σθ⁴ / 4, with"
        yield from (f"    columns of A: {_show_value(block)}" for block in objective.blocks)
        yield f"    b: {_show_value(objective.target)}"


def _show_value(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    numbers = np.array2string(value.astype(np.float64) if value.dtype.kind == "V" else value, separator=", ",
                              precision=9, threshold=40)
    return f"{value.dtype.name}{value.shape} {numbers}".replace("\n", "\n      ")


def _in_short(array: Array) -> str:
    """The numbers of an array; of a long one how many, and its first ones."""
    flat = array.reshape(-1).tolist()
    return str(array.tolist()) if len(flat) <= 4 * ROWS else f"{len(flat):,} numbers {flat[:ROWS]} ..."


def _explain_bound(case: Case) -> Iterator[str]:
    bits = FORMATS[case.dtype].bits
    charge = "one unit" if bits >= 24 else "half a unit"
    yield f"""
Where the bound comes from
  The reference is run on balls, and each operation is charged with {charge} in the last place
  of {case.dtype} ({bits} bits; scalar arguments: 53, additions within a sum: {max(bits, 24)}). In the end each
  ball holds whatever a straightforward evaluation of this very case can give. The bound is the
  distance from the truth to its far end, and half a unit for the final rounding{_say_factor(SLACK)}.
  The truth is the same run at 200 bits or more with nothing charged."""


def _say_factor(factor: float) -> str:
    return "" if factor == 1 else f", times {factor:g}"


def _show_answers(case: Case, targets: Sequence[Target], accuracy: str) -> Iterator[str]:
    truths = truth_of(case, accuracy)
    answers: dict[str, Mapping[str, Array]] = {}
    for target in targets:
        try:
            answers[target.name] = target.run(case)
        except Exception as error:  # what it raised is the verdict below; the others are still shown
            yield f"\n{target.name} gave no answer: {plain(f'{type(error).__name__}: {error}')}"
    shown = list(truths.items())
    if len(shown) > _OUTPUTS:
        yield f"\n{_OUTPUTS} of {len(shown):,} outputs; the verdicts below are of all"
    for name, truth in shown[:_OUTPUTS]:
        yield f"\n{name}, shape {truth.hi.shape}"
        if truth.discrete:
            yield f"  has to equal {_in_short(truth.hi)}; " + "; ".join(
                f"{who} {_in_short(got[name])}" for who, got in answers.items() if name in got)
            continue
        yield from _show_elements(name, truth, answers)


def _show_elements(name: str, truth: Truth, answers: Mapping[str, Mapping[str, Array]]) -> Iterator[str]:
    if truth.hi.size == 0:
        yield "  empty"
        return
    digits = {53: 17, 24: 9, 11: 5, 8: 4}[FORMATS[truth.dtype].bits]  # enough to tell any two apart
    given = {who: got[name].astype(np.float64) for who, got in answers.items()
             if name in got and got[name].shape == truth.hi.shape}
    with np.errstate(all="ignore"):
        errors = {who: np.abs((value - truth.hi) - truth.lo) for who, value in given.items()}
        shares = [np.where(np.isnan(e), np.inf, e) / truth.bound for e in errors.values()]
        total = np.max(np.nan_to_num(shares), axis=0) if shares else np.zeros(truth.hi.shape)
    chosen = np.sort(np.argsort(-total, axis=None, kind="stable")[:ROWS])
    columns = ["index", "exact value", "bound", *given]
    yield f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"
    for flat in chosen:
        index = tuple(int(i) for i in np.unravel_index(flat, truth.hi.shape))
        unit = float(truth.unit[index])
        cells = [str(list(index)), repr(float(truth.hi[index])), f"{figure(float(truth.bound[index]) / unit)} ulp",
                 *(f"{float(value[index]):.{digits}g} ({figure(float(errors[who][index]) / unit)} ulp)"
                   for who, value in given.items())]
        yield f"| {' | '.join(cells)} |"
    if truth.hi.size > ROWS:
        yield f"\n({ROWS} of {truth.hi.size} elements, those with the largest shares of the bound)"


def _show_verdicts(case: Case, targets: Sequence[Target]) -> Iterator[str]:
    yield "\nVerdicts"
    waivers = waiver_records.load()
    for target in targets:
        record = target.record(case) if isinstance(target, HandedIn) else run_case(case, target, waivers)
        if Verdict(record.verdict).disagrees:
            yield "\n".join(f"  {line}" for line in three_lines(record)[:2])
        else:
            yield (f"  {target.name}: {record.verdict}, {figure(record.ulp)} ulp, {figure(record.share)} of the bound"
                   + (f"; {record.note}" if record.note else ""))
        if record.waiver:
            waiver = next(w for w in waivers if w.name == record.waiver)
            yield f"  waived as {waiver.name}: {waiver.reason} {waiver.link}"


def _show_scripts(case: Case, targets: Sequence[Target]) -> Iterator[str]:
    truths = truth_of(case)
    for target in targets:
        try:
            source = target.script(case)
        except Unsupported:  # the verdict says why
            continue
        except Exception as error:  # the rest is still to be shown
            yield f"\nNo script for {target.name}: {plain(f'{type(error).__name__}: {error}')}"
            continue
        if isinstance(target, HandedIn):
            yield f"\nScript for {target.name}, which needs nothing of this project\n\n{source}"
            continue
        try:
            findings = compare(target.run(case), truths)
        except Unsupported:
            continue
        except Exception as error:  # an answer is not needed for a script that shows the crash
            yield f"\n# {target.name} raises {type(error).__name__} here"
            findings = []
        yield f"\nScript for {target.name}, which needs torch and NumPy alone\n\n{reproduce(source, findings, truths)}"

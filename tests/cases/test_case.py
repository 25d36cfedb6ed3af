"""Cases: the id alone rebuilds them, they cover what they claim, and draws are sound."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from oracle.cases import registry
from oracle.cases.case import Case, parse, storage
from oracle.cases.covering import COSTLY
from oracle.cases.registry import BadCaseError, chosen_specs
from oracle.cases.selection import cases, select
from oracle.cases.spec import DTYPES, LossSpec, Spec, Trajectory
from oracle.truth.evaluate import answers
from oracle.ulp import numpy_dtype
from reference.optim import SparseGrad


def _arrays(inputs: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(inputs, Trajectory):
        gradients = [g for step in inputs.gradients for g in step if g is not None]
        objective = inputs.objective and [*inputs.objective.blocks, inputs.objective.target, *(
            array for value, slopes in inputs.objective.answers for array in (value, *slopes))]
        return [*(p for group in inputs.groups for p in group.params),
                *(a for g in gradients for a in ((g.indices, g.values) if isinstance(g, SparseGrad) else (g,))),
                *(a for a in objective or () if a is not None)]
    return [v for v in inputs.values() if isinstance(v, np.ndarray)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_id_alone_rebuilds_a_case(oracle_spec: Spec, dtype: str) -> None:
    if dtype not in oracle_spec.dtypes:
        pytest.skip(f"{oracle_spec.name} has no cases in {dtype}")
    for case in cases(oracle_spec, dtype)[::7]:
        again = parse(case.id)
        assert again.id == case.id
        assert dict(again.options) == dict(case.options)
        for a, b in zip(_arrays(case.inputs), _arrays(again.inputs), strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
        assert pickle.loads(pickle.dumps(case)).id == case.id


def test_ids_are_distinct() -> None:
    ids = [case.id for case in select()]
    assert len(set(ids)) == len(ids)


def test_floating_inputs_have_the_storage_type_and_are_read_only(oracle_spec: Spec) -> None:
    for dtype in oracle_spec.dtypes:
        for array in _arrays(cases(oracle_spec, dtype)[0].inputs):
            assert array.dtype == numpy_dtype(dtype) or array.dtype.kind in "iu"
            assert not array.flags.writeable


def _holds_together(spec: Spec, dtype: str, wanted: dict[str, Any]) -> bool:
    """Is there any allowed combination with these values? Tried over all values of every pair of other axes."""
    others = [axis for axis in spec.axes if axis.name not in wanted]
    for pair in [(), *itertools.combinations(others, min(2, len(others)))]:
        for values in itertools.product(*[axis.values for axis in pair]):
            row = {**spec.defaults, **dict(zip([a.name for a in pair], values, strict=True)), **wanted}
            if spec.allowed(row, dtype):
                return True
    return False


def test_every_allowed_pair_of_axis_values_is_in_a_case(oracle_spec: Spec) -> None:
    dtype = "float32"
    rows = [case.options for case in cases(oracle_spec, dtype)]
    for a, b in itertools.combinations(oracle_spec.axes, 2):
        seen = {(row[a.name], row[b.name]) for row in rows}
        for pair in itertools.product(a.values, b.values):
            wanted = {a.name: pair[0], b.name: pair[1]}
            spared = (pair[0] in a.costly and b.early) or (pair[1] in b.costly and a.early)
            assert pair in seen or spared or not _holds_together(oracle_spec, dtype, wanted), (
                f"{oracle_spec.name}: {wanted}")


def test_costly_values_are_in_few_cases_and_long_ones_are_asked_for() -> None:
    """What a long trajectory is to show depends on the rule's options, of which no axis has more than three or four."""
    for spec in chosen_specs(["optim"]):
        for dtype in spec.dtypes:
            shipped = cases(spec, dtype)
            costly = [case for case in shipped if any(case.options[axis.name] in axis.costly for axis in spec.axes)]
            assert len(costly) <= (4 if dtype == COSTLY else 2)
            known = {case.id for case in shipped}
            asked = [case for case in cases(spec, dtype, long=True) if case.id not in known and not case.around]
            assert [case.options["steps"] for case in asked] == ([2000] if dtype == "float32" else [])
            assert all(parse(case.id).options == case.options for case in asked)


def test_every_axis_is_needed_to_tell_two_draws_apart(oracle_spec: Spec) -> None:
    default = Case(oracle_spec, "float32", oracle_spec.defaults)
    again = Case(oracle_spec, "float32", oracle_spec.defaults, draw=1)
    assert again.id == f"{default.id}/1"
    if isinstance(oracle_spec, LossSpec):
        assert any(a.tobytes() != b.tobytes() for a, b in
                   zip(_arrays(default.inputs), _arrays(again.inputs), strict=True))


@pytest.mark.parametrize(("case_id", "message"), [
    ("mse_loss", "malformed case id 'mse_loss'; needed is OP/DTYPE/AXIS=VALUE"),
    ("mse_loss/float32/default/x", "malformed case id"),
    ("mse/float32/default", "unknown op 'mse'; known are .*mse_loss"),
    ("losses/float32/default", "unknown op 'losses .a kind, not an op.'"),
    ("mse_loss/float8/default", "unknown dtype 'float8' in .*mse_loss has float64, float32, float16, bfloat16"),
    ("mse_loss/float32/colour=red", "unknown axis 'colour'"),
    ("mse_loss/float32/reduction=max", "unknown value 'max' of axis 'reduction'.*it has mean, none, sum"),
    ("cross_entropy/float32/target=probs,ignore_index=all", "combines values that cross_entropy does not take"),
])
def test_a_bad_id_says_what_would_be_right(case_id: str, message: str) -> None:
    with pytest.raises(BadCaseError, match=message):
        parse(case_id)


def test_a_draw_that_the_storage_type_cannot_hold_is_an_error() -> None:
    with pytest.raises(OverflowError, match="draws 70000, which float16 cannot hold"):
        storage(np.array([7e4]), "float16")
    assert np.isinf(storage(np.array([np.inf]), "float16"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spec", registry.specs().values(), ids=registry.specs())
def test_what_is_allowed_beside_a_row_can_be_drawn(spec: Spec) -> None:
    """Cases of an implementation that refuses some values are made by putting others in their place.

    What takes long is drawn, and not evaluated: it has more steps of the same kind.
    """
    dtypes = {"float32", "bfloat16"}.intersection(spec.dtypes)
    beside = {tuple(options.values()): options for row in spec.extra for axis, values in spec.labels.items()
              for value in values.values() for options in [{**spec.defaults, **row, axis: value}]}
    costly = {(axis.name, value) for axis in spec.axes for value in axis.costly}
    costly |= {item for row in spec.long for item in row.items()}
    for dtype, options in itertools.product(sorted(dtypes), beside.values()):
        if not spec.allowed(options, dtype):
            continue
        case = Case(spec, dtype, options)
        with np.errstate(all="ignore"):
            assert case.inputs if costly & set(options.items()) else answers(case)


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(registry.specs()) >= 7
    assert len(select()) >= 1500

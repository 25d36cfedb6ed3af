"""What cannot stand in some surroundings is refused, and the message says why."""

from __future__ import annotations

import pytest

from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError, specs
from oracle.cases.spec import OptimSpec
from oracle.cases.surroundings.fitting import is_laid_out, other_options, settable


@pytest.mark.parametrize(("case_id", "said"), [
    ("mse_loss/float32/default@tensors=3", "a loss has arguments, and no number of tensors"),
    ("mse_loss/float32/default@event=load", "event=load happens to optimizers"),
    ("soft_margin_loss/float32/default@size=33", "soft_margin_loss has no size with these options"),
    ("mse_loss/float32/weight=random@size=33", "has a size with reduction=none, or with options that give whole"),
    ("cross_entropy/float32/reduction=none@size=3x5", "rows have a number, and no shape"),
    ("cross_entropy/float32/default@size=2x3x4", "a size of cross_entropy has 1 or 2 lengths here"),
    ("linear_cross_entropy/float32/default@size=33", "a size of linear_cross_entropy has 2 lengths here"),
    ("ctc_loss/float32/default@size=33", "ctc_loss has no size"),
    ("mse_loss/float32/default@size=33,memory=broadcast", "memory=broadcast needs a size, whose lines can be made"),
    ("uniform_/float32/default@tensors=3", "an initializer has one tensor, and no events"),
    ("eye_/float32/default@size=33", "a size of eye_ has 2 lengths"),
    ("trunc_normal_/float16/default@size=33", "trunc_normal_ has no size in float16"),
    ("orthogonal_/float32/default@size=16x17", "a size of orthogonal_ has no lengths"),
    ("Muon/float32/default@tensors=3", "the parameters of Muon are as its spec draws them"),
    ("Adam/float32/default@event=option", "event=option needs an option behind a colon"),
    ("Adam/float32/default@event=load:lr", "event=load has no option"),
    ("Adam/float32/default@event=option:steps", "'steps' is no option of Adam that can be another here"),
    ("Adam/float32/default@event=group:lr", "event=group needs layout=groups")])
def test_what_cannot_be_is_refused(case_id: str, said: str) -> None:
    with pytest.raises(BadCaseError) as refused:
        parse(case_id)
    assert said in str(refused.value)


def test_only_what_is_not_reduced_is_laid_out() -> None:
    mse = specs()["mse_loss"]
    assert is_laid_out(mse, {**mse.defaults, "reduction": "none"})
    assert not is_laid_out(mse, mse.defaults)
    adam = specs()["SparseAdam"]
    assert is_laid_out(adam, adam.defaults) == (adam.defaults.get("sparsity", "dense") == "dense")


def test_another_option_is_the_next_value_in_a_circle() -> None:
    spec = specs()["mse_loss"]
    values = next(axis.values for axis in spec.axes if axis.name == "weight")
    options = dict(spec.defaults)
    seen = []
    for _ in values:
        options = other_options(spec, options, "weight")
        seen.append(options["weight"])
    assert seen == [*values[1:], values[0]]


def test_what_is_read_once_is_settable_for_a_group_alone() -> None:
    for spec in specs().values():
        if isinstance(spec, OptimSpec) and spec.fixed:
            options = {**spec.defaults, "steps": 2}
            changing = settable(spec, options, "float32", "option")
            assert not set(spec.fixed) & set(changing)
            assert set(changing) <= set(settable(spec, options, "float32", "group"))

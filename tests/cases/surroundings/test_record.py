"""Surroundings in ids: they are read back as they were written, and what is none is refused."""

from __future__ import annotations

import pytest

from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError
from oracle.cases.selection import select
from oracle.cases.surroundings.events import EVENTS
from oracle.cases.surroundings.memory import LAYOUTS
from oracle.cases.surroundings.record import NOTHING, Surroundings, parse_surroundings

OPS = ("mse_loss", "cross_entropy", "linear_cross_entropy", "Adam", "LBFGS", "Muon", "xavier_uniform_")


@pytest.mark.parametrize("op", OPS)
def test_the_ids_of_shipped_cases_rebuild_them(op: str) -> None:
    found = [case for case in select([op], long=True) if case.around]
    assert found
    assert [parse(case.id).around for case in found] == [case.around for case in found]
    assert [parse(case.id).options for case in found] == [case.options for case in found]
    assert len({case.id for case in found}) == len(found)


@pytest.mark.parametrize("around", [
    Surroundings(size="3x5x7"), Surroundings(tensors="33"), Surroundings(memory="strided:gradient"),
    Surroundings(event="option:lr"), Surroundings(size="33", memory="reversed", event="load", threads="3")])
def test_texts_are_read_as_they_are_written(around: Surroundings) -> None:
    assert parse_surroundings(str(around)) == around
    assert around
    assert not NOTHING


@pytest.mark.parametrize(("text", "said"), [
    ("colour=red", "unknown surrounding 'colour'; there are size, tensors, beside, memory, event, threads"),
    ("size=", "size needs lengths of axes, such as 33 or 9x15, not ''"),
    ("size=0", "not '0'"), ("size=3x", "not '3x'"), ("size=-3", "not '-3'"), ("size=999999999", "not '999999999'"),
    ("tensors=0", "tensors needs a number above 0, not '0'"), ("threads=two", "threads needs a number above 0"),
    ("memory=diagonal", f"memory needs one of {', '.join(LAYOUTS)}, not 'diagonal'"),
    ("memory=strided:2", "the name of an argument behind the colon"),
    ("event=flood", f"event needs one of {', '.join(EVENTS)}, not 'flood'"),
    ("size=33,", "unknown surrounding ''")])
def test_what_is_no_surrounding_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadCaseError) as refused:
        parse(f"mse_loss/float32/reduction=none@{text}")
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"mse_loss/float32/reduction=none@{text}: ")


def test_memory_and_threads_stand_behind_the_truth() -> None:
    around = Surroundings(size="33", memory="strided", threads="3")
    assert around.behind_the_truth == Surroundings(size="33")
    assert Surroundings(size="33", memory="broadcast:input").behind_the_truth.is_broadcast


def test_arguments_in_other_memory_are_the_same() -> None:
    plain, strided = (parse(f"mse_loss/float32/reduction=none@size=33x17{memory}")
                      for memory in ("", ",memory=strided"))
    assert (plain.inputs["input"] == strided.inputs["input"]).all()
    assert (plain.grad_output == strided.grad_output).all()

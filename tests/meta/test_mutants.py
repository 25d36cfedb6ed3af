"""Planted mistakes: every one has to be caught by a shipped case, and nothing that is right may be."""

from __future__ import annotations

import re

import pytest

from oracle.cases import parse
from oracle.compare import Verdict
from reference import registry
from tests.meta import (
    mutants_init,
    mutants_layers,
    mutants_likelihoods,
    mutants_losses,
    mutants_margins,
    mutants_optim,
    mutants_optim_2,
    mutants_optim_classic,
    mutants_pairs,
    mutants_sequences,
)
from tests.meta.harness import NO_NOTE, Mutant, planted, records, truths

MUTANTS = [*mutants_optim.MUTANTS, *mutants_optim_classic.MUTANTS, *mutants_optim_2.MUTANTS,
           *mutants_losses.MUTANTS, *mutants_margins.MUTANTS, *mutants_likelihoods.MUTANTS,
           *mutants_pairs.MUTANTS, *mutants_sequences.MUTANTS, *mutants_init.MUTANTS, *mutants_layers.MUTANTS]


@pytest.mark.parametrize("mutant", [pytest.param(m, id=str(m), marks=pytest.mark.xfail(
    m.survives != "", reason=m.survives)) for m in MUTANTS])
def test_mistake_is_caught(mutant: Mutant) -> None:
    target = planted(mutant.code)
    caught = next((record for record in records(mutant.op, target, mutant.dtype)
                   if record.verdict == mutant.verdict and re.search(mutant.note, record.note)), None)
    assert caught is not None, f"no shipped case of {mutant.op} catches {mutant.name}: {mutant.about}"
    if mutant.note == NO_NOTE:  # then the values gave it away, and not the form
        case = parse(caught.case)
        needed = {name: (truth.hi.shape, truth.dtype) for name, truth in truths(case).items()}
        assert {name: (got.shape, got.dtype.name) for name, got in target.run(case).items()} == needed


def test_mistakes_have_names_of_their_own() -> None:
    names = [str(mutant) for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 30
    assert all(mutant.about.endswith(".") for mutant in MUTANTS)


@pytest.mark.parametrize("op", sorted({mutant.op for mutant in MUTANTS}))
def test_reference_in_the_same_harness_is_not_caught(op: str) -> None:
    spec = registry.get(op)

    class Reference:
        forward = staticmethod(getattr(spec, "function", None) or (lambda: None))
        backward = staticmethod(getattr(spec, "backward", None) or (lambda: None))

    code = Reference if spec.kind == "loss" else spec.implementation
    assert [r for r in records(op, planted(code)) if Verdict(r.verdict).disagrees] == []

"""Planted mistakes: every one has to be caught by a shipped case, and nothing that is right may be."""

from __future__ import annotations

import re

import pytest

from oracle.cases import registry
from oracle.cases.case import parse
from oracle.verdict.compare import Verdict
from tests.meta import (
    mutants_adam,
    mutants_adam_variants,
    mutants_adaptive,
    mutants_init,
    mutants_labels,
    mutants_layers,
    mutants_lbfgs,
    mutants_likelihoods,
    mutants_logits,
    mutants_margins,
    mutants_matrices,
    mutants_mse,
    mutants_pairs,
    mutants_rprop_asgd,
    mutants_sequences,
    mutants_sgd,
    mutants_shapes,
)
from tests.meta.harness import NO_NOTE, Mutant, planted, records, truths

MUTANTS = [mutant for family in (
    mutants_sgd, mutants_adam, mutants_adam_variants, mutants_adaptive, mutants_matrices, mutants_rprop_asgd,
    mutants_lbfgs, mutants_init, mutants_labels, mutants_layers, mutants_likelihoods, mutants_logits, mutants_margins,
    mutants_mse, mutants_pairs, mutants_sequences, mutants_shapes,
) for mutant in family.MUTANTS]

#: What frameworks are known to differ in, and the planted mistakes that are just that.
CONFUSIONS = {
    "eps inside the root": ("Adam-EpsInsideRoot", "AdamW-AdamWEpsInsideRoot", "NAdam-NadamEpsInsideRoot",
                            "Adagrad-AdagradEpsInsideRoot"),
    "eps beside the uncorrected root": ("Adam-EpsBeforeCorrection", "SparseAdam-AdamsEps", "RAdam-EpsCorrected"),
    "no bias correction": ("Adam-NoBiasCorrection", "AdamW-AdamWNoBiasCorrection", "SparseAdam-SparseUncorrected",
                           "Adamax-AdamaxNotCorrected"),
    "coupled for decoupled decay": ("Adam-CoupledForDecoupled", "AdamW-AdamWCoupled", "NAdam-NadamAlwaysCoupled"),
    "decoupled for coupled decay": ("Adam-DecoupledForCoupled", "RMSprop-RmsDecayDecoupled",
                                    "Adadelta-AdadeltaDecayDecoupled", "Adamax-AdamaxDecayDecoupled"),
    "decay after the step": ("Adam-DecayAfterStep", "AdamW-AdamWDecayAfterStep", "ASGD-AsgdDecayAfterStep"),
    "decay not scaled by lr": ("Adam-DecayWithoutLr", "AdamW-AdamWDecayWithoutLr", "RAdam-RadamDecayWithoutLr"),
    "momentum's first step": ("SGD-DampenedFirstStep", "SGD-FirstBufferWithoutDecay"),
    "Nesterov's order": ("SGD-NesterovSwapped", "SGD-NesterovLooksBack", "Muon-NesterovAsWritten"),
    "AMSGrad's maximum after correction": ("Adam-MaximumAfterCorrection",),
    "RMSprop's eps": ("RMSprop-RmsEpsInsideRoot", "RMSprop-RmsEpsForgotten"),
    "Adagrad's lr decay off by one": ("Adagrad-AdagradDecayOneLate",),
    "RAdam's threshold": ("RAdam-ThresholdFour", "RAdam-ThresholdSix"),
    "NAdam's product": ("NAdam-ProductNeverGrows", "NAdam-ProductWithNext"),
    "Rprop and backtracking": ("Rprop-RpropBacktracks", "Rprop-RpropStepsAnyway", "Rprop-RpropRemembersTurn"),
    "ASGD's averaging start": ("ASGD-AsgdAveragesEarly", "ASGD-AsgdAveragesFromStart"),
    "steps counted on gradients of None": ("Adam-StepCountsNone", "Adagrad-AdagradStepCountsNone",
                                           "Adamax-AdamaxStepCountsNone", "ASGD-AsgdStepCountsNone"),
    "state shared between parameters": ("Adam-StateShared",),
    "maximize with the wrong sign on decay": ("Adam-MaximizeGrows", "SGD-SgdMaximizeGrows", "AdamW-AdamWMaximizeGrows",
                                              "RMSprop-RmsDecayTurned", "ASGD-AsgdDecayTurned"),
}


@pytest.mark.parametrize("mutant", [pytest.param(m, id=str(m), marks=pytest.mark.xfail(
    m.survives != "", reason=m.survives)) for m in MUTANTS])
def test_mistake_is_caught(mutant: Mutant) -> None:
    target = planted(mutant.code)
    caught = next((record for record in records(mutant.op, target, mutant.dtype)
                   if record.verdict == mutant.verdict and re.search(mutant.note, record.note)
                   and (mutant.note != NO_NOTE or "missing" not in {found for found, *_ in record.outputs.values()})),
                  None)
    assert caught is not None, f"no shipped case of {mutant.op} catches {mutant.name}: {mutant.about}"
    if mutant.note == NO_NOTE:  # then the values gave it away, and not the form
        case = parse(caught.case)
        needed = {name: (truth.hi.shape, truth.dtype) for name, truth in truths(case).items()}
        assert {name: (got.shape, got.dtype.name) for name, got in target.run(case).items()} == needed


def test_mistakes_have_names_of_their_own() -> None:
    names = [str(mutant) for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 30
    assert all(mutant.about.endswith(".") for mutant in MUTANTS)


def test_known_confusions_of_optimizers_are_planted() -> None:
    optimizers = {spec.name for spec in registry.specs().values() if spec.kind == "optim"}
    planted_here = {str(mutant) for mutant in MUTANTS if mutant.op in optimizers and not mutant.survives}
    assert {name for names in CONFUSIONS.values() for name in names} <= planted_here
    assert len(planted_here) >= 80
    assert optimizers == {name.partition("-")[0] for name in planted_here}


def test_refusals_of_optimizers_are_many() -> None:
    """Each is held to torch in tests/optim."""
    counts = {spec.name: len(spec.refusals) for spec in registry.specs().values() if spec.kind == "optim"}
    assert sum(counts.values()) >= 60
    assert min(counts.values()) >= 5, counts


@pytest.mark.parametrize("op", sorted({mutant.op for mutant in MUTANTS}))
def test_reference_in_the_same_harness_is_not_caught(op: str) -> None:
    spec = registry.get(op)

    class Reference:
        forward = staticmethod(getattr(spec, "function", None) or (lambda: None))
        backward = staticmethod(getattr(spec, "backward", None) or (lambda: None))

    code = Reference if spec.kind == "loss" else spec.implementation
    assert [r for r in records(op, planted(code)) if Verdict(r.verdict).disagrees] == []

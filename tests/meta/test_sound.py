"""Right implementations that are written in other ways: none of them may disagree on any shipped case."""

from __future__ import annotations

import pytest

from oracle.verdict.compare import Verdict
from tests.meta import (
    sound_adam,
    sound_adaptive,
    sound_init,
    sound_labels,
    sound_lbfgs,
    sound_likelihoods,
    sound_logits,
    sound_margins,
    sound_matrices,
    sound_pairs,
    sound_rprop_asgd,
    sound_sgd,
)
from tests.meta.harness import Sound, planted, records, shipped

SOUND = [variant for family in (
    sound_adam, sound_adaptive, sound_init, sound_labels, sound_lbfgs, sound_likelihoods, sound_logits, sound_margins,
    sound_matrices, sound_pairs, sound_rprop_asgd, sound_sgd,
) for variant in family.SOUND]


@pytest.mark.parametrize("variant", SOUND, ids=str)
def test_other_way_is_not_flagged(variant: Sound) -> None:
    judged = {case.id for case in shipped(variant.op) if variant.judged(case)}
    flagged = [record for record in records(variant.op, planted(variant.code))
               if record.case in judged and Verdict(record.verdict).disagrees]
    assert flagged == []


def test_there_are_some_for_every_kind() -> None:
    assert len(SOUND) >= 12
    assert {variant.op for variant in SOUND} >= {"Adam", "SGD", "cross_entropy", "mse_loss", "normal_",
                                                 "binary_cross_entropy_with_logits", "xavier_uniform_"}

"""Causes name the rule that a target follows, or what its failures depend on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from oracle.auditing.judge import run_case
from oracle.cases.case import Case, parse
from oracle.cases.selection import select
from oracle.dialects.table import DIALECTS
from oracle.report import causes
from oracle.targets.loading import Target, load
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from tests.planted import Planted
from tests.report.pages import SOFT

pytestmark = pytest.mark.usefixtures("shared_truths")


def caused(op: str, answer: Callable[[Case], Outputs], most: int = 150, now: Target | None = None) -> list[str]:
    """The causes named for a target that answers so on the float32 cases of an op; ``now`` is what it does today."""
    target = Planted(answer)
    records = [run_case(case, target) for case in select([op], ["float32"])[:most]]
    failing = [r for r in records if r.fails]
    assert failing
    return [" ".join(cause) for cause in causes.causes(failing, [r for r in records if not r.fails], now or target)]


def _sums_wrong(case: Case) -> Outputs:
    outputs = evaluate(case, FLOATS)
    return {k: 1.25 * v for k, v in outputs.items()} if case.options["reduction"] == "sum" else outputs


def test_a_dialect_is_named_where_a_target_follows_it() -> None:
    inside = DIALECTS["adam-eps-inside"]
    found = caused("Adam", lambda case: evaluate(replace(case, spec=inside(case.spec)), FLOATS))
    assert found == [f"Follows the rule of adam-eps-inside: {inside.difference} ({inside.used_by})"]


def test_a_rule_that_overflows_is_named_for_what_it_may_be() -> None:
    """On this case alone the rule decides nothing: whatever overflows so gives the same."""
    (eager,) = load(["torch:eager"])
    (found,) = causes.causes([run_case(parse(SOFT), eager)], [], eager)
    assert found.what == "May follow the rule of"
    assert found.text.startswith("soft-margin-overflow: the loss is log(1 + e")
    assert caused("soft_margin_loss", eager.run)[0].startswith("Follows the rule of soft-margin-overflow: the loss")


def test_a_rule_of_gradients_is_not_named_where_the_loss_overflows() -> None:
    """So does the reference there, whatever the gradients' rule is."""
    (eager,) = load(["torch:eager"])
    records = [run_case(case, eager) for case in select(["cosine_embedding_loss"], ["float16"])]
    wrong = [r for r in records if (r.verdict, r.output) == ("range", "output")]
    assert wrong
    (found,) = causes.causes(wrong, [r for r in records if not r.fails], eager)
    assert found.what == "Fails"


def test_failures_that_no_dialect_explains_have_their_condition() -> None:
    (found,) = caused("mse_loss", _sums_wrong, most=10_000)
    assert re.fullmatch(r"Fails only with reduction=sum \(\d+ cases that fail beside \d+ that pass\)", found)


def test_a_dialect_is_not_named_for_what_the_target_does_not_do_here() -> None:
    for_now = Planted(lambda case: evaluate(case, FLOATS))
    (found,) = caused("mse_loss", _sums_wrong, most=40, now=for_now)
    assert found.startswith("Not seen again:")

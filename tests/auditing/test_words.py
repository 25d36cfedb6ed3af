"""Records in words."""

from __future__ import annotations

import dataclasses

from oracle.auditing.words import three_lines
from oracle.verdict.record import Record


def test_no_command_names_a_target_that_it_does_not_know() -> None:
    record = Record("mse_loss/float32/default", "mse_loss", "float32", "user", "exceeds", 1.0, 2.0)
    assert three_lines(record)[2] == "  oracle explain 'mse_loss/float32/default'"
    assert three_lines(dataclasses.replace(record, target="torch:eager"))[2].endswith(" --target torch:eager")

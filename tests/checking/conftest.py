"""What tests of checks share."""

from __future__ import annotations

import pytest

from oracle.checking import choice


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks run a twelfth of the cases."""
    monkeypatch.setattr(choice, "BUDGET", 1000)

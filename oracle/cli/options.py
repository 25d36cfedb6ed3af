"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from .errors import refusing_values

__all__ = ["Ops", "refuse_jobs"]

#: Ops by name.
Ops = Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; all by default")]


def refuse_jobs(jobs: int | None) -> None:
    """Refuse a number of processes that no machine has.

    Raises:
        UsageError: there are too many.
    """
    from ..auditing.workers import check_jobs

    with refusing_values():
        check_jobs(1 if jobs is None else jobs)

"""``oracle prove``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import Interrupted
from .files import refuse_file, writing
from .options import refuse_jobs
from .screen import progress

if TYPE_CHECKING:
    from ..proving.variants import Variant

__all__ = ["prove"]


@contextmanager
def _new_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that adds a line to a new file, which has it at once.

    Raises:
        UsageError: it cannot be written.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")

    def add(line: str) -> None:
        with writing(path.parent):
            file.write(line + "\n")
            file.flush()

    try:
        yield add
    finally:
        with suppress(OSError):  # of a line that is left, which could not be written before
            file.close()


def prove(
    ops: Annotated[list[str] | None, typer.Argument(help="ops, or losses, optim, init; modules that ops share, such "
                                                         "as numerics or losses._pairs, or shared; all ops by "
                                                         "default")] = None,
    most: Annotated[int | None, typer.Option("--max", min=0, help="mutants to take of each op or module, spread over "
                                                                  "its source; all by default")] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="processes, each of which takes whole ops "
                                                                         "and modules; one for each core by "
                                                                         "default")] = None,
    out: Annotated[Path, typer.Option(help="folder for variants.jsonl")] = Path("oracle-results"),
) -> None:
    """Prove the checker: plant wrong variants of the references, and count what shipped cases kill.

    Variants are the dialects, and mutants: the references' own source with one mechanical change. Modules that ops
    share have mutants of their own, planted in all of these ops at once.

    Exit status: 0 only where nothing survives but what oracle/proving/equivalents.toml has a reason for; 1 otherwise; 2
    for bad use or a fault of the oracle itself; 130 after Ctrl-C, with a line on what is kept.

    Example: oracle prove mse_loss Adam numerics --out runs/proof
    """
    from ..proving import equivalents, survivors, variants

    refuse_jobs(jobs)
    path = out / "variants.jsonl"
    refuse_file(path)
    specs, modules = survivors.chosen(ops or ())
    records = equivalents.load()
    total = survivors.count(specs, most, modules)
    jobs = jobs or min(os.cpu_count() or 1, len(specs) + len(modules))
    with _new_lines(path) as add_line, progress("proving", "variants", total) as advance:

        def keep(variant: Variant) -> None:
            add_line(variant.to_json())
            advance()

        add_line(variants.header())
        try:
            proof = survivors.prove(specs, records, modules=modules, most=most, jobs=jobs, on_variant=keep)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; the variants that were decided are in {path}") from None
    typer.echo(str(proof))
    typer.echo(f"variants: {path}")
    raise typer.Exit(0 if proof.holds else 1)

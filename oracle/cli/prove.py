"""``oracle prove``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .errors import Interrupted, UsageError
from .files import refuse_file, writing
from .options import refuse_jobs
from .screen import progress

if TYPE_CHECKING:
    from ..cases.spec import Spec
    from ..proving.innocence import Innocence, Trial
    from ..proving.variants import Proof, Variant

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
    out: Annotated[Path, typer.Option(help="folder for variants.jsonl, or with --right "
                                           "right-variants.jsonl")] = Path("oracle-results"),
    right: Annotated[bool, typer.Option("--right", help="plant right variants instead, of which no case may accuse "
                                                        "one")] = False,
    most_cases: Annotated[int | None, typer.Option("--max-cases", min=1, help="with --right: cases of each op and "
                                                                              "storage type, from all over them; all "
                                                                              "by default")] = None,
) -> None:
    """Prove the checker: plant wrong variants of the references, and count what shipped cases kill.

    Variants are the dialects, and mutants: the references' own source with one mechanical change. Modules that ops
    share have mutants of their own, planted in all of these ops at once.

    With --right it proves the bounds instead. Right variants are the references' own source with operations done in
    another order, fused, or rounded another way, all within the contract of docs/sound.md. What is accused there is
    accused wrongly: a bound has to be mended.

    Exit status: 0 only where nothing survives but what oracle/proving/equivalents.toml has a reason for, and with
    --right only where nothing is accused; 1 otherwise; 2 for bad use or a fault of the oracle itself; 130 after Ctrl-C,
    with a line on what is kept.

    Example: oracle prove mse_loss Adam numerics --out runs/proof

    Example: oracle prove --right smooth_l1_loss --max 40
    """
    from ..proving import equivalents, survivors, variants

    refuse_jobs(jobs)
    path = out / ("right-variants.jsonl" if right else "variants.jsonl")
    refuse_file(path)
    specs, modules = survivors.chosen(ops or ())
    if right:
        if modules:
            raise UsageError(f"--right takes ops, not modules that they share, such as {modules[0]}: right variants of "
                             "these are tried with each op")
        _prove_right(specs, path, most, most_cases, jobs or min(os.cpu_count() or 1, len(specs)))
    if most_cases is not None:
        raise UsageError("--max-cases needs --right: a wrong variant is tried until some case kills it")
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
    _end(proof, path)


def _prove_right(specs: Sequence[Spec], path: Path, most: int | None, most_cases: int | None, jobs: int) -> NoReturn:
    """Try right variants, say what was accused, and end."""
    from ..proving import innocence

    with _new_lines(path) as add_line, progress("proving", "right variants", innocence.count(specs, most)) as advance:

        def keep(trial: Trial) -> None:
            add_line(trial.to_json())
            advance()

        add_line(innocence.header())
        try:
            found = innocence.prove_right(specs, most=most, most_cases=most_cases, jobs=jobs, on_trial=keep)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; the variants that were decided are in {path}") from None
    _end(found, path)


def _end(found: Proof | Innocence, path: Path) -> NoReturn:
    """Say what was found, and where it is kept; the exit status says whether it holds."""
    typer.echo(str(found))
    typer.echo(f"variants: {path}")
    raise typer.Exit(0 if found.holds else 1)

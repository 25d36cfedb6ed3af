"""``oracle vectors export`` and ``oracle vectors verify``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError, end_if_faulty
from .files import refuse_folder
from .options import Ops
from .screen import open_console, progress

__all__ = ["vectors"]

vectors = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                      help="Cases, truths and bounds as files, for implementations in any language.\n\n"
                           "Example: oracle vectors export vectors")


@contextmanager
def _needing_safetensors() -> Iterator[None]:
    """Where safetensors is missing, the message says how to install it.

    Raises:
        UsageError: it is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "safetensors":
            raise
        raise UsageError("safetensors is not installed; pip install 'torch-oracle[vectors]'") from None


@vectors.command()
def export(
    folder: Annotated[Path, typer.Argument(help="a new or empty folder")],
    ops: Ops = None,
    everything: Annotated[bool, typer.Option("--all", help="every case of the audit")] = False,
) -> None:
    """Write cases, truths and bounds: for each op a safetensors file, and JSON by a schema.

    A selection of the cases in which every axis value occurs in every type; the same bytes each time.

    Exit status: 0; 2 for bad use or a fault of the oracle itself.

    Example: oracle vectors export vectors cross_entropy optim
    """
    from ..cases.registry import chosen_specs
    from ..vectors import writing

    refuse_folder(folder)
    specs = chosen_specs(ops or ())
    with progress("exporting", "cases") as advance, _needing_safetensors():
        count = writing.export(folder, specs, everything=everything, on_case=lambda total: advance(total=total))
    size = sum(path.stat().st_size for path in folder.iterdir())
    typer.echo(f"{count} cases of {len(specs)} ops in {folder}, {size / 1e6:.1f} MB")


@vectors.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="what was exported")],
    results: Annotated[Path, typer.Argument(help="a safetensors file or a folder of them")],
    partial: Annotated[bool, typer.Option("--partial", help="some results are enough: what is missing is counted, and "
                                                            "no failure")] = False,
) -> None:
    """Judge results: tensors called CASE-ID:OUTPUT in a safetensors file, or a folder of them.

    Exit status: 0 without a disagreement, and with a result for each output unless --partial is given; 1 otherwise; 2
    for bad use or a fault of the oracle itself.

    Example: oracle vectors verify vectors results.safetensors
    """
    from ..report.table import show
    from ..vectors import reading

    with _needing_safetensors():
        records, missing = reading.verify(folder, results)
    show(records, open_console())
    if missing:
        ops = ", ".join(dict.fromkeys(name.partition("/")[0] for name in missing))
        typer.echo(f"no results for {len(missing)} outputs of {ops}, such as {missing[0]}")
    end_if_faulty([record.note for record in records if record.fault])
    incomplete = bool(missing) and not partial
    raise typer.Exit(1 if incomplete or any(record.fails for record in records) else 0)

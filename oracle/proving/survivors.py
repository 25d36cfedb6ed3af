"""Proof of the checker: which wrong variants of the references do the shipped cases find?

Variants are the dialects and the mutants of :mod:`oracle.proving.mutation`.

* A mutant of an op is killed by the first shipped case in float32 on which the oracle disagrees with it.
* A dialect may differ in another type alone, and is looked for in all types.
* So is a mutant of a module that ops share (:mod:`oracle.proving.shared_code`), on cases of all ops that call what
  it changes. It may differ for balls alone: then it is planted in the proof, and killed where the reference disagrees
  with what that says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

from ..auditing import workers
from ..cases import registry
from ..cases.registry import BadCaseError, chosen_specs
from ..cases.selection import select
from ..cases.spec import Spec
from ..dialects.table import dialects_of
from . import shared_code
from .bench import Bench, ProvingError, SharedBench
from .callers import CallersOf, callers_of
from .equivalents import Equivalent, matching, stale
from .mutation import Mutant, mutants, planted_in
from .variants import Proof, Variant

__all__ = ["ProvingError", "chosen", "count", "of_module", "of_op", "prove"]


def chosen(names: Sequence[str]) -> tuple[list[Spec], list[str]]:
    """The ops and shared modules of some names, all ops without any; ``losses`` and so on, and ``shared``, count too.

    Raises:
        BadCaseError: an unknown name.
    """
    known = shared_code.names()
    modules = [module for module in known if {module, "shared"} & set(names)]
    ops = [name for name in names if name != "shared" and name not in known]
    try:
        return chosen_specs(ops) if ops or not names else [], modules
    except BadCaseError as error:
        raise BadCaseError(f"{error}; and shared, or one of {', '.join(known)}") from None


def prove(specs: Sequence[Spec], equivalents: Sequence[Equivalent], *, modules: Sequence[str] = (),
          most: int | None = None, jobs: int = 1,
          on_variant: Callable[[Variant], None] = lambda variant: None) -> Proof:
    """Plant all variants of some ops, and of some modules that ops share.

    Args:
        specs: the ops.
        modules: the shared modules.
        equivalents: the records of mutants that no case can kill.
        most: mutants to take of each op and module, spread evenly over its source; all by default.
        jobs: processes, each of which takes whole ops, or some mutants of a module.
        on_variant: is called with each, as it is decided.

    Raises:
        ProvingError: a reference disagrees with the truth.
    """
    found: list[Variant] = []
    ops = [spec.name for spec in specs]
    for variant in _decided(ops, modules, equivalents, most, jobs):
        found.append(variant)
        on_variant(variant)
    made = [mutant for spec in specs for mutant in mutants(spec)]
    made += [mutant for module in modules for mutant in shared_code.shared_mutants(module)]
    killed = {v.id for v in found if v.killed_by}
    wrong = stale(equivalents, [*ops, *modules], made, [m for m in made if m.id in killed])
    return Proof(found, [f"{record.name!r}: {why}" for record, why in wrong])


def count(specs: Sequence[Spec], most: int | None = None, modules: Sequence[str] = ()) -> int:
    """How many variants :func:`prove` decides."""
    return (sum(len(dialects_of(spec.name)) + len(_spread(mutants(spec), most)) for spec in specs)
            + sum(len(_spread(shared_code.shared_mutants(module), most)) for module in modules))


def _decided(ops: Sequence[str], modules: Sequence[str], equivalents: Sequence[Equivalent], most: int | None,
             jobs: int) -> Iterator[Variant]:
    """All variants, decided by one process or by several."""
    tried = modules if most != 0 else ()
    if jobs == 1:
        for op in ops:
            yield from of_op(op, equivalents, most)
        for module, callers in callers_of(tried).items():
            yield from of_module(module, equivalents, callers, most)
        return
    with workers.pool(jobs) as pool:
        of_ops = pool.map(_all_of_op, ops, [equivalents] * len(ops), [most] * len(ops))
        of_modules = [pool.submit(_all_of_module, module, equivalents, callers, most)
                      for module, callers in callers_of(tried).items()]
        for variants in itertools.chain(of_ops, (one.result() for one in of_modules)):
            yield from variants


def _all_of_op(op: str, equivalents: Sequence[Equivalent], most: int | None) -> list[Variant]:
    return list(of_op(op, equivalents, most))


def _all_of_module(module: str, equivalents: Sequence[Equivalent], callers: CallersOf,
                   most: int | None) -> list[Variant]:
    return list(of_module(module, equivalents, callers, most))


def of_op(op: str, equivalents: Sequence[Equivalent], most: int | None = None) -> Iterator[Variant]:
    """The variants of one op, each with what became of it: dialects first."""
    spec = registry.get(op)
    bench = Bench(op, select([op], ["float32"]))
    for dialect in dialects_of(op):
        variant = Variant(f"{op}:dialect:{dialect.name}", op, "dialect", dialect.used_by, 0, "", op,
                          dialect.difference)
        yield bench.decide(variant, contextlib.nullcontext(dialect(spec)), all_types=True)
    for mutant in _spread(mutants(spec), most):
        record = matching(equivalents, mutant)
        yield bench.decide(_described(mutant, record), planted_in(mutant, spec))


def of_module(module: str, equivalents: Sequence[Equivalent], callers: CallersOf,
              most: int | None = None) -> Iterator[Variant]:
    """The mutants of one shared module, each with what became of it."""
    bench = SharedBench(callers)
    with shared_code.constants_kept():
        for mutant in _spread(shared_code.shared_mutants(module), most):
            yield bench.decide_shared(_described(mutant, matching(equivalents, mutant)), mutant)


def _spread(made: Sequence[Mutant], most: int | None) -> Sequence[Mutant]:
    """At most so many, from all over the source."""
    if most is None or len(made) <= most:
        return made
    return [made[i * len(made) // most] for i in range(most)]


def _described(mutant: Mutant, record: Equivalent | None) -> Variant:
    shown = {f.name: getattr(mutant, f.name) for f in dataclasses.fields(mutant) if f.name != "source"}
    return Variant(**shown, equivalent=record.reason if record else "")
